/* figures.c: what is told of a session against what it is known to have carried; priorities. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sdk/support/rows.h"
#include "tests/sdk/support/stage.h"

enum { PATIENCE_MS = 20000, LOOKS = 2000 };

static struct hawser_session_info look(int handle)
{
    struct hawser_session_info info;

    CHECK("told", hawser_session_info(handle, &info) == HAWSER_ERR_OK);
    return info;
}

/* Looks again and again until it is so, for as long as 20 s. */
static bool becomes(int handle, bool (*is_so)(const struct hawser_session_info *info))
{
    for (int i = 0; i < LOOKS; i++) {
        struct hawser_session_info info = look(handle);

        if (is_so(&info))
            return true;
        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    return false;
}

static void send_all(int handle, int channel, int len)
{
    char *data = calloc(1, (size_t)len);

    for (int done = 0, n; done < len; done += n) {
        n = hawser_send_data(handle, channel, data + done, len - done, PATIENCE_MS);
        CHECK("sent", n > 0);
        if (n <= 0)
            break;
    }
    free(data);
}

static void recv_all(int handle, int channel, int len)
{
    static char data[65536];

    for (int done = 0, n; done < len; done += n) {
        n = hawser_recv_data(handle, channel, data, sizeof data, PATIENCE_MS);
        CHECK("received", n > 0);
        if (n <= 0)
            break;
    }
}

static void device_recv_all(int handle, int channel, int len)
{
    for (int done = 0, n; done < len; done += n) {
        n = (int)peer_ask(&stage.device, "recv %d %d 65536 %d", handle, channel, PATIENCE_MS);
        CHECK("received", n > 0);
        if (n <= 0)
            break;
    }
}

static bool is_at_rest(const struct hawser_session_info *info)
{
    for (int i = 0; i < HAWSER_CHANNELS; i++)
        if (info->channel[i].unsent)
            return false;
    return info->in_flight == 0;
}

TEST(a_known_transfer)
{
    struct pair_of_handles h = stage_connect();
    struct hawser_session_info info;
    uint64_t send_rate = 0, receive_rate = 0;

    send_all(h.app, 5, 1000000);
    device_recv_all(h.device, 5, 1000000);
    CHECK("the device sends",
          peer_ask(&stage.device, "send %d 3 200000 %d", h.device, PATIENCE_MS) == 200000);
    recv_all(h.app, 3, 200000);
    info = look(h.app);
    for (int i = 0; i < HAWSER_CHANNELS; i++) {
        CHECK("bytes sent", info.channel[i].sent == (i == 5 ? 1000000 : 0));
        CHECK("bytes received", info.channel[i].received == (i == 3 ? 200000 : 0));
        CHECK("nothing is lossy", !info.channel[i].is_lossy && !info.channel[i].peer_is_lossy);
        CHECK("nothing given up", info.channel[i].given_up == 0 && info.channel[i].dropped == 0);
        CHECK("all may send", info.channel[i].credit > 0 && info.channel[i].credit < UINT32_MAX);
        send_rate += info.channel[i].send_rate;
        receive_rate += info.channel[i].receive_rate;
    }
    CHECK("rates add up", info.send_rate == send_rate && info.receive_rate == receive_rate);
    CHECK("no more than there was", send_rate <= 1000000 && receive_rate <= 200000);
    CHECK("of these channels", send_rate == info.channel[5].send_rate);
    CHECK("in these directions", receive_rate == info.channel[3].receive_rate);
    CHECK("the path's rate is known", info.delivery_rate > 0 && info.pacing_rate > 0);
    CHECK("so are its round trips", info.rtt_min_us > 0 && info.rtt_us > 0);
    CHECK("a window", info.congestion_window > 0);
    CHECK("a state", info.congestion != HAWSER_CONGESTION_OTHER && *info.congestion_name);
    CHECK("enough chunks for that", info.chunks_sent >= 1000000 / 65536);
    CHECK("what is lost is sent again", info.chunks_lost >= info.chunks_spurious);
    CHECK("nothing waits in the end", becomes(h.app, is_at_rest));
    CHECK("for want of bytes", look(h.app).limit == HAWSER_LIMIT_APPLICATION);
    stage_disconnect(h);
}

static bool is_out_of_credit(const struct hawser_session_info *info)
{
    return info->channel[4].credit == 0 && info->limit == HAWSER_LIMIT_CREDIT;
}

TEST(an_unread_channel_shows)
{
    struct pair_of_handles h = stage_connect();
    static char data[65536];
    struct hawser_session_info info;

    while (hawser_send_data(h.app, 4, data, sizeof data, 300) > 0)
        continue;
    CHECK("no credit is left there", becomes(h.app, is_out_of_credit));
    info = look(h.app);
    CHECK("bytes wait there", info.channel[4].unsent > 0);
    CHECK("and nowhere else", info.channel[5].unsent == 0 && info.channel[5].credit > 0);
    CHECK("what was accepted is in a buffer or gone",
          info.channel[4].sent >= info.channel[4].unsent);
    stage_disconnect(h);
}

/* ---- Priorities ------------------------------------------------------------------------------ */

TEST(priorities_are_told_as_set)
{
    static const uint8_t usual[HAWSER_CHANNELS] = { 1, 3, 2, 5, 4, 6, 7, 7 };
    struct pair_of_handles h = stage_connect();
    struct hawser_session_info info = look(h.app);

    for (int i = 0; i < HAWSER_CHANNELS; i++)
        CHECK("the usual",
              info.channel[i].priority_class == usual[i] && info.channel[i].weight == 1);
    CHECK("set", hawser_set_priority(h.app, 5, 1, 100) == 0);
    CHECK("again", hawser_set_priority(h.app, 1, 7, 3) == 0);
    info = look(h.app);
    CHECK("as set", info.channel[5].priority_class == 1 && info.channel[5].weight == 100);
    CHECK("as set", info.channel[1].priority_class == 7 && info.channel[1].weight == 3);
    CHECK("and no other", info.channel[3].priority_class == 5 && info.channel[3].weight == 1);
    stage_disconnect(h);
}

static const struct {
    const char *claim;
    int channel, class, weight, code;
} refused_priorities[] = {
    { "channel 8", 8, 1, 1, -5 },
    { "channel -1", -1, 1, 1, -5 },
    { "class 0", 0, 0, 1, -5 },
    { "class 8", 0, 8, 1, -5 },
    { "class -1", 0, -1, 1, -5 },
    { "no weight", 0, 1, 0, -5 },
    { "too much weight", 0, 1, 101, -5 },
    { "a weight below", 0, 1, -3, -5 },
    { "all that is right", 0, 7, 100, 0 },
};

TEST(priorities_that_there_are_not)
{
    struct pair_of_handles h = stage_connect();

    for (size_t i = 0; i < COUNT(refused_priorities); i++)
        check_code(refused_priorities[i].claim,
                   hawser_set_priority(h.app, refused_priorities[i].channel,
                                       refused_priorities[i].class, refused_priorities[i].weight),
                   refused_priorities[i].code);
    check_code("a handle nobody got", hawser_set_priority(12345, 0, 1, 1), -11);
    CHECK("closes", peer_ask(&stage.device, "close %d 9", h.device) == 0);
    check_code("ended", session_wait_end(h.app), -109);
    check_code("the code of its end", hawser_set_priority(h.app, 0, 1, 1), -109);
    stage_disconnect(h);
}

TESTS_BETWEEN(stage_open, stage_close, TEST_ROW(a_known_transfer),
              TEST_ROW(an_unread_channel_shows), TEST_ROW(priorities_are_told_as_set),
              TEST_ROW(priorities_that_there_are_not))

/* session_lossy.c: a lossy channel through a session whose path fails for a while. */
#include "tests/support/session_pair.h"

#include "core/session/internal.h"
#include "tests/check.h"

#define EVERY    (20 * MILLISECOND)
#define LIFETIME (100 * MILLISECOND)

enum { MESSAGE = 5000, LOSSY = 2, RELIABLE = 3 };

/* What arrives on the lossy channel: each message begins with its number and when it was sent. */
struct ear {
    uint64_t count, last, oldest_us;
    uint64_t broken, out_of_order;
};

static struct session_pair p;
static struct ear ear;
static struct chain heard; /* of a message whose end has not come */
static uint64_t number;

static const struct session_config usual = { 0 };

static void open_pair(void)
{
    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 2 * SECOND);
    CHECK("both are open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    memset(&ear, 0, sizeof ear);
    chain_init(&heard, p.pool);
    number = 0;
    p.is_deaf[ANSWERER] = true; /* heard here */
}

static void close_pair(void)
{
    if (heard.pool)
        chain_deinit(&heard);
    heard.pool = NULL;
    session_pair_deinit(&p);
}

static int speak(unsigned channel)
{
    uint8_t data[MESSAGE];
    struct wr w = wr_of(data, sizeof data);
    struct chain c;
    int err;

    number++;
    memset(data, (int)number, sizeof data);
    wr_u64(&w, number);
    wr_u64(&w, (uint64_t)p.now);
    chain_init(&c, p.pool);
    CHECK("room", chain_append_all(&c, bytes_of(data, sizeof data)) == ERR_OK);
    err = session_send_message(p.end[OFFERER], p.now, channel, &c, MESSAGE, p.now);
    chain_deinit(&c);
    session_pair_drain(&p, OFFERER);
    return err;
}

static void hear_one(struct chain *c, bool ends)
{
    uint8_t data[MESSAGE];
    struct rd r = rd_of(bytes_of(data, chain_take(c, data, sizeof data)));
    uint64_t n = rd_u64(&r), age = (uint64_t)p.now - rd_u64(&r);
    bool is_whole = ends && r.ok && rd_left(&r) == MESSAGE - 16 && c->len == 0;

    for (size_t i = 16; is_whole && i < MESSAGE; i++)
        is_whole = data[i] == (uint8_t)n;
    ear.broken += !is_whole;
    ear.out_of_order += n <= ear.last;
    ear.oldest_us = age > ear.oldest_us ? age : ear.oldest_us;
    ear.last = n;
    ear.count++;
}

static void listen_to(unsigned channel)
{
    bool ends;

    while (session_recv_chain(p.end[ANSWERER], p.now, channel, &heard, MESSAGE, &ends))
        if (ends)
            hear_one(&heard, ends);
    ear.broken += heard.len != 0 && channel == LOSSY; /* whole messages only */
    session_pair_drain(&p, ANSWERER);
}

/* Speaks for so long, and loses one of n datagrams if that is not 0. */
static unsigned talk(unsigned channel, usec span, uint32_t lose_nth)
{
    unsigned refused = 0;

    for (usec until = p.now + span; p.now < until;) {
        usec next = p.now + EVERY;

        refused += speak(channel) != ERR_OK;
        while (p.now < next) {
            if (lose_nth && !p.lose_nth)
                p.lose_nth = 1 + rng_below(&p.rng, 2 * lose_nth - 1);
            session_pair_run(&p, p.now + 2 * MILLISECOND);
            p.now = p.now < next ? p.now + MILLISECOND : p.now;
            listen_to(channel);
        }
    }
    return refused;
}

TEST(what_is_late_is_given_up_and_nothing_else)
{
    struct session_info info;

    open_pair();
    CHECK("set", session_set_lossy(p.end[OFFERER], p.now, LOSSY, LIFETIME, SCTP_RETRANSMITS_ANY) ==
                     ERR_OK);
    session_pair_drain(&p, OFFERER);
    (void)talk(LOSSY, SECOND, 0);
    CHECK("on a path that works nothing is", ear.count + 3 >= number);
    p.is_cut = true;
    (void)talk(LOSSY, 600 * MILLISECOND, 0);
    p.is_cut = false;
    (void)talk(LOSSY, 3 * SECOND, 0);
    session_get_info(p.end[OFFERER], &info);
    CHECK("what could not arrive in time was", info.given_up[LOSSY] >= 15);
    CHECK("and told as such", ear.count + info.given_up[LOSSY] + 5 >= number);
    CHECK("it goes on with the newest", number - ear.last < 5);
    CHECK("nothing broken, nothing twice", ear.broken == 0 && ear.out_of_order == 0);
    CHECK("the other end was told of the mode", session_send_room(p.end[ANSWERER], LOSSY) > 0);
    session_get_info(p.end[ANSWERER], &info);
    CHECK("it knows", info.peer_lossy == 1 << LOSSY && info.lossy == 0);
    close_pair();
}

TEST(a_reliable_channel_beside_it_loses_nothing)
{
    struct session_info info;
    unsigned refused;

    open_pair();
    CHECK("set", session_set_lossy(p.end[OFFERER], p.now, LOSSY, LIFETIME, 0) == ERR_OK);
    refused = talk(RELIABLE, SECOND, 7);
    p.is_cut = true;
    refused += talk(RELIABLE, 600 * MILLISECOND, 0);
    p.is_cut = false;
    p.lose_nth = 0;
    refused += talk(RELIABLE, 3 * SECOND, 0);
    for (int i = 0; i < 1000 && ear.count + refused < number; i++) {
        session_pair_run(&p, p.now + 10 * MILLISECOND);
        p.now += MILLISECOND;
        listen_to(RELIABLE);
    }
    CHECK("all of it", ear.count + refused == number && ear.broken == 0);
    CHECK("in order", ear.out_of_order == 0);
    session_get_info(p.end[OFFERER], &info);
    CHECK("nothing given up", info.given_up[RELIABLE] == 0);
    close_pair();
}

/* No message is sent again: each lost datagram costs a message, and no more than that. */
TEST(without_retransmissions_each_loss_costs_its_message)
{
    struct session_info info;

    open_pair();
    CHECK("set", session_set_lossy(p.end[OFFERER], p.now, LOSSY, USEC_NEVER, 0) == ERR_OK);
    session_pair_drain(&p, OFFERER);
    (void)talk(LOSSY, 5 * SECOND, 41);
    p.lose_nth = 0;
    (void)talk(LOSSY, 2 * SECOND, 0);
    session_get_info(p.end[OFFERER], &info);
    CHECK("some were lost", info.given_up[LOSSY] > 3);
    CHECK("most were not", ear.count > number / 2);
    CHECK("all are accounted for", ear.count + info.given_up[LOSSY] + 5 >= number);
    CHECK("nothing broken, nothing twice", ear.broken == 0 && ear.out_of_order == 0);
    close_pair();
}

/* Nobody takes anything at the other end: neither its queue nor ours grows without end. */
TEST(a_peer_that_reads_nothing_bounds_what_waits)
{
    struct session_info info;
    unsigned refused = 0;

    open_pair();
    CHECK("set", session_set_lossy(p.end[OFFERER], p.now, LOSSY, USEC_NEVER, 0) == ERR_OK);
    session_pair_drain(&p, OFFERER);
    for (int i = 0; i < 8000; i++) {
        refused += speak(LOSSY) == ERR_LIMIT;
        session_pair_run(&p, p.now + MILLISECOND);
        p.now += MILLISECOND;
    }
    session_get_info(p.end[ANSWERER], &info);
    CHECK("its window holds", info.sctp.unread_bytes <= CHANNEL_UNREAD_MAX);
    CHECK("in the end nothing more is taken", refused > 0);
    CHECK("and the session lives", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    close_pair();
}

TEST(a_session_that_is_not_open_refuses)
{
    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("lossy", session_set_lossy(p.end[OFFERER], p.now, 0, SECOND, 0) == ERR_WRONG_STATE);
    CHECK("priority", session_set_priority(p.end[OFFERER], 0, 1, 1) == ERR_WRONG_STATE);
    CHECK("a message", speak(0) == ERR_WRONG_STATE);
    CHECK("room", session_send_room(p.end[OFFERER], 0) == 0);
    close_pair();
}

TESTS(TEST_ROW(what_is_late_is_given_up_and_nothing_else),
      TEST_ROW(a_reliable_channel_beside_it_loses_nothing),
      TEST_ROW(without_retransmissions_each_loss_costs_its_message),
      TEST_ROW(a_peer_that_reads_nothing_bounds_what_waits),
      TEST_ROW(a_session_that_is_not_open_refuses))

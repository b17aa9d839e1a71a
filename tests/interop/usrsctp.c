/* Our SCTP against usrsctp: both roles, over good and bad links, with each extension and without,
 * and every way to end. */
#include "tests/interop/usrsctp_bench.h"

#include <stdlib.h>

#include "tests/check.h"

static const struct terms all_terms[] = {
    { "all extensions", 0, true, true },
    { "they do not interleave", 0, false, true },
    { "we do not interleave", SCTP_I_DATA, true, true },
    { "they never give up", 0, true, false },
    { "we never give up", SCTP_FORWARD_TSN, true, true },
    { "none", SCTP_I_DATA | SCTP_FORWARD_TSN, false, false },
};
static const struct link good = { .delay_us = 5000 };
static const struct {
    const char *claim;
    int who;
    size_t bytes;
    struct link link;
} rows[] = {
    { "we connect", WE_CONNECT, STREAM_BYTES, { .delay_us = 5000 } },
    { "they connect", THEY_CONNECT, STREAM_BYTES, { .delay_us = 5000 } },
    { "both connect", WE_CONNECT | THEY_CONNECT, STREAM_BYTES, { .delay_us = 5000 } },
    { "1% loss", WE_CONNECT, STREAM_BYTES, { .delay_us = 5000, .loss_ppm = 10000 } },
    { "1% loss, they connect", THEY_CONNECT, STREAM_BYTES, { 5000, 0, 10000, 0 } },
    { "5% loss", WE_CONNECT, STREAM_BYTES / 8, { .delay_us = 5000, .loss_ppm = 50000 } },
    { "reordering", THEY_CONNECT, STREAM_BYTES, { .delay_us = 5000, .jitter_us = 4000 } },
    { "duplicates", WE_CONNECT, STREAM_BYTES, { .delay_us = 5000, .duplicate_ppm = 200000 } },
    { "everything at once",
      WE_CONNECT | THEY_CONNECT,
      STREAM_BYTES / 8,
      { 10000, 10000, 30000, 50000 } },
};

/* HAWSER_INTEROP_MIB, as for the other foreign peers: so many times the bytes of the rows. */
static size_t mebibytes(void)
{
    const char *text = getenv("HAWSER_INTEROP_MIB");
    unsigned long mib = text ? strtoul(text, NULL, 10) : 1;

    return mib ? mib : 1;
}

TEST(eight_streams_are_echoed)
{
    size_t mib = mebibytes();

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bench b;

        CHECK(rows[i].claim, bench_init(&b, i + 1, &rows[i].link, rows[i].who));
        CHECK(rows[i].claim, bench_run_until(&b, &b.is_up, 60 * SECOND));
        CHECK(rows[i].claim, bench_echo_all(&b, rows[i].bytes * mib, (usec)mib * 600 * SECOND));
        CHECK("nothing but good packets", !b.is_closed);
        sctp_shutdown(b.ours, now);
        CHECK(rows[i].claim, bench_run_until(&b, &b.is_closed, 60 * SECOND));
        CHECK("cleanly", b.closed.reason == SCTP_REASON_SHUTDOWN);
        CHECK("and they saw it", bench_run_until(&b, &b.is_their_end, 60 * SECOND));
        bench_deinit(&b);
    }
}

/* The two are connected and have exchanged something. */
static void meet(struct bench *b, uint64_t seed, int who)
{
    CHECK("made", bench_init(b, seed, &good, who));
    CHECK("up", bench_run_until(b, &b->is_up, 10 * SECOND));
    CHECK("used", bench_echo_all(b, 1000, 60 * SECOND));
}

TEST(they_shut_down)
{
    struct bench b;

    meet(&b, 21, WE_CONNECT);
    usrsctp_shutdown(b.theirs, SHUT_WR);
    CHECK("closed", bench_run_until(&b, &b.is_closed, 10 * SECOND));
    CHECK("cleanly", b.closed.reason == SCTP_REASON_SHUTDOWN);
    bench_deinit(&b);
}

TEST(they_abort)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    struct bench b;

    meet(&b, 22, THEY_CONNECT);
    usrsctp_setsockopt(b.theirs, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    usrsctp_close(b.theirs);
    b.theirs = NULL;
    CHECK("closed", bench_run_until(&b, &b.is_closed, 10 * SECOND));
    CHECK("by the peer", b.closed.reason == SCTP_REASON_PEER_ABORT);
    bench_deinit(&b);
}

TEST(we_abort)
{
    struct bench b;

    meet(&b, 23, WE_CONNECT);
    sctp_abort(b.ours, now, "enough");
    CHECK("they saw it", bench_run_until(&b, &b.is_their_end, SECOND));
    CHECK("ours closed", b.is_closed && b.closed.reason == SCTP_REASON_LOCAL_ABORT);
    bench_deinit(&b);
}

static void reset_theirs(struct bench *b, uint16_t stream)
{
    size_t len = sizeof(struct sctp_reset_streams) + sizeof stream;
    struct sctp_reset_streams *ask = calloc(1, len);

    if (!ask)
        return;
    ask->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    ask->srs_number_streams = 1;
    ask->srs_stream_list[0] = stream;
    CHECK("asked", usrsctp_setsockopt(b->theirs, IPPROTO_SCTP, SCTP_RESET_STREAMS, ask,
                                      (socklen_t)len) == 0);
    free(ask);
}

TEST(streams_are_reset_both_ways)
{
    struct bench b;

    meet(&b, 24, WE_CONNECT);
    reset_theirs(&b, 3);
    CHECK("told", bench_run_until(&b, &b.is_reset, 10 * SECOND));
    CHECK("ours", sctp_reset_stream(b.ours, now, 3) == ERR_OK);
    for (int i = 0; i < 100; i++)
        bench_step(&b);
    CHECK("used again from SSN 0", bench_echo_all(&b, 20000, 60 * SECOND));
    bench_deinit(&b);
}

/* What was agreed is what both use, and nothing else. */
static void check_terms(const struct bench *b)
{
    bool is_woven = !(terms->without & SCTP_I_DATA) && terms->they_interleave;
    bool may_give_up = !(terms->without & SCTP_FORWARD_TSN) && terms->they_give_up;

    CHECK(terms->claim, sctp_has(b->ours, SCTP_I_DATA) == is_woven);
    CHECK(terms->claim, sctp_has(b->ours, SCTP_FORWARD_TSN) == may_give_up);
    CHECK("without DTLS no zero checksums", !sctp_has(b->ours, SCTP_ZERO_CHECKSUM));
    for (int i = 0; i < 2; i++) {
        CHECK(terms->claim, (b->chunks[i][CHUNK_I_DATA] > 0) == is_woven);
        CHECK(terms->claim, (b->chunks[i][CHUNK_DATA] > 0) == !is_woven);
        CHECK(terms->claim,
              !(is_woven ? b->chunks[i][CHUNK_FORWARD_TSN] : b->chunks[i][CHUNK_I_FORWARD_TSN]));
        CHECK("nothing of ours alone", !b->chunks[i][CHUNK_PART]);
    }
}

TEST(each_extension_on_and_off)
{
    static const struct link links[] = { { .delay_us = 5000 }, { 10000, 10000, 30000, 50000 } };

    for (terms = all_terms; terms < all_terms + COUNT(all_terms); terms++)
        for (int who = WE_CONNECT; who <= (WE_CONNECT | THEY_CONNECT); who++)
            for (size_t i = 0; i < COUNT(links); i++) {
                struct bench b;

                CHECK(terms->claim, bench_init(&b, i + 1, &links[i], who));
                CHECK(terms->claim, bench_run_until(&b, &b.is_up, 60 * SECOND));
                CHECK(terms->claim,
                      bench_echo_all(&b, STREAM_BYTES >> 2 * i, (usec)mebibytes() * 600 * SECOND));
                check_terms(&b);
                sctp_shutdown(b.ours, now);
                CHECK("closed", bench_run_until(&b, &b.is_closed, 60 * SECOND));
                CHECK("cleanly", b.closed.reason == SCTP_REASON_SHUTDOWN);
                bench_deinit(&b);
            }
    terms = &all_terms[0];
}

/* They send messages that are given up once lost, and one at the end that is not. */
static void send_theirs_lossy(struct bench *b, unsigned i, bool is_last)
{
    static uint8_t message[5000];
    struct sctp_sendv_spa spa = {
        .sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID,
        .sendv_sndinfo = { .snd_sid = 1,
                           .snd_ppid = htonl(is_last ? 99 : 53),
                           .snd_flags = i & 1 && !is_last ? SCTP_UNORDERED : 0 },
        .sendv_prinfo = { .pr_policy = is_last ? SCTP_PR_SCTP_NONE : SCTP_PR_SCTP_RTX },
    };

    message[0] = (uint8_t)i;
    (void)usrsctp_sendv(b->theirs, message, 500 + i % 10 * 450, NULL, 0, &spa, sizeof spa,
                        SCTP_SENDV_SPA, 0);
}

TEST(what_they_give_up_is_passed_over)
{
    enum { MESSAGES = 400 };

    for (int interleaves = 0; interleaves < 2; interleaves++) {
        struct bench b;

        terms = &all_terms[!interleaves];
        meet(&b, 31, THEY_CONNECT);
        b.link.loss_ppm = 150000;
        b.received[1] = b.sent[1] = 0;
        for (unsigned i = 0; i < MESSAGES; i++) {
            send_theirs_lossy(&b, i, false);
            for (int k = 0; k < 10; k++)
                bench_step(&b);
        }
        send_theirs_lossy(&b, 0, true);
        b.link.loss_ppm = 0;
        for (int i = 0; i < 60000 && b.last_ppid != 99; i++)
            bench_step(&b);
        CHECK("the last one came", b.last_ppid == 99);
        CHECK("they gave up", b.chunks[1][interleaves ? CHUNK_I_FORWARD_TSN : CHUNK_FORWARD_TSN]);
        CHECK("not all came", b.received[1] < MESSAGES * 2525u);
        CHECK("most did", b.received[1] > MESSAGES * 2525u / 4);
        CHECK("alive", !b.is_closed);
        bench_deinit(&b);
    }
    terms = &all_terms[0];
}

/* And the other way: theirs echo what arrives, so that what is missing there is missing here. */
TEST(what_we_give_up_they_pass_over)
{
    static uint8_t message[5000];

    for (int interleaves = 0; interleaves < 2; interleaves++) {
        struct sctp_message m = { .stream = 1, .ppid = 53, .give_up_at = USEC_NEVER };
        struct bench b;

        terms = &all_terms[!interleaves];
        meet(&b, 32, WE_CONNECT);
        b.link.loss_ppm = 150000;
        for (unsigned i = 0; i < 400; i++) {
            m.is_unordered = i & 1;
            (void)sctp_send_message(b.ours, now, &m, bytes_of(message, 500 + i % 10 * 450));
            for (int k = 0; k < 10; k++)
                bench_step(&b);
        }
        b.link.loss_ppm = 0;
        CHECK("sent", sctp_send(b.ours, now, 1, 99, bytes_of(message, 10)) == ERR_OK);
        for (int i = 0; i < 60000 && b.last_ppid != 99; i++)
            bench_step(&b);
        CHECK("the last one came back", b.last_ppid == 99);
        CHECK("we gave up", b.chunks[0][interleaves ? CHUNK_I_FORWARD_TSN : CHUNK_FORWARD_TSN]);
        CHECK("alive", !b.is_closed);
        bench_deinit(&b);
    }
    terms = &all_terms[0];
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ROW(eight_streams_are_echoed),
        TEST_ROW(each_extension_on_and_off),
        TEST_ROW(what_they_give_up_is_passed_over),
        TEST_ROW(what_we_give_up_they_pass_over),
        TEST_ROW(they_shut_down),
        TEST_ROW(they_abort),
        TEST_ROW(we_abort),
        TEST_ROW(streams_are_reset_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    int failed;

    usrsctp_init_nothreads(0, on_their_output, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);
    usrsctp_sysctl_set_sctp_no_csum_on_loopback(0);
    failed = run_all();
    usrsctp_finish();
    return failed;
}

#include "core/sctp/cookie.h"
#include "core/sctp/sctp.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

static const struct sctp_config defaults;

TEST(both_sides_may_connect_at_once)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct sctp_pair p;

        CHECK("made", pair_init(&p, seed, &defaults));
        p.link.delay_us = 10 * MILLISECOND;
        p.link.jitter_us = seed % 2 ? 15 * MILLISECOND : 0;
        sctp_connect(p.side[0].sctp, p.now);
        p.now += (usec)(seed % 5) * 5 * MILLISECOND;
        sctp_connect(p.side[1].sctp, p.now);
        CHECK("up", pair_run_until_up(&p, p.now + 10 * SECOND));
        CHECK("usable", pair_transfer(&p, 0, 3, 20000, 3000, p.now + 10 * SECOND));
        CHECK("both ways", pair_transfer(&p, 1, 3, 20000, 3000, p.now + 10 * SECOND));
        CHECK("up once", p.side[0].ups == 1 && p.side[1].ups == 1);
        CHECK("none closed", !p.side[0].is_closed && !p.side[1].is_closed);
        pair_deinit(&p);
    }
}

/* Takes away the n-th packet of the whole exchange. */
struct nth {
    int left;
};

static bool drop_nth(void *ctx, int from, struct bytes packet)
{
    struct nth *n = ctx;

    (void)from;
    (void)packet;
    return n->left-- != 0;
}

TEST(any_packet_of_the_handshake_may_be_lost)
{
    for (int both = 0; both < 2; both++)
        for (int lost = 0; lost < 10; lost++) {
            struct sctp_pair p;
            struct nth nth = { lost };

            CHECK("made", pair_init(&p, 7, &defaults));
            p.tap = drop_nth;
            p.tap_ctx = &nth;
            sctp_connect(p.side[0].sctp, p.now);
            if (both)
                sctp_connect(p.side[1].sctp, p.now);
            CHECK("up", pair_run_until_up(&p, p.now + 5 * SECOND));
            CHECK("usable", pair_transfer(&p, 1, 1, 1000, 1000, p.now + 10 * SECOND));
            pair_deinit(&p);
        }
}

TEST(nobody_answers)
{
    struct sctp_config cfg = { .retransmits_max = 4 };
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 8, &cfg));
    p.is_cut = true;
    sctp_connect(p.side[0].sctp, p.now);
    CHECK("comes to rest", pair_run(&p, p.now + 1000 * SECOND));
    CHECK("told", p.side[0].is_closed && p.side[0].closed.reason == SCTP_REASON_TIMEOUT);
    CHECK("one INIT and four more", p.side[0].packets_out == 5);
    CHECK("1 + 2 + 4 + 8 + 10 s", p.now == SECOND + 25 * SECOND);
    CHECK("over", sctp_connect(p.side[0].sctp, p.now) == ERR_WRONG_STATE);
    pair_deinit(&p);
}

TEST(messages_may_be_queued_before)
{
    struct sctp_pair p;

    CHECK("made", pair_init(&p, 9, &defaults));
    p.link.delay_us = 50 * MILLISECOND;
    CHECK("taken", pair_send(&p, 0, 0, 51, bytes_of("early", 5)) == ERR_OK);
    sctp_connect(p.side[0].sctp, p.now);
    pair_run(&p, SECOND + 150 * MILLISECOND);
    CHECK("arrives with COOKIE ECHO", p.side[1].received[0].messages == 1);
    pair_run(&p, p.now + SECOND);
    CHECK("once", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

TEST(data_rides_again_with_a_lost_cookie_echo)
{
    struct sctp_pair p;
    struct nth nth = { 2 };

    CHECK("made", pair_init(&p, 9, &defaults));
    pair_send(&p, 0, 0, 51, bytes_of("early", 5));
    p.tap = drop_nth;
    p.tap_ctx = &nth;
    sctp_connect(p.side[0].sctp, p.now);
    CHECK("up", pair_run_until_up(&p, p.now + SECOND));
    CHECK("there by then", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

/* Keeps the last packet of a type that a side sent. */
struct keep {
    uint8_t type, bytes[2048];
    int from;
    size_t len;
    bool is_taken_away;
};

static bool keep_packet(void *ctx, int from, struct bytes packet)
{
    struct keep *k = ctx;

    if (from != k->from || packet.data[12] != k->type)
        return true;
    memcpy(k->bytes, packet.data, packet.len);
    k->len = packet.len;
    return !k->is_taken_away;
}

TEST(a_cookie_grows_stale)
{
    struct sctp_pair p;
    struct keep echo = { .type = 10, .from = 0, .is_taken_away = true };
    struct keep error = { .type = 9, .from = 1 };

    CHECK("made", pair_init(&p, 10, &defaults));
    p.tap = keep_packet;
    p.tap_ctx = &echo;
    sctp_connect(p.side[0].sctp, p.now);
    pair_run(&p, p.now + SECOND / 2);
    CHECK("COOKIE ECHO held back", echo.len > 0);
    p.now += 61 * SECOND;
    p.tap_ctx = &error;
    CHECK("too late",
          sctp_input(p.side[1].sctp, p.now, bytes_of(echo.bytes, echo.len)) == VERDICT_UNEXPECTED);
    pair_drain(&p);
    CHECK("told: stale cookie", error.len >= 24 && error.bytes[17] == 3);
    CHECK("the peer begins anew", pair_run_until_up(&p, p.now + 10 * SECOND));
    pair_deinit(&p);
}

TEST(forged_cookies_are_dropped)
{
    struct sctp_pair p;
    struct keep echo = { .type = 10, .from = 0 };

    CHECK("made", pair_init(&p, 11, &defaults));
    p.tap = keep_packet;
    p.tap_ctx = &echo;
    sctp_connect(p.side[0].sctp, p.now);
    echo.is_taken_away = true;
    pair_run(&p, p.now + SECOND / 2);
    for (size_t i = 16; i < 16 + COOKIE_LEN; i += 7) {
        echo.bytes[i] ^= 4;
        pair_seal(echo.bytes, echo.len);
        CHECK("forged",
              sctp_input(p.side[1].sctp, p.now, bytes_of(echo.bytes, echo.len)) == VERDICT_FORGED);
        echo.bytes[i] ^= 4;
    }
    CHECK("nothing came of it", !sctp_is_up(p.side[1].sctp));
    pair_seal(echo.bytes, echo.len);
    CHECK("the true one is good",
          sctp_input(p.side[1].sctp, p.now, bytes_of(echo.bytes, echo.len)) == VERDICT_TAKEN);
    CHECK("up", sctp_is_up(p.side[1].sctp));
    CHECK("and again",
          sctp_input(p.side[1].sctp, p.now, bytes_of(echo.bytes, echo.len)) == VERDICT_TAKEN);
    pair_deinit(&p);
}

/* A third association plays the restarted peer. */
static struct sctp *newcomer(struct sctp_pair *p, struct out *out, void *buf, size_t cap)
{
    struct sctp_config cfg = { .pool = p->side[0].pool };
    struct sctp *s;

    CHECK("made", sctp_new(&s, &cfg, &p->rng) == ERR_OK);
    sctp_connect(s, p->now);
    out_init(out, buf, cap);
    CHECK("INIT", sctp_poll_output(s, p->now, out) && out->count == 1);
    return s;
}

static void answer(struct sctp_pair *p, int side, struct sctp *to)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct out out;

    out_init(&out, buf, sizeof buf);
    while (sctp_poll_output(p->side[side].sctp, p->now, &out)) {
        for (size_t i = 0; i < out.count; i++)
            sctp_input(to, p->now, out_datagram(&out, i));
        out_init(&out, buf, sizeof buf);
    }
}

TEST(a_restarted_peer_ends_the_association)
{
    struct sctp_pair p;
    uint8_t buf[4096];
    struct out out;
    struct sctp_event ev;
    struct sctp *again;

    CHECK("made", pair_init(&p, 12, &defaults));
    sctp_connect(p.side[0].sctp, p.now);
    CHECK("up", pair_run_until_up(&p, p.now + SECOND));
    again = newcomer(&p, &out, buf, sizeof buf);
    CHECK("INIT alone harms nobody",
          sctp_input(p.side[1].sctp, p.now, out_datagram(&out, 0)) == VERDICT_TAKEN);
    CHECK("still up", sctp_is_up(p.side[1].sctp));
    answer(&p, 1, again);
    out_init(&out, buf, sizeof buf);
    CHECK("COOKIE ECHO", sctp_poll_output(again, p.now, &out));
    sctp_input(p.side[1].sctp, p.now, out_datagram(&out, 0));
    answer(&p, 1, again);
    pair_drain(&p);
    CHECK("closed", p.side[1].is_closed && p.side[1].closed.reason == SCTP_REASON_PROTOCOL);
    while (sctp_poll_event(again, &ev))
        ;
    CHECK("the newcomer is told",
          ev.type == SCTP_EVENT_CLOSED && ev.reason == SCTP_REASON_PEER_ABORT);
    sctp_free(again);
    pair_deinit(&p);
}

static const struct {
    const char *claim, *init;
    enum verdict verdict;
    uint8_t answer;  /* the chunk type of what comes back; 0xff: nothing */
    size_t reported; /* length of the unrecognized parameter in it */
} inits[] = {
    { "plain", "01000014 00000001 00100000 0001 0001 00000001", VERDICT_TAKEN, 2, 0 },
    { "tag zero", "01000014 00000000 00100000 0001 0001 00000001", VERDICT_MALFORMED, 0xff, 0 },
    { "no streams in", "01000014 00000001 00100000 0001 0000 00000001", VERDICT_MALFORMED, 0xff,
      0 },
    { "no streams out", "01000014 00000001 00100000 0000 0001 00000001", VERDICT_MALFORMED, 0xff,
      0 },
    { "cut", "01000010 00000001 00100000 0001 0001", VERDICT_MALFORMED, 0xff, 0 },
    { "unknown parameter reported", "01000018 00000001 00100000 0001 0001 00000001 c0ee0004",
      VERDICT_TAKEN, 2, 8 },
    { "another chunk behind it", "01000014 00000001 00100000 0001 0001 00000001 0b000004",
      VERDICT_MALFORMED, 0xff, 0 },
};

TEST(inits_are_answered_without_state)
{
    for (size_t i = 0; i < COUNT(inits); i++) {
        struct sctp_pair p;
        struct keep any = { .type = inits[i].answer, .from = 1 };

        CHECK("made", pair_init(&p, 14, &defaults));
        p.tap = keep_packet;
        p.tap_ctx = &any;
        p.is_cut = true;
        CHECK(inits[i].claim, pair_inject_hex(&p, 1, inits[i].init) == inits[i].verdict);
        pair_drain(&p);
        CHECK(inits[i].claim, p.side[1].packets_out == (inits[i].answer != 0xff));
        CHECK(inits[i].claim, inits[i].answer == 0xff || any.len > 0);
        if (inits[i].reported)
            CHECK("at its end", any.len > 8 && any.bytes[any.len - 8] == 0 &&
                                    any.bytes[any.len - 7] == 8 && any.bytes[any.len - 4] == 0xc0);
        CHECK("no timer runs", sctp_next_timeout(p.side[1].sctp) == USEC_NEVER);
        pair_deinit(&p);
    }
}

TEST(a_flood_of_inits_is_bounded)
{
    struct sctp_pair p;
    unsigned refused = 0;

    CHECK("made", pair_init(&p, 15, &defaults));
    for (int i = 0; i < 1000; i++)
        refused += pair_inject_hex(&p, 1, inits[0].init) == VERDICT_LIMIT;
    CHECK("most are not answered", refused > 900);
    CHECK("no more than a few blocks", pool_used(p.side[1].pool) <= 2);
    pair_deinit(&p);
}

static const struct {
    const char *claim, *chunks;
    int answer; /* chunk type, or -1 */
} blue[] = {
    { "DATA", "00030011 00000001 0000 0000 00000033 ff000000", 6 },
    { "SACK", "03000010 00000001 00010000 0000 0000", 6 },
    { "SHUTDOWN ACK", "08000004", 14 },
    { "ABORT", "06000004", -1 },
    { "SHUTDOWN COMPLETE", "0e000004", -1 },
    { "COOKIE ACK", "0b000004", -1 },
    { "ERROR", "09000004", -1 },
};

TEST(packets_out_of_the_blue)
{
    for (size_t i = 0; i < COUNT(blue); i++) {
        struct sctp_pair p;
        struct keep any = { .type = (uint8_t)blue[i].answer, .from = 1 };

        CHECK("made", pair_init(&p, 16, &defaults));
        p.tap = keep_packet;
        p.tap_ctx = &any;
        p.is_cut = true;
        p.tag[1] = 0x12345678;
        CHECK(blue[i].claim, pair_inject_hex(&p, 1, blue[i].chunks) == VERDICT_FORGED);
        pair_drain(&p);
        CHECK(blue[i].claim, p.side[1].packets_out == (blue[i].answer >= 0));
        if (blue[i].answer >= 0)
            CHECK("with the tag reflected", any.len >= 16 && any.bytes[13] == 1 &&
                                                any.bytes[4] == 0x12 && any.bytes[7] == 0x78);
        pair_deinit(&p);
    }
}

TESTS(TEST_ROW(both_sides_may_connect_at_once), TEST_ROW(any_packet_of_the_handshake_may_be_lost),
      TEST_ROW(nobody_answers), TEST_ROW(messages_may_be_queued_before),
      TEST_ROW(data_rides_again_with_a_lost_cookie_echo), TEST_ROW(a_cookie_grows_stale),
      TEST_ROW(forged_cookies_are_dropped), TEST_ROW(a_restarted_peer_ends_the_association),

      TEST_ROW(inits_are_answered_without_state), TEST_ROW(a_flood_of_inits_is_bounded),
      TEST_ROW(packets_out_of_the_blue))

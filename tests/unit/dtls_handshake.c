/* Two associations of ours: every datagram of the handshake lost, doubled, delayed or altered. */
#include "tests/check.h"
#include "tests/support/dtls_pair.h"
#include "tests/support/rng.h"

#include <openssl/err.h>

static struct dtls_pair pair;

/* What the wire does to the letter whose index is `nth`. */
struct trouble {
    size_t nth;
    unsigned copies;
    usec delay_us;
    size_t flip_at; /* SIZE_MAX: no byte is altered */
    bool hit;
};

static void make_trouble(void *ctx, struct dtls_letter *letter)
{
    struct trouble *t = ctx;

    if (letter->index != t->nth)
        return;
    letter->copies = t->copies;
    letter->at += t->delay_us;
    if (t->flip_at < letter->len) {
        letter->data[t->flip_at] ^= 0x10;
        t->hit = true;
    }
    if (t->flip_at == SIZE_MAX)
        t->hit = true;
}

static bool both_up(void)
{
    return pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up && !pair.seen[CLIENT].has_ended &&
           !pair.seen[SERVER].has_ended;
}

static bool both_hear(const char *text)
{
    struct bytes packet = bytes_of_string(text);

    if (dtls_pair_send(&pair, CLIENT, packet) || dtls_pair_send(&pair, SERVER, packet))
        return false;
    dtls_pair_run(&pair, pair.now + SECOND);
    return bytes_equal(pair.seen[CLIENT].last, packet) &&
           bytes_equal(pair.seen[SERVER].last, packet);
}

/* Runs one handshake under trouble; true while the trouble met a letter. */
static bool survives(struct trouble t, size_t mtu, const char *claim)
{
    dtls_pair_init(&pair, mtu);
    pair.meddle = make_trouble;
    pair.ctx = &t;
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK(claim, both_up());
    pair.meddle = NULL; /* the handshake is what this is about */
    CHECK("then data passes both ways", both_hear("after trouble"));
    CHECK("no error is left behind", ERR_peek_error() == 0);
    dtls_pair_deinit(&pair);
    return t.hit;
}

TEST(handshake_over_a_good_wire)
{
    dtls_pair_init(&pair, 0);
    CHECK("an idle one has no timer", dtls_next_timeout(pair.end[CLIENT]) == USEC_NEVER);
    CHECK("cannot seal before it is up",
          dtls_pair_send(&pair, CLIENT, bytes_of_string("x")) == ERR_WRONG_STATE);
    dtls_pair_start(&pair);
    CHECK("the first flight waits max(50 ms, 2 x rtt)",
          dtls_next_timeout(pair.end[CLIENT]) == pair.now + 50 * MILLISECOND);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("comes up in two round trips", both_up() && pair.now == SECOND + 4 * DTLS_PAIR_DELAY_US);
    CHECK("without sending anything twice", pair.sent <= 5);
    CHECK("data passes", both_hear("hello"));
    CHECK("no timer is left", dtls_next_timeout(pair.end[SERVER]) == USEC_NEVER);
    dtls_pair_deinit(&pair);
}

TEST(every_datagram_lost)
{
    for (size_t nth = 0; survives((struct trouble){ .nth = nth, .flip_at = SIZE_MAX }, 0, "lost");)
        nth++;
    for (size_t nth = 0;
         survives((struct trouble){ .nth = nth, .flip_at = SIZE_MAX }, 256, "lost, small MTU");)
        nth++;
}

TEST(every_datagram_doubled)
{
    for (size_t nth = 0;
         survives((struct trouble){ .nth = nth, .copies = 2, .flip_at = SIZE_MAX }, 256, "twice");)
        nth++;
}

TEST(every_datagram_late)
{
    static const usec delays[] = { 1 * MILLISECOND, 35 * MILLISECOND, 300 * MILLISECOND };

    for (size_t i = 0; i < COUNT(delays); i++)
        for (size_t nth = 0; survives(
                 (struct trouble){
                     .nth = nth, .copies = 1, .delay_us = delays[i], .flip_at = SIZE_MAX },
                 400, "late");)
            nth++;
}

/* The client says something the moment it can; true while the trouble met a letter. */
static bool says_early(struct trouble t, size_t mtu, const char *claim)
{
    struct bytes word = bytes_of_string("early");
    usec said_at = USEC_NEVER;

    dtls_pair_init_as(&pair, mtu, true);
    pair.meddle = make_trouble;
    pair.ctx = &t;
    dtls_pair_start(&pair);
    for (usec until = SECOND; until < 10 * SECOND && said_at == USEC_NEVER; until += MILLISECOND) {
        dtls_pair_run(&pair, until);
        if (!pair.seen[CLIENT].has_keys)
            continue;
        said_at = pair.now;
        CHECK("it can be sealed", dtls_pair_send(&pair, CLIENT, word) == ERR_OK);
    }
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK(claim, both_up());
    if (t.nth == SIZE_MAX)
        CHECK("it was said after one round trip, and heard",
              said_at <= SECOND + 2 * DTLS_PAIR_DELAY_US + MILLISECOND &&
                  bytes_equal(pair.seen[SERVER].last, word));
    pair.meddle = NULL;
    CHECK("then data passes both ways", both_hear("after trouble"));
    dtls_pair_deinit(&pair);
    return t.hit;
}

/* RFC 7918: whatever happens to a datagram, early data included, both come up. */
TEST(a_client_may_speak_before_the_server_has_finished)
{
    static const usec delays[] = { 1 * MILLISECOND, 35 * MILLISECOND, 300 * MILLISECOND };

    (void)says_early((struct trouble){ .nth = SIZE_MAX, .flip_at = SIZE_MAX }, 0, "a good wire");
    for (size_t nth = 0;
         says_early((struct trouble){ .nth = nth, .flip_at = SIZE_MAX }, 256, "lost");)
        nth++;
    for (size_t i = 0; i < COUNT(delays); i++)
        for (size_t nth = 0; says_early(
                 (struct trouble){
                     .nth = nth, .copies = 1, .delay_us = delays[i], .flip_at = SIZE_MAX },
                 400, "late");)
            nth++;
}

/* What it says goes to whoever holds the key of the certificate that was promised, or nowhere. */
TEST(nobody_speaks_early_to_a_stranger)
{
    struct dtls_config cfg = { .identity = dtls_pair_identity(CLIENT), .false_start = true };
    uint64_t seed = 3;
    struct rng rng = test_rng(&seed);

    dtls_pair_init_as(&pair, 0, true);
    dtls_free(pair.end[CLIENT]); /* the new one was promised another certificate */
    CHECK("made", dtls_new(&pair.end[CLIENT], &cfg, &rng) == ERR_OK);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 60 * SECOND);
    CHECK("it never could", !pair.seen[CLIENT].has_keys && pair.seen[CLIENT].has_ended &&
                                pair.seen[CLIENT].reason == DTLS_REASON_FINGERPRINT);
    dtls_pair_deinit(&pair);
}

/* A handshake's first flights are in the clear: an altered one is told from an attack by nobody, so
 * it may end the handshake, but on both sides, in time, and with nothing worse. */
TEST(any_altered_byte)
{
    struct trouble t = { .copies = 1 };
    bool in_time = true, clean = true;

    do {
        for (t.flip_at = 0, t.hit = true; t.hit; t.flip_at += 5) {
            t.hit = false;
            dtls_pair_init(&pair, 0);
            pair.meddle = make_trouble;
            pair.ctx = &t;
            dtls_pair_start(&pair);
            dtls_pair_run(&pair, 1000 * SECOND);
            clean = clean && ERR_peek_error() == 0;
            for (int end = CLIENT; end <= SERVER; end++)
                in_time =
                    in_time && (pair.seen[end].is_up || pair.seen[end].has_ended ||
                                (end == SERVER && dtls_next_timeout(pair.end[end]) == USEC_NEVER));
            dtls_pair_deinit(&pair);
        }
    } while (t.flip_at > 5 && ++t.nth);
    CHECK("every datagram of a handshake was tried", t.nth >= 4);
    CHECK("up, ended, or a server still without a ClientHello", in_time);
    CHECK("no error is left behind", clean);
}

/* The server's last flight is its ChangeCipherSpec, 14 bytes, and its sealed Finished. */
TEST(altered_finished_is_a_lost_one)
{
    size_t last;

    dtls_pair_init(&pair, 0);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    last = pair.sent - 1;
    dtls_pair_deinit(&pair);
    for (size_t at = 14 + 13; at < 14 + 13 + 40; at++)
        CHECK("altered", survives((struct trouble){ .nth = last, .copies = 1, .flip_at = at }, 0,
                                  "comes up by the next sending"));
}

TEST(wrong_fingerprint_fails_both_sides)
{
    uint64_t seed = 11;
    struct rng rng = test_rng(&seed);

    for (int who = CLIENT; who <= SERVER; who++) {
        struct dtls_config cfg = { .role = who == CLIENT ? DTLS_CLIENT : DTLS_SERVER };

        dtls_pair_init(&pair, 0);
        dtls_free(pair.end[who]);
        cfg.identity = pair.identity[who];
        memcpy(cfg.remote_fingerprint, dtls_identity_fingerprint(pair.identity[!who]), 32);
        cfg.remote_fingerprint[0] ^= 1;
        CHECK("made", dtls_new(&pair.end[who], &cfg, &rng) == ERR_OK);
        dtls_pair_start(&pair);
        dtls_pair_run(&pair, 10 * SECOND);
        CHECK("the one who sees it", pair.seen[who].end == DTLS_EVENT_FAILED &&
                                         pair.seen[who].reason == DTLS_REASON_FINGERPRINT);
        CHECK("the one who is told", pair.seen[!who].end == DTLS_EVENT_FAILED &&
                                         pair.seen[!who].reason == DTLS_REASON_ALERT);
        CHECK("neither was ever up", !pair.seen[CLIENT].is_up && !pair.seen[SERVER].is_up);
        dtls_pair_deinit(&pair);
    }
}

TESTS(TEST_ROW(handshake_over_a_good_wire), TEST_ROW(every_datagram_lost),
      TEST_ROW(every_datagram_doubled), TEST_ROW(every_datagram_late), TEST_ROW(any_altered_byte),
      TEST_ROW(altered_finished_is_a_lost_one), TEST_ROW(wrong_fingerprint_fails_both_sides),
      TEST_ROW(a_client_may_speak_before_the_server_has_finished),
      TEST_ROW(nobody_speaks_early_to_a_stranger))

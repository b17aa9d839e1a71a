/* Two associations of ours: every datagram of the handshake lost, doubled, delayed or altered. */
#include "tests/check.h"
#include "tests/support/dtls_pair.h"

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

TESTS(TEST_ROW(handshake_over_a_good_wire), TEST_ROW(every_datagram_lost),
      TEST_ROW(every_datagram_doubled), TEST_ROW(every_datagram_late))

/* The flight timer: our clock, whatever the wall clock does; the last flight, which has none. */
#include "tests/check.h"
#include "tests/support/dtls_pair.h"

#include <sys/time.h>

/* Takes the place of the C library's for OpenSSL, which dates its timers with it. */
static int64_t wall_s = 1700000000;
static unsigned wall_reads;

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv,
                                                        void *restrict zone);

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    wall_reads++;
    *tv = (struct timeval){ .tv_sec = wall_s };
    return 0;
}

static struct dtls_pair pair;

static void lose_all(void *ctx, struct dtls_letter *letter)
{
    (void)ctx;
    letter->copies = 0;
}

TEST(flights_are_repeated_by_our_clock)
{
    static const struct {
        const char *claim;
        int64_t step_s; /* of the wall clock, before each of our deadlines */
    } rows[] = {
        { "wall clock at rest", 0 },
        { "wall clock leaps ahead", 7200 },
        { "wall clock leaps back", -7200 },
        { "wall clock falls to 1970", -1700000000 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        usec at, interval = 50 * MILLISECOND;
        bool as_planned = true;

        wall_s = 1700000000;
        dtls_pair_init(&pair, 0);
        pair.meddle = lose_all;
        dtls_start(pair.end[CLIENT], pair.now);
        dtls_pair_drain(&pair, CLIENT);
        at = pair.now + interval;
        for (size_t sent = 1; sent <= 12; sent++) {
            wall_s += wall_s + rows[i].step_s >= 0 ? rows[i].step_s : 0;
            dtls_tick(pair.end[CLIENT], at - 1);
            dtls_pair_drain(&pair, CLIENT);
            as_planned =
                as_planned && pair.sent == sent && dtls_next_timeout(pair.end[CLIENT]) == at;
            dtls_tick(pair.end[CLIENT], at);
            dtls_pair_drain(&pair, CLIENT);
            as_planned = as_planned && pair.sent == sent + 1;
            interval = usec_min(2 * interval, 60 * SECOND);
            at += interval;
        }
        CHECK(rows[i].claim, as_planned && !pair.seen[CLIENT].has_ended);
        dtls_tick(pair.end[CLIENT], at);
        dtls_pair_drain(&pair, CLIENT);
        CHECK("after twelve resends it gives up",
              pair.seen[CLIENT].has_ended && pair.seen[CLIENT].end == DTLS_EVENT_FAILED &&
                  pair.seen[CLIENT].reason == DTLS_REASON_TIMEOUT);
        CHECK("and is at rest", dtls_next_timeout(pair.end[CLIENT]) == USEC_NEVER);
        dtls_pair_deinit(&pair);
    }
    wall_s = 1700000000;
    CHECK("it was this wall clock that OpenSSL looked at", wall_reads > 0);
}

TEST(stepped_clock_resends_nothing_by_itself)
{
    size_t sent_steadily;

    dtls_pair_init(&pair, 256);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    sent_steadily = pair.sent;
    dtls_pair_deinit(&pair);

    dtls_pair_init(&pair, 256);
    dtls_pair_start(&pair);
    for (int i = 0; i < 100; i++) {
        wall_s += 3600;
        dtls_pair_run(&pair, pair.now + MILLISECOND);
        pair.now += MILLISECOND;
    }
    CHECK("up all the same", pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up);
    CHECK("with not one datagram more", pair.sent == sent_steadily);
    dtls_pair_deinit(&pair);
}

TEST(round_trip_sets_the_timer)
{
    dtls_pair_init(&pair, 0);
    dtls_set_rtt(pair.end[CLIENT], 10 * MILLISECOND);
    dtls_pair_start(&pair);
    CHECK("never below 50 ms", dtls_next_timeout(pair.end[CLIENT]) == pair.now + 50 * MILLISECOND);
    dtls_set_rtt(pair.end[CLIENT], 130 * MILLISECOND);
    CHECK("a new measurement counts for the flight under way",
          dtls_next_timeout(pair.end[CLIENT]) == pair.now + 260 * MILLISECOND);
    dtls_pair_deinit(&pair);
}

struct burst {
    size_t from, to; /* indexes of letters that are lost */
};

static void lose_burst(void *ctx, struct dtls_letter *letter)
{
    struct burst *b = ctx;

    if (letter->index >= b->from && letter->index < b->to)
        letter->copies = 0;
}

TEST(last_flight_is_repeated_when_the_peer_repeats_its_own)
{
    struct burst burst = { SIZE_MAX, SIZE_MAX };
    size_t last;

    dtls_pair_init(&pair, 0);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    last = pair.sent - 1; /* the server's ChangeCipherSpec and Finished */
    dtls_pair_deinit(&pair);

    dtls_pair_init(&pair, 0);
    pair.meddle = lose_burst;
    pair.ctx = &burst;
    burst = (struct burst){ last, last + 1 };
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, pair.now + 4 * DTLS_PAIR_DELAY_US);
    CHECK("the server is up, the client is not, and the wire is silent",
          pair.seen[SERVER].is_up && !pair.seen[CLIENT].is_up && pair.letter_count == 0);
    CHECK("the server has no timer for it", dtls_next_timeout(pair.end[SERVER]) == USEC_NEVER);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("the client asks again and is answered", pair.seen[CLIENT].is_up);
    CHECK("data passes", !dtls_pair_send(&pair, CLIENT, bytes_of_string("x")) &&
                             (dtls_pair_run(&pair, 20 * SECOND), pair.seen[SERVER].packets == 1));
    dtls_pair_deinit(&pair);
}

TEST(last_flight_lost_again_and_again)
{
    struct burst burst = { 0, 0 };

    dtls_pair_init(&pair, 0);
    pair.meddle = lose_burst;
    pair.ctx = &burst;
    dtls_pair_start(&pair);
    while (!pair.seen[SERVER].is_up)
        dtls_pair_run(&pair, pair.now + MILLISECOND), pair.now += MILLISECOND;
    pair.letter_count = 0; /* its last flight, the first time */
    burst = (struct burst){ pair.sent, pair.sent + 6 };
    dtls_pair_run(&pair, 60 * SECOND);
    CHECK("comes up in the end", pair.seen[CLIENT].is_up && !pair.seen[SERVER].has_ended);
    dtls_pair_deinit(&pair);
}

TESTS(TEST_ROW(flights_are_repeated_by_our_clock),
      TEST_ROW(stepped_clock_resends_nothing_by_itself), TEST_ROW(round_trip_sets_the_timer),
      TEST_ROW(last_flight_is_repeated_when_the_peer_repeats_its_own),
      TEST_ROW(last_flight_lost_again_and_again))

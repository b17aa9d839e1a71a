/* Flights as datagrams: how many, how long, told apart, replaced; made before there is a path, and
 * carried several times over several ways. */
#include "tests/check.h"
#include "tests/support/dtls_pair.h"

static struct dtls_pair pair;

/* What the wire saw of each direction, and what it does. */
struct wire {
    size_t datagrams[2], longest; /* by receiver */
    unsigned copies;
    size_t lost; /* index of a letter */
};

static void watch(void *ctx, struct dtls_letter *letter)
{
    struct wire *w = ctx;

    w->datagrams[letter->to]++;
    w->longest = letter->len > w->longest ? letter->len : w->longest;
    letter->copies = letter->index == w->lost ? 0 : w->copies;
}

static void begin(struct wire *w, size_t mtu)
{
    dtls_pair_init(&pair, mtu);
    pair.meddle = watch;
    pair.ctx = w;
}

static bool both_up(void)
{
    return pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up;
}

TEST(each_flight_is_one_datagram_that_fits_a_check)
{
    struct wire w = { .copies = 1, .lost = SIZE_MAX };

    begin(&w, 900);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("up", both_up());
    CHECK("two each", w.datagrams[CLIENT] == 2 && w.datagrams[SERVER] == 2);
    CHECK("with room to spare", w.longest <= 700);
    dtls_pair_deinit(&pair);
}

TEST(a_repeated_flight_is_as_compact)
{
    for (size_t lost = 0; lost < 4; lost++) {
        struct wire w = { .copies = 1, .lost = lost };

        begin(&w, 900);
        dtls_pair_start(&pair);
        dtls_pair_run(&pair, 10 * SECOND);
        CHECK("up", both_up());
        CHECK("a datagram or two more each way",
              w.datagrams[CLIENT] + w.datagrams[SERVER] <= 8 && w.longest <= 900);
        dtls_pair_deinit(&pair);
    }
}

TEST(records_are_joined_up_to_the_mtu)
{
    static const size_t mtus[] = { 256, 300, 400, 640, 900, 1200 };

    for (size_t i = 0; i < COUNT(mtus); i++) {
        for (size_t lost = 0; lost < 6; lost++) {
            struct wire w = { .copies = 1, .lost = lost };

            begin(&w, mtus[i]);
            dtls_pair_start(&pair);
            dtls_pair_run(&pair, 10 * SECOND);
            CHECK("up", both_up());
            CHECK("never beyond", w.longest <= mtus[i]);
            dtls_pair_deinit(&pair);
        }
    }
}

/* As several pairs of candidates do, and plain DTLS beside them. */
TEST(copies_cost_nothing)
{
    struct wire w = { .copies = 8, .lost = SIZE_MAX };

    begin(&w, 900);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("up", both_up());
    CHECK("at most one Finished more", w.datagrams[CLIENT] + w.datagrams[SERVER] <= 5);
    CHECK("in two round trips", pair.now <= SECOND + 5 * DTLS_PAIR_DELAY_US);
    dtls_pair_deinit(&pair);
}

static struct dtls_letter kept[2];

static void keep_flight(void *ctx, struct dtls_letter *letter)
{
    (void)ctx;
    if (letter->to == SERVER)
        kept[letter->index > 0] = *letter;
}

TEST(what_was_said_long_ago_is_not_answered)
{
    size_t sent;

    dtls_pair_init(&pair, 900);
    pair.meddle = keep_flight;
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("up", both_up());
    sent = pair.sent;
    for (int i = 0; i < 100; i++) {
        (void)dtls_input(pair.end[SERVER], pair.now, bytes_of(kept[1].data, kept[1].len));
        dtls_pair_drain(&pair, SERVER);
        (void)dtls_input(pair.end[SERVER], pair.now, bytes_of(kept[0].data, kept[0].len));
        dtls_pair_drain(&pair, SERVER);
    }
    CHECK("once, if at all", pair.sent <= sent + 1);
    dtls_pair_deinit(&pair);
}

TEST(the_timer_keeps_its_pace_among_copies)
{
    struct dtls_letter hello;

    dtls_pair_init(&pair, 900);
    pair.meddle = keep_flight;
    dtls_start(pair.end[CLIENT], pair.now);
    dtls_pair_drain(&pair, CLIENT);
    hello = kept[0];
    pair.letter_count = 0;
    dtls_start(pair.end[SERVER], pair.now);
    for (int i = 0; i < 50; i++) {
        (void)dtls_input(pair.end[SERVER], pair.now + i * MILLISECOND,
                         bytes_of(hello.data, hello.len));
        CHECK("counts from the first",
              dtls_next_timeout(pair.end[SERVER]) == pair.now + 50 * MILLISECOND);
        CHECK("one answer", dtls_flight(pair.end[SERVER]) == 1);
    }
    dtls_pair_deinit(&pair);
}

static struct out poll(int end)
{
    static uint8_t buf[DTLS_PAIR_RUN_MAX];
    struct out out;

    out_init(&out, buf, sizeof buf);
    (void)dtls_poll_output(pair.end[end], &out);
    return out;
}

TEST(nothing_piles_up_before_there_is_a_path)
{
    uint64_t flight;
    struct out out;

    dtls_pair_init(&pair, 900);
    CHECK("none yet", dtls_flight(pair.end[CLIENT]) == 0);
    dtls_start(pair.end[CLIENT], pair.now);
    CHECK("the first", dtls_flight(pair.end[CLIENT]) == 1);
    for (int i = 0; i < 6; i++) {
        flight = dtls_flight(pair.end[CLIENT]);
        pair.now = dtls_next_timeout(pair.end[CLIENT]);
        dtls_tick(pair.end[CLIENT], pair.now);
        CHECK("told apart", dtls_flight(pair.end[CLIENT]) == flight + 1);
    }
    out = poll(CLIENT);
    CHECK("one ClientHello waits", out.count == 1 && out.len < 200);
    CHECK("and then none", poll(CLIENT).count == 0);
    CHECK("its number stays", dtls_flight(pair.end[CLIENT]) == flight + 1);
    dtls_pair_deinit(&pair);
}

TEST(before_a_round_trip_is_known)
{
    struct dtls_config cfg = { .role = DTLS_CLIENT, .mtu = 900 };
    usec start = SECOND;

    dtls_pair_init(&pair, 900);
    dtls_free(pair.end[CLIENT]);
    cfg.identity = pair.identity[CLIENT];
    CHECK("made", dtls_new(&pair.end[CLIENT], &cfg, NULL) == ERR_OK);
    dtls_start(pair.end[CLIENT], start);
    CHECK("250 ms", dtls_next_timeout(pair.end[CLIENT]) == start + 250 * MILLISECOND);
    dtls_tick(pair.end[CLIENT], start + 250 * MILLISECOND);
    CHECK("then twice that", dtls_next_timeout(pair.end[CLIENT]) == start + 750 * MILLISECOND);
    dtls_set_rtt(pair.end[CLIENT], 40 * MILLISECOND);
    CHECK("a path: twice its round trip from the last sending",
          dtls_next_timeout(pair.end[CLIENT]) == start + 330 * MILLISECOND);
    dtls_tick(pair.end[CLIENT], start + 330 * MILLISECOND);
    CHECK("doubled", dtls_next_timeout(pair.end[CLIENT]) == start + 490 * MILLISECOND);
    dtls_set_rtt(pair.end[CLIENT], 10 * MILLISECOND);
    CHECK("later measurements do not hurry it",
          dtls_next_timeout(pair.end[CLIENT]) == start + 490 * MILLISECOND);
    dtls_pair_deinit(&pair);
}

/* The server's Finished is lost or late, and what it sends at once behind it comes first. */
static void data_overtakes(size_t packets, usec late_us)
{
    static uint8_t text[1000] = { 1 };
    struct wire w = { .copies = 1, .lost = SIZE_MAX };
    bool is_sent = false;

    begin(&w, 900);
    dtls_pair_start(&pair);
    while (!both_up() && pair.now < 20 * SECOND) {
        dtls_pair_run(&pair, pair.now + MILLISECOND);
        pair.now += MILLISECOND;
        if (!pair.seen[SERVER].is_up || is_sent)
            continue;
        is_sent = true;
        CHECK("the Finished is under way", pair.letter_count == 1);
        if (late_us)
            pair.letters[0].at += late_us;
        else
            pair.letter_count = 0;
        for (size_t i = 0; i < packets; i++)
            (void)dtls_pair_send(&pair, SERVER, bytes_of(text, sizeof text));
    }
    dtls_pair_run(&pair, pair.now + SECOND);
    CHECK("up", both_up());
    CHECK("everything is delivered", pair.seen[CLIENT].packets == packets);
    dtls_pair_deinit(&pair);
}

TEST(first_data_overtakes_the_finished)
{
    for (size_t packets = 1; packets <= 16; packets++) {
        data_overtakes(packets, 5 * MILLISECOND);
        data_overtakes(packets, 0);
    }
}

TESTS(TEST_ROW(each_flight_is_one_datagram_that_fits_a_check),
      TEST_ROW(a_repeated_flight_is_as_compact), TEST_ROW(records_are_joined_up_to_the_mtu),
      TEST_ROW(copies_cost_nothing), TEST_ROW(what_was_said_long_ago_is_not_answered),
      TEST_ROW(the_timer_keeps_its_pace_among_copies),
      TEST_ROW(nothing_piles_up_before_there_is_a_path), TEST_ROW(before_a_round_trip_is_known),
      TEST_ROW(first_data_overtakes_the_finished))

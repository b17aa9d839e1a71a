/* rings.c: what a session's rings take and give, by themselves and between threads. */
#include <pthread.h>

#include "tests/sdk/support/rings.h"
#include "tests/support/alloc.h"

static uint8_t data[RING_LARGE_MAX + 100], back[RING_LARGE_MAX + 100];

TEST(what_a_ring_takes)
{
    struct rings r;
    struct ring_fill fill;

    CHECK("made", init(&r) == ERR_OK);
    wakes = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 >> 3);
    CHECK("small ring", rings_send(&r, 0, bytes_of(data, sizeof data), 0) == RING_SMALL_MAX);
    CHECK("large ring", rings_send(&r, 1, bytes_of(data, sizeof data), 0) == RING_LARGE_MAX);
    CHECK("one wake each", wakes == 2);
    CHECK("full", rings_send(&r, 0, bytes_of(data, 1), 0) == HAWSER_ERR_TIMEOUT);
    CHECK("full, waited", rings_send(&r, 0, bytes_of(data, 1), 10) == HAWSER_ERR_TIMEOUT);
    CHECK("nothing to send", rings_send(&r, 0, bytes_of(data, 0), 0) == 0);
    rings_get_fill(&r, 1, &fill);
    CHECK("fill", fill.unsent == RING_LARGE_MAX && fill.free == 0 && fill.sent == RING_LARGE_MAX);
    CHECK("copied", tx_copy(&r, 1, back, RING_LARGE_MAX) == RING_LARGE_MAX);
    CHECK("as it was", memcmp(back, data, RING_LARGE_MAX) == 0);
    tx_drop(&r, 1, 1000);
    CHECK("room again", rings_send(&r, 1, bytes_of(data, 2000), 0) == 1000);
    CHECK("not empty", rings_tx_filled(&r) == 3);
    tx_drop(&r, 1, RING_LARGE_MAX);
    tx_drop(&r, 0, RING_SMALL_MAX);
    CHECK("empty", rings_tx_filled(&r) == 0);
    rings_deinit(&r);
}

TEST(large_channels_leave_room_for_small_ones)
{
    static const unsigned large[] = { 1, 3, 5 };
    struct rings r;

    CHECK("made", init(&r) == ERR_OK);
    for (size_t i = 0; i < COUNT(large); i++)
        (void)rx_push(&r, large[i], bytes_of(data, RING_LARGE_MAX));
    for (unsigned i = 0; i < RING_CHANNELS; i++)
        if (i != 1 && i != 3 && i != 5)
            CHECK("all of it", rx_push(&r, i, bytes_of(data, RING_SMALL_MAX)) == RING_SMALL_MAX);
    CHECK("within the pool", pool_used(r.pool[RING_RX]) <= RING_POOL_BLOCKS);
    CHECK("and sending has its own",
          rings_send(&r, 1, bytes_of(data, sizeof data), 0) == RING_LARGE_MAX);
    rings_deinit(&r);
}

TEST(two_unread_large_channels_leave_room_for_the_third)
{
    struct rings r;
    size_t taken = 0, n;

    CHECK("made", init(&r) == ERR_OK);
    (void)rx_push(&r, 1, bytes_of(data, RING_LARGE_MAX));
    (void)rx_push(&r, 3, bytes_of(data, RING_LARGE_MAX));
    for (int i = 0; i < 100; i++) {
        n = rx_push(&r, 5, bytes_of(data, 16384));
        CHECK("some of it", n > 0);
        taken += n;
        CHECK("is read", rings_recv(&r, 5, back, sizeof back, 0) == (int)n);
    }
    CHECK("at a fair pace", taken == 100 * 16384);
    CHECK("the floor", rx_push(&r, 5, bytes_of(data, sizeof data)) >= RING_FLOOR);
    CHECK("within the pool", pool_used(r.pool[RING_RX]) <= RING_POOL_BLOCKS);
    rings_deinit(&r);
}

TEST(all_rings_together_have_a_limit)
{
    enum { SESSIONS = 24 };
    static struct rings r[SESSIONS];
    size_t total = 0;

    for (size_t i = 0; i < SESSIONS; i++) {
        int n;

        CHECK("made", init(&r[i]) == ERR_OK);
        n = rings_send(&r[i], 1, bytes_of(data, sizeof data), 0);
        CHECK("a floor for each", n >= RING_FLOOR);
        total += (size_t)n;
    }
    CHECK("the limit", total <= RINGS_MAX + SESSIONS * RING_FLOOR && total >= RINGS_MAX);
    tx_drop(&r[0], 1, RING_LARGE_MAX);
    CHECK("what is sent makes room",
          rings_send(&r[0], 1, bytes_of(data, sizeof data), 0) > RING_LARGE_MAX / 2);
    for (size_t i = 0; i < SESSIONS; i++)
        rings_deinit(&r[i]);
}

TEST(what_arrived_is_read_before_the_end)
{
    struct rings r;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("nothing yet", rings_recv(&r, 2, back, 10, 0) == HAWSER_ERR_TIMEOUT);
    CHECK("pushed", rx_push(&r, 2, bytes_of("hello", 5)) == 5);
    CHECK("a part", rings_recv(&r, 2, back, 2, 0) == 2 && memcmp(back, "he", 2) == 0);
    rings_end(&r, HAWSER_ERR_LOST, 1 << 3, false);
    CHECK("the first code counts", rings_end_code(&r) == HAWSER_ERR_LOST);
    rings_end(&r, HAWSER_ERR_ZOMBIE, 0, false);
    CHECK("still", rings_end_code(&r) == HAWSER_ERR_LOST);
    CHECK("the rest", rings_recv(&r, 2, back, 10, -1) == 3 && memcmp(back, "llo", 3) == 0);
    CHECK("then the code", rings_recv(&r, 2, back, 10, -1) == HAWSER_ERR_LOST);
    CHECK("more is to come on 3", rings_recv(&r, 3, back, 10, 0) == HAWSER_ERR_TIMEOUT);
    CHECK("it came", rx_push(&r, 3, bytes_of("x", 1)) == 1);
    rings_rx_none_left(&r, 3);
    CHECK("is read", rings_recv(&r, 3, back, 10, -1) == 1);
    CHECK("then the code there", rings_recv(&r, 3, back, 10, -1) == HAWSER_ERR_LOST);
    CHECK("no sending", rings_send(&r, 0, bytes_of("x", 1), -1) == HAWSER_ERR_LOST);
    rings_deinit(&r);
}

TEST(a_full_ring_asks_for_more_when_it_is_read)
{
    struct rings r;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("too much", rx_push(&r, 0, bytes_of(data, RING_SMALL_MAX + 9)) == RING_SMALL_MAX);
    wakes = 0;
    CHECK("a little", rings_recv(&r, 0, back, 100, 0) == 100);
    CHECK("is not worth it", wakes == 0);
    CHECK("much", rings_recv(&r, 0, back, RING_SMALL_MAX / 2, 0) == RING_SMALL_MAX / 2);
    CHECK("is", wakes == 1);
    rings_deinit(&r);
}

TEST(our_own_close_discards)
{
    struct rings r;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("pushed", rx_push(&r, 0, bytes_of("x", 1)) == 1);
    rings_end(&r, HAWSER_ERR_CLOSED_LOCALLY, 0, true);
    CHECK("at once", rings_recv(&r, 0, back, 1, -1) == HAWSER_ERR_CLOSED_LOCALLY);
    CHECK("the peer is not held back", rx_push(&r, 0, bytes_of(data, sizeof data)) == sizeof data);
    rings_deinit(&r);
}

struct mover {
    struct rings *rings;
    size_t left;
};

/* The loop's part: what is sent on 4 arrives on 4. */
static void *move(void *ctx)
{
    struct mover *m = ctx;
    uint8_t piece[3000];

    while (m->left > 0) {
        size_t len = tx_copy(m->rings, 4, piece, sizeof piece);
        size_t done = rx_push(m->rings, 4, bytes_of(piece, len));

        tx_drop(m->rings, 4, done);
        rings_tell(m->rings);
        m->left -= done;
    }
    return NULL;
}

static void *send_all(void *ctx)
{
    struct rings *r = ctx;
    size_t at = 0;

    while (at < RING_LARGE_MAX)
        at += (size_t)rings_send(r, 4, bytes_of(data + at, RING_LARGE_MAX - at), -1);
    return NULL;
}

TEST(threads_meet_at_a_ring)
{
    struct rings r;
    struct mover m = { .rings = &r, .left = RING_LARGE_MAX };
    pthread_t mover, sender;
    size_t at = 0;

    CHECK("made", init(&r) == ERR_OK);
    (void)pthread_create(&mover, NULL, move, &m);
    (void)pthread_create(&sender, NULL, send_all, &r);
    while (at < RING_LARGE_MAX)
        at += (size_t)rings_recv(&r, 4, back + at, RING_LARGE_MAX - at, -1);
    (void)pthread_join(mover, NULL);
    (void)pthread_join(sender, NULL);
    CHECK("all in order", memcmp(data, back, RING_LARGE_MAX) == 0);
    rings_deinit(&r);
}

TEST(rings_without_memory)
{
    ALLOC_FAIL_EACH {
        struct rings r;
        int err = rings_init(&r, &counting);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        if (!err)
            rings_deinit(&r);
    }
}

TESTS(TEST_ROW(what_a_ring_takes), TEST_ROW(large_channels_leave_room_for_small_ones),
      TEST_ROW(two_unread_large_channels_leave_room_for_the_third),
      TEST_ROW(all_rings_together_have_a_limit), TEST_ROW(what_arrived_is_read_before_the_end),
      TEST_ROW(a_full_ring_asks_for_more_when_it_is_read), TEST_ROW(our_own_close_discards),
      TEST_ROW(threads_meet_at_a_ring), TEST_ROW(rings_without_memory))

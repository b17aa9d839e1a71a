/* ring_messages.c: messages among the bytes of a session's rings. */
#include "tests/sdk/support/rings.h"
#include "tests/support/alloc.h"

static uint8_t data[RING_LARGE_MAX + 100], back[RING_LARGE_MAX + 100];

/* Puts one whole message where what arrives goes. */
static bool rx_message(struct rings *r, unsigned channel, struct bytes b)
{
    struct ring_space space;
    bool is_done;

    if (!rings_rx_begin(r, channel, &space))
        return false;
    is_done = chain_append_all(space.chain, b) == ERR_OK;
    rings_rx_end(r, channel, is_done);
    return is_done;
}

static bool front_is(struct rings *r, unsigned channel, size_t len, bool is_message)
{
    struct ring_front front;
    bool is_so;

    if (!rings_tx_begin(r, channel, &front))
        return len == 0;
    is_so = front.len == len && front.is_message == is_message;
    rings_tx_end(r, channel);
    return is_so;
}

TEST(messages_to_send_keep_their_ends)
{
    struct rings r;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("empty", rings_send_message(&r, 1, bytes_of(data, 0), 0) == HAWSER_ERR_INVALID);
    CHECK("too long",
          rings_send_message(&r, 1, bytes_of(data, RING_MESSAGE_MAX + 1), 0) == HAWSER_ERR_INVALID);
    CHECK("bytes", rings_send(&r, 1, bytes_of(data, 10), 0) == 10);
    CHECK("more", rings_send(&r, 1, bytes_of(data, 20000), 0) == 20000);
    CHECK("message", rings_send_message(&r, 1, bytes_of(data, 100), 0) == 100);
    CHECK("large", rings_send_message(&r, 1, bytes_of(data, 9000), 0) == 9000);
    CHECK("bytes again", rings_send(&r, 1, bytes_of(data, 5), 0) == 5);
    CHECK("the stream's bytes are one", front_is(&r, 1, 20010, false));
    tx_drop(&r, 1, 20000);
    CHECK("or what is left of them", front_is(&r, 1, 10, false));
    tx_drop(&r, 1, 10);
    CHECK("then a message", front_is(&r, 1, 100, true));
    tx_drop(&r, 1, 100);
    CHECK("another", front_is(&r, 1, 9000, true));
    CHECK("as it was", tx_copy(&r, 1, back, 9000) == 9000 && memcmp(back, data, 9000) == 0);
    tx_drop(&r, 1, 9000);
    CHECK("and bytes", front_is(&r, 1, 5, false));
    tx_drop(&r, 1, 5);
    CHECK("nothing", front_is(&r, 1, 0, false) && rings_tx_filled(&r) == 0);
    CHECK("no block is held", pool_used(r.pool[RING_TX]) == 0);
    rings_deinit(&r);
}

TEST(a_message_goes_whole_or_not_at_all)
{
    struct ring_fill fill;
    struct rings r;

    CHECK("made", init(&r) == ERR_OK);
    rings_set_window(&r, 0);
    CHECK("an empty ring takes any",
          rings_send_message(&r, 0, bytes_of(data, RING_MESSAGE_MAX), 0) == RING_MESSAGE_MAX);
    CHECK("a full one none", rings_send_message(&r, 0, bytes_of(data, 1), 0) == HAWSER_ERR_TIMEOUT);
    tx_drop(&r, 0, RING_MESSAGE_MAX);
    CHECK("bytes", rings_send(&r, 0, bytes_of(data, RING_FLOOR - 100), 0) == RING_FLOOR - 100);
    CHECK("not in part", rings_send_message(&r, 0, bytes_of(data, 101), 10) == HAWSER_ERR_TIMEOUT);
    rings_get_fill(&r, 0, &fill);
    CHECK("nothing of it", fill.unsent == RING_FLOOR - 100 && fill.free == 100);
    CHECK("as much as fits", rings_send_message(&r, 0, bytes_of(data, 100), 0) == 100);
    rings_end(&r, HAWSER_ERR_LOST, 0, false);
    CHECK("over", rings_send_message(&r, 0, bytes_of(data, 1), -1) == HAWSER_ERR_LOST);
    rings_deinit(&r);
}

TEST(messages_are_received_whole)
{
    struct rings r;
    size_t len;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("a part", rx_push(&r, 1, bytes_of(data, 3000)) == 3000);
    CHECK("is none", rings_recv_message(&r, 1, back, 9999, &len, 0) == HAWSER_ERR_TIMEOUT);
    CHECK("its end", rx_message(&r, 1, bytes_of(data + 3000, 3000)));
    CHECK("another", rx_message(&r, 1, bytes_of(data, 10)));
    CHECK("begins", rx_push(&r, 1, bytes_of(data, 7)) == 7);
    CHECK("no room for it", rings_recv_message(&r, 1, back, 5999, &len, 0) == HAWSER_ERR_INVALID);
    CHECK("its length", len == 6000);
    CHECK("room", rings_recv_message(&r, 1, back, 6000, &len, 0) == 6000 && len == 6000);
    CHECK("as it was", memcmp(back, data, 6000) == 0);
    CHECK("a part of the next", rings_recv(&r, 1, back, 4, 0) == 4);
    CHECK("the rest", rings_recv_message(&r, 1, back, 100, &len, 0) == 6 && back[0] == data[4]);
    CHECK("no more", rings_recv_message(&r, 1, back, 100, &len, 0) == HAWSER_ERR_TIMEOUT);
    rings_end(&r, HAWSER_ERR_LOST, 0, false);
    CHECK("nor will there be", rings_recv_message(&r, 1, back, 9, &len, -1) == HAWSER_ERR_LOST);
    CHECK("as bytes it is there", rings_recv(&r, 1, back, 100, 0) == 7);
    CHECK("no block is held", pool_used(r.pool[RING_RX]) == 0);
    rings_deinit(&r);
}

/* Whoever waits for whole messages cannot make room in the middle of one. */
TEST(a_message_that_began_can_end)
{
    struct rings r;
    size_t len;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("filled", rx_push(&r, 1, bytes_of(data, RING_LARGE_MAX)) > 0);
    CHECK("and the other", rx_push(&r, 3, bytes_of(data, RING_LARGE_MAX)) > 0);
    CHECK("all of it",
          rx_push(&r, 5, bytes_of(data, RING_MESSAGE_MAX - 1)) == RING_MESSAGE_MAX - 1);
    CHECK("none yet", rings_recv_message(&r, 5, back, sizeof back, &len, 0) == HAWSER_ERR_TIMEOUT);
    CHECK("the longest that stays whole", rx_push(&r, 5, bytes_of(data, 1)) == 1);
    CHECK("is there", rings_recv_message(&r, 5, back, sizeof back, &len, 0) == RING_MESSAGE_MAX);
    CHECK("a longer one comes in several",
          rings_recv_message(&r, 1, back, sizeof back, &len, 0) == RING_MESSAGE_MAX);
    rings_deinit(&r);
}

/* More than half of a full ring is the beginning of a message: whoever waits for its end must not
 * wait for more room. */
TEST(what_holds_back_the_end_of_a_message_is_woken)
{
    struct rings r;
    size_t len, begun;

    CHECK("made", init(&r) == ERR_OK);
    CHECK("one", rx_message(&r, 0, bytes_of(data, RING_SMALL_MAX / 4)));
    begun = rx_push(&r, 0, bytes_of(data, RING_MESSAGE_MAX));
    CHECK("full", begun > RING_SMALL_MAX / 2 && begun < RING_MESSAGE_MAX);
    wakes = 0;
    CHECK("read",
          rings_recv_message(&r, 0, back, sizeof back, &len, 0) == (int)(RING_SMALL_MAX / 4));
    CHECK("the network goes on", wakes == 1);
    CHECK("to its end", rx_push(&r, 0, bytes_of(data + begun, RING_MESSAGE_MAX - begun)) ==
                            RING_MESSAGE_MAX - begun);
    CHECK("which is read",
          rings_recv_message(&r, 0, back, sizeof back, &len, 0) == RING_MESSAGE_MAX);
    CHECK("as it was", memcmp(back, data, RING_MESSAGE_MAX) == 0);
    rings_deinit(&r);
}

TEST(a_million_tiny_messages_fill_no_more_than_one_long_one)
{
    struct rings r;
    size_t count = 0, len;

    CHECK("made", init(&r) == ERR_OK);
    while (rx_message(&r, 0, bytes_of(data, 1)))
        count++;
    CHECK("some", count >= RING_SMALL_MAX / 32);
    CHECK("few blocks", pool_used(r.pool[RING_RX]) <= RING_SMALL_MAX / POOL_BLOCK_DATA + 3);
    while (rings_recv_message(&r, 0, back, 1, &len, 0) == 1)
        count--;
    CHECK("each is received", count == 0);
    rings_deinit(&r);
}

TEST(a_lossy_ring_keeps_the_newest)
{
    struct ring_fill fill;
    struct rings r;
    size_t len, count = 0;

    CHECK("made", init(&r) == ERR_OK);
    rings_set_lossy(&r, 2);
    for (unsigned i = 0; i < 1000; i++) {
        data[0] = (uint8_t)i;
        CHECK("always room", rx_message(&r, 2, bytes_of(data, 1000)));
    }
    CHECK("no stream", rings_recv(&r, 2, back, 10, 0) == HAWSER_ERR_INVALID);
    rings_get_fill(&r, 2, &fill);
    CHECK("within its limit", fill.unread <= RING_SMALL_MAX);
    for (unsigned i = (unsigned)fill.dropped; i < 1000; i++, count++)
        CHECK("in order",
              rings_recv_message(&r, 2, back, 1000, &len, 0) == 1000 && back[0] == (uint8_t)i);
    CHECK("as many as fit", count >= (RING_SMALL_MAX - RING_FLOOR) / 1100);
    CHECK("no more", rings_recv_message(&r, 2, back, 1000, &len, 0) == HAWSER_ERR_TIMEOUT);
    data[0] = 0;
    rings_deinit(&r);
}

TEST(what_waits_to_be_sent_follows_the_path)
{
    struct ring_fill fill;
    struct rings r;

    CHECK("made", rings_init(&r, &counting) == ERR_OK);
    CHECK("little at first", rings_send(&r, 0, bytes_of(data, sizeof data), 0) == RING_FLOOR);
    CHECK("of media more", rings_send(&r, 1, bytes_of(data, sizeof data), 0) == RING_LARGE_MIN);
    rings_set_window(&r, 1 << 20);
    CHECK("more", rings_send(&r, 1, bytes_of(data, sizeof data), 0) == (1 << 20) - RING_LARGE_MIN);
    CHECK("up to its limit",
          rings_send(&r, 0, bytes_of(data, sizeof data), 0) == RING_SMALL_MAX - RING_FLOOR);
    rings_set_window(&r, 0);
    rings_get_fill(&r, 1, &fill);
    CHECK("less again", fill.free == 0 && fill.unsent == 1 << 20);
    tx_drop(&r, 1, (1 << 20) - 1000);
    rings_get_fill(&r, 1, &fill);
    CHECK("never nothing", fill.free == RING_LARGE_MIN - 1000);
    rings_deinit(&r);
}

/* Takes what is first to send out of the ring, as the core does. */
static size_t tx_take_over(struct rings *r, struct chain *to, bool *is_message)
{
    struct ring_front front;
    size_t went;

    if (!rings_tx_begin(r, 1, &front))
        return 0;
    went = chain_take_over(to, front.chain, front.len);
    *is_message = front.is_message && went == front.len;
    rings_tx_end(r, 1);
    return went;
}

static void rx_give(struct rings *r, struct chain *from, bool ends)
{
    struct ring_space space;
    size_t went;

    if (!rings_rx_begin(r, 1, &space))
        return;
    went = chain_take_over(space.chain, from, from->len);
    rings_rx_end(r, 1, ends && went > 0 && from->len == 0);
}

/* Sends, takes over, gives and receives. */
static void move_some(struct rings *r, struct pool *core)
{
    size_t sent = 0, len;
    struct chain between;
    bool ends = false;
    int n;

    chain_init(&between, core);
    n = rings_send(r, 1, bytes_of(data, 30000), 0);
    sent += n > 0 ? (size_t)n : 0;
    n = rings_send_message(r, 1, bytes_of(data, 5000), 0);
    CHECK("whole or not", n == 5000 || n == HAWSER_ERR_TIMEOUT);
    while (tx_take_over(r, &between, &ends) > 0) {
        rx_give(r, &between, ends);
        chain_deinit(&between);
    }
    n = rings_recv(r, 1, back, sent ? sent : 1, 0);
    CHECK("a part", n <= 30000);
    n = rings_recv_message(r, 1, back, sizeof back, &len, 0);
    CHECK("a message, or what follows it", n == HAWSER_ERR_TIMEOUT || n > 0);
}

/* From call to call by way of the core's chain. */
static bool go_round(struct rings *r, struct chain *core, size_t len)
{
    bool ends = false;

    if (rings_send(r, 1, bytes_of(data, len), 0) != (int)len)
        return false;
    while (tx_take_over(r, core, &ends) > 0)
        ;
    rx_give(r, core, false);
    return rings_recv(r, 1, back, sizeof back, 0) == (int)len && memcmp(back, data, len) == 0;
}

TEST(bytes_that_flow_allocate_nothing)
{
    struct chain core;
    struct pool *pool = NULL;
    struct rings r;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 >> 4);
    CHECK("made", init(&r) == ERR_OK && pool_new(&pool, 64) == ERR_OK);
    chain_init(&core, pool);
    for (size_t i = 0; i < 400; i++) {
        if (i == 200)
            alloc_fail_nth(1);
        CHECK("as it was", go_round(&r, &core, 1 + i * 7919 % 100000));
    }
    CHECK("of what was there", !alloc_has_failed());
    alloc_fail_nth(0);
    rings_deinit(&r);
    pool_free(pool);
}

TEST(moving_without_memory)
{
    ALLOC_FAIL_EACH {
        struct pool *core = NULL;
        struct rings r;

        alloc_pause();
        CHECK("made", init(&r) == ERR_OK && pool_new(&core, 64) == ERR_OK);
        alloc_resume();
        move_some(&r, core);
        alloc_pause();
        while (rings_recv(&r, 1, back, sizeof back, 0) > 0)
            ;
        CHECK("with memory again all goes on", rings_send(&r, 1, bytes_of(data, 9), 0) == 9);
        rings_deinit(&r);
        pool_free(core);
        alloc_resume();
    }
}

TESTS(TEST_ROW(messages_to_send_keep_their_ends), TEST_ROW(a_message_goes_whole_or_not_at_all),
      TEST_ROW(messages_are_received_whole), TEST_ROW(a_message_that_began_can_end),
      TEST_ROW(what_holds_back_the_end_of_a_message_is_woken),
      TEST_ROW(a_million_tiny_messages_fill_no_more_than_one_long_one),
      TEST_ROW(a_lossy_ring_keeps_the_newest), TEST_ROW(what_waits_to_be_sent_follows_the_path),
      TEST_ROW(bytes_that_flow_allocate_nothing), TEST_ROW(moving_without_memory))

/* Messages out of a byte stream: cut anywhere, too long for us, or not TURN at all. */
#include "core/turn/client.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/hex.h"
#include "tests/support/turn_net.h"

#define USER                                     \
    {                                            \
        .username = "user", .password = "secret" \
    }

static struct turn_net n;

static void begin(size_t cut)
{
    struct turn_net_config cfg = { .turn = USER, .relay = USER, .cut = cut };

    cfg.turn.stream = 1;
    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
}

TEST(any_cut_of_the_stream)
{
    for (size_t cut = 1; cut < 200; cut++) {
        begin(cut);
        CHECK("live", turn_is_live(n.turn));
        turn_permit(n.turn, n.now, &n.peer);
        turn_net_drain(&n);
        turn_net_from(&n, &n.peer, bytes_of_string("as an indication"));
        turn_bind(n.turn, n.now, &n.peer);
        turn_net_drain(&n);
        for (size_t len = 1; len <= 9; len++)
            turn_net_from(&n, &n.peer, bytes_of("by channel", len));
        CHECK("all came", n.at_client_count == 10);
        for (size_t len = 1; len <= 9; len++)
            CHECK("as it was sent",
                  bytes_equal(bytes_of(n.at_client[len].data, n.at_client[len].len),
                              bytes_of("by channel", len)));
        turn_net_deinit(&n);
    }
}

/* Answers and data of one moment behind each other, so that pieces end anywhere in any of them. */
TEST(any_cut_of_answers_and_data_together)
{
    for (size_t cut = 1; cut < 600; cut++) {
        struct addr other = addr_ipv4(0xc6336408, 7);

        begin(cut);
        turn_bind(n.turn, n.now, &n.peer);
        turn_net_drain(&n);
        turn_bind(n.turn, n.now, &other);
        for (size_t len = 1; len <= 9; len++)
            (void)relay_input(n.relay, n.now, &n.peer, turn_relayed(n.turn),
                              bytes_of("by channel", len));
        turn_net_drain(&n);
        CHECK("the data", n.at_client_count == 9 && n.at_client[8].len == 9 &&
                              memcmp(n.at_client[8].data, "by channel", 9) == 0);
        CHECK("and the answers",
              turn_channel_of(n.turn, &other) && turn_is_permitted(n.turn, &other));
        turn_net_deinit(&n);
    }
}

static void put_channel_data(struct wr *w, uint16_t number, size_t len)
{
    wr_u16(w, number);
    wr_u16(w, (uint16_t)len);
    for (size_t i = 0; i < len; i++)
        wr_u8(w, (uint8_t)i);
    wr_zero(w, turn_padding(len));
}

static size_t pull(void)
{
    struct bytes data;
    struct addr from;
    size_t count = 0;

    while (turn_poll_data(n.turn, &from, &data))
        count += data.len <= TURN_DATAGRAM_MAX;
    return count;
}

static void begin_bound(void)
{
    begin(0);
    turn_bind(n.turn, n.now, &n.peer);
    turn_net_drain(&n);
}

TEST(a_spoilt_indication_brings_nothing)
{
    uint8_t raw[128];
    struct wr w = wr_of(raw, sizeof raw);
    struct stun_id id = { { 1 } };

    begin_bound();
    stun_encode_header(&w, STUN_INDICATION, STUN_DATA, &id);
    stun_add_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, &n.peer);
    stun_add_bytes(&w, STUN_ATTR_DATA, bytes_of("data", 4));
    stun_add_u32(&w, STUN_ATTR_FINGERPRINT, 0);
    CHECK("followed", turn_input_stream(n.turn, n.now, wr_written(&w)) == VERDICT_TAKEN);
    CHECK("nothing", pull() == 0 && turn_verdicts(n.turn)->count[VERDICT_MALFORMED] == 1);
    turn_net_deinit(&n);
}

TEST(many_messages_in_one_piece)
{
    static uint8_t raw[TURN_STREAM_MAX + 1];
    struct wr w = wr_of(raw, sizeof raw);

    begin_bound();
    for (int i = 0; i < 64; i++)
        put_channel_data(&w, TURN_CHANNEL_FIRST, 124);
    CHECK("the longest piece", w.ok && w.len == TURN_STREAM_MAX);
    CHECK("taken", turn_input_stream(n.turn, n.now, wr_written(&w)) == VERDICT_TAKEN);
    CHECK("all", pull() == 64);
    CHECK("more than is allowed at once cannot be followed",
          turn_input_stream(n.turn, n.now, bytes_of(raw, sizeof raw)) == VERDICT_MALFORMED);
    turn_net_deinit(&n);
}

/* What peers send to the relayed address may be longer than we take; the stream goes on. */
TEST(messages_too_long_are_passed_over)
{
    static const size_t lens[] = { TURN_FRAME_MAX - 3, TURN_FRAME_MAX + 4, 9000, 65535 };
    static uint8_t raw[70000];

    for (size_t i = 0; i < COUNT(lens); i++) {
        for (size_t cut = 1; cut < 3000; cut = 3 * cut + 1) {
            struct wr w = wr_of(raw, sizeof raw);
            size_t got = 0;

            begin_bound();
            put_channel_data(&w, TURN_CHANNEL_FIRST, 100);
            put_channel_data(&w, TURN_CHANNEL_FIRST, lens[i]);
            put_channel_data(&w, TURN_CHANNEL_FIRST, 200);
            for (size_t at = 0; at < w.len; at += cut) {
                size_t len = at + cut < w.len ? cut : w.len - at;

                CHECK("followed",
                      turn_input_stream(n.turn, n.now, bytes_of(raw + at, len)) == VERDICT_TAKEN);
                got += pull();
            }
            CHECK("the others", got == 2 && turn_is_live(n.turn));
            turn_net_deinit(&n);
        }
    }
}

TEST(what_is_not_polled_is_lost_and_no_more)
{
    uint8_t raw[2000];
    struct wr w = wr_of(raw, sizeof raw);

    begin_bound();
    put_channel_data(&w, TURN_CHANNEL_FIRST, 100);
    put_channel_data(&w, TURN_CHANNEL_FIRST, 100);
    turn_input_stream(n.turn, n.now, bytes_of(raw, 104 + 50));
    turn_input_stream(n.turn, n.now, bytes_of(raw + 154, 54));
    CHECK("the second", pull() == 1);
    turn_net_deinit(&n);
}

static const struct {
    const char *claim, *hex;
} not_turn[] = {
    { "JSON", "7b226572 726f7222" },
    { "TLS", "16030100" },
    { "a reserved channel", "50000004 00000000" },
    { "STUN of odd length", "01010003 2112a442" },
    { "STUN without the cookie", "01010000 2112a443" },
};

TEST(a_stream_of_something_else_ends_at_once)
{
    for (size_t i = 0; i < COUNT(not_turn); i++) {
        uint8_t raw[32];

        begin(0);
        CHECK(not_turn[i].claim,
              turn_input_stream(n.turn, n.now, hex_decode(not_turn[i].hex, raw, sizeof raw)) ==
                  VERDICT_MALFORMED);
        turn_net_drain(&n);
        CHECK(not_turn[i].claim, n.event_count == 2 && n.events[1].type == TURN_EVENT_FAILED);
        CHECK("and is not listened to any more",
              turn_input_stream(n.turn, n.now, bytes_of(raw, 1)) == VERDICT_UNEXPECTED);
        turn_net_deinit(&n);
    }
}

TEST(bytes_for_the_wrong_kind_of_client)
{
    struct turn_net_config cfg = { .turn = USER, .relay = USER };

    begin(0);
    CHECK("a datagram for a stream's",
          turn_input(n.turn, n.now, &n.server, bytes_of("\0", 1)) == VERDICT_FOREIGN);
    turn_net_deinit(&n);
    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    turn_start(n.turn, n.now);
    CHECK("and the reverse",
          turn_input_stream(n.turn, n.now, bytes_of("\0", 1)) == VERDICT_UNEXPECTED);
    turn_net_deinit(&n);
}

TEST(every_allocation_may_fail)
{
    for (uint8_t stream = 0; stream < 2; stream++) {
        ALLOC_FAIL_EACH {
            struct turn_net_config cfg = { .turn = USER, .relay = USER };
            int err;

            cfg.turn.stream = stream;
            err = turn_net_init(&n, &cfg);
            CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
            CHECK("gives nothing half-made", err == ERR_OK || !n.turn);
            if (err == ERR_OK) {
                turn_start(n.turn, n.now);
                turn_net_drain(&n);
                turn_bind(n.turn, n.now, &n.peer);
                turn_net_run(&n, n.now + 1000 * SECOND);
                turn_net_send(&n, &n.peer, 3, 100, 50);
                turn_net_from(&n, &n.peer, bytes_of_string("hello"));
                CHECK("nothing later allocates", !alloc_has_failed() && n.at_client_count == 1);
            }
            turn_net_deinit(&n);
        }
    }
}

TESTS(TEST_ROW(any_cut_of_the_stream), TEST_ROW(any_cut_of_answers_and_data_together),
      TEST_ROW(a_spoilt_indication_brings_nothing), TEST_ROW(many_messages_in_one_piece),
      TEST_ROW(messages_too_long_are_passed_over), TEST_ROW(what_is_not_polled_is_lost_and_no_more),
      TEST_ROW(a_stream_of_something_else_ends_at_once),
      TEST_ROW(bytes_for_the_wrong_kind_of_client), TEST_ROW(every_allocation_may_fail))

/* Permissions, channels, runs wrapped in place, and what comes back; over datagrams and streams. */
#include "tests/check.h"
#include "tests/support/turn_net.h"

#define USER                                     \
    {                                            \
        .username = "user", .password = "secret" \
    }

static struct turn_net n;

static void begin(uint8_t stream, enum addr_family family)
{
    struct turn_net_config cfg = { .turn = USER, .relay = USER };

    cfg.turn.stream = stream;
    cfg.turn.family = family;
    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
    if (family == ADDR_IPV6)
        addr_parse(&n.peer, "[2001:db8:7::7]:6000");
    CHECK("live", turn_is_live(n.turn));
}

static const struct {
    const char *claim;
    uint8_t stream;
    enum addr_family family;
} ways[] = {
    { "UDP, IPv4", 0, ADDR_IPV4 },
    { "UDP, IPv6", 0, ADDR_IPV6 },
    { "stream, IPv4", 3, ADDR_IPV4 },
    { "stream, IPv6", 3, ADDR_IPV6 },
};

static bool is_kept(const struct turn_net_dgram *d, const struct addr *from, const char *text)
{
    return addr_equal(&d->from, from) &&
           bytes_equal(bytes_of(d->data, d->len), bytes_of_string(text));
}

/* One to the peer and one from it. */
static void check_both_ways(const char *claim)
{
    CHECK(claim, turn_net_send(&n, &n.peer, 1, 5, 5) == ERR_OK);
    CHECK(claim, n.at_peer_count == 1 && turn_net_is_sent(&n.at_peer[0], 0, 5));
    turn_net_from(&n, &n.peer, bytes_of_string("hello"));
    CHECK(claim, n.at_client_count == 1 && is_kept(&n.at_client[0], &n.peer, "hello"));
}

TEST(datagrams_go_both_ways_as_indications)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        begin(ways[i].stream, ways[i].family);
        CHECK("permitted", turn_permit(n.turn, n.now, &n.peer) == ERR_OK);
        turn_net_drain(&n);
        check_both_ways(ways[i].claim);
        CHECK(ways[i].claim, addr_equal(&n.at_peer[0].from, turn_relayed(n.turn)));
        CHECK(ways[i].claim, addr_equal(&n.at_peer[0].to, &n.peer));
        CHECK("no channel", n.channel_data == 0 && n.indications == 1);
        turn_net_deinit(&n);
    }
}

TEST(datagrams_go_both_ways_by_channel)
{
    for (size_t i = 0; i < COUNT(ways); i++) {
        begin(ways[i].stream, ways[i].family);
        CHECK("bound", turn_bind(n.turn, n.now, &n.peer) == ERR_OK);
        turn_net_drain(&n);
        check_both_ways(ways[i].claim);
        CHECK("by channel", n.channel_data == 1 && n.indications == 0);
        turn_net_deinit(&n);
    }
}

TEST(data_follows_the_permission_in_the_same_moment)
{
    begin(0, ADDR_IPV4);
    turn_permit(n.turn, n.now, &n.peer);
    turn_bind(n.turn, n.now, &n.peer);
    CHECK("before any answer", turn_net_send(&n, &n.peer, 1, 5, 5) == ERR_OK);
    turn_net_drain(&n);
    CHECK("as an indication", n.indications == 1 && n.requests[STUN_CREATE_PERMISSION] == 1 &&
                                  n.requests[STUN_CHANNEL_BIND] == 1);
    turn_net_deinit(&n);
}

static bool all_arrived(size_t count, size_t len, size_t last)
{
    for (size_t i = 0; i < count && i < n.at_peer_count; i++)
        if (!turn_net_is_sent(&n.at_peer[i], i, i + 1 == count ? last : len))
            return false;
    return n.at_peer_count == count;
}

/* Every length up to one that fills a packet, in runs whose last is shorter. */
TEST(runs_arrive_as_they_were)
{
    for (unsigned way = 0; way < 2 * COUNT(ways); way++) {
        begin(ways[way / 2].stream, ways[way / 2].family);
        (way % 2 ? turn_bind : turn_permit)(n.turn, n.now, &n.peer);
        turn_net_drain(&n);
        for (size_t len = 1; len < 1200; len += len < 20 ? 1 : 97) {
            size_t count = 1 + len % 7, last = 1 + len / 2;

            n.at_peer_count = 0;
            CHECK("sent", turn_net_send(&n, &n.peer, count, len, last) == ERR_OK);
            CHECK(ways[way / 2].claim, all_arrived(count, len, last));
        }
        CHECK("by channel if bound", (n.channel_data > 0) == way % 2);
        turn_net_deinit(&n);
    }
}

static struct out run;
static uint8_t run_buf[4096];

static void make_run(size_t cap, size_t count, size_t len)
{
    out_init(&run, run_buf, cap);
    memset(run_buf, 'x', sizeof run_buf);
    for (size_t i = 0; i < count; i++)
        out_add(&run, len);
    run.from = *turn_relayed(n.turn);
    run.to = n.peer;
}

static const struct {
    const char *claim;
    uint8_t stream;
    bool is_bound;
    size_t len, wrapped;
} overheads[] = {
    { "a channel takes 4 bytes", 0, true, 101, 105 },
    { "and padding over a stream", 3, true, 101, 4 + 104 },
    { "an indication 36", 0, false, 100, 136 },
    { "and padding", 0, false, 101, 36 + 104 },
};

TEST(what_wrapping_costs)
{
    for (size_t i = 0; i < COUNT(overheads); i++) {
        begin(overheads[i].stream, ADDR_IPV4);
        turn_permit(n.turn, n.now, &n.peer);
        if (overheads[i].is_bound)
            turn_bind(n.turn, n.now, &n.peer);
        turn_net_drain(&n);
        make_run(sizeof run_buf, 3, overheads[i].len);
        CHECK(overheads[i].claim, turn_wrap(n.turn, &run) == ERR_OK);
        CHECK(overheads[i].claim, run.segment == overheads[i].wrapped && run.count == 3);
        CHECK(overheads[i].claim, run.len == 3 * overheads[i].wrapped);
        CHECK("to the server", addr_equal(&run.from, &n.local) && addr_equal(&run.to, &n.server));
        CHECK("by its connection", run.stream == overheads[i].stream);
        turn_net_deinit(&n);
    }
}

TEST(no_room_changes_nothing)
{
    begin(0, ADDR_IPV4);
    turn_permit(n.turn, n.now, &n.peer);
    turn_net_drain(&n);
    for (size_t cap = 300; cap < 3 * 136; cap++) {
        make_run(cap, 3, 100);
        CHECK("no room", turn_wrap(n.turn, &run) == ERR_LIMIT);
        CHECK("as it was", run.len == 300 && run.segment == 100 && addr_equal(&run.to, &n.peer));
        CHECK("every byte", run_buf[0] == 'x' && run_buf[299] == 'x');
    }
    make_run(3 * 136, 3, 100);
    CHECK("just enough", turn_wrap(n.turn, &run) == ERR_OK && run.len == run.cap);
    make_run(1000, 0, 0);
    CHECK("nothing to wrap", turn_wrap(n.turn, &run) == ERR_INVALID);
    make_run(1000, 1, 10);
    addr_parse(&run.to, "[2001:db8::7]:1");
    CHECK("another family", turn_wrap(n.turn, &run) == ERR_INVALID);
    turn_net_deinit(&n);
}

TEST(a_refusal_costs_only_that_peer)
{
    struct addr other = addr_ipv4(0xc6336408, 7000);

    begin(0, ADDR_IPV4);
    relay_forbid(n.relay, &n.peer);
    CHECK("asked", turn_permit(n.turn, n.now, &n.peer) == ERR_OK);
    CHECK("asked", turn_permit(n.turn, n.now, &other) == ERR_OK);
    turn_net_drain(&n);
    turn_net_from(&n, &n.peer, bytes_of_string("no"));
    turn_net_from(&n, &other, bytes_of_string("yes"));
    CHECK("the other one", n.at_client_count == 1 && is_kept(&n.at_client[0], &other, "yes"));
    CHECK("live, and not told", turn_is_live(n.turn) && n.event_count == 1);
    CHECK("harmless again", turn_permit(n.turn, n.now, &n.peer) == ERR_OK);
    turn_net_run(&n, n.now + 200 * SECOND);
    CHECK("not asked again", n.requests[STUN_CREATE_PERMISSION] == 2);
    turn_net_deinit(&n);
}

TEST(strangers_are_not_heard)
{
    struct addr stranger = addr_ipv4(0xc6336409, 7000);
    struct addr neighbour;

    begin(0, ADDR_IPV4);
    turn_permit(n.turn, n.now, &n.peer);
    turn_net_drain(&n);
    turn_net_from(&n, &stranger, bytes_of_string("no"));
    neighbour = n.peer;
    neighbour.port = 1;
    turn_net_from(&n, &neighbour, bytes_of_string("same IP"));
    CHECK("the IP counts, not the port",
          n.at_client_count == 1 && is_kept(&n.at_client[0], &neighbour, "same IP"));
    turn_net_deinit(&n);
}

TEST(an_hour_of_permissions_and_channels)
{
    for (uint8_t stream = 0; stream < 2; stream++) {
        begin(stream, ADDR_IPV4);
        turn_bind(n.turn, n.now, &n.peer);
        for (int minute = 0; minute < 60; minute++) {
            turn_net_run(&n, n.now + 60 * SECOND);
            n.at_peer_count = n.at_client_count = 0;
            turn_net_send(&n, &n.peer, 1, 5, 5);
            turn_net_from(&n, &n.peer, bytes_of_string("back"));
            CHECK("there", n.at_peer_count == 1);
            CHECK("and back", n.at_client_count == 1);
        }
        CHECK("always by channel", n.channel_data == 60);
        CHECK("every four minutes", n.requests[STUN_CREATE_PERMISSION] == 16);
        CHECK("every eight", n.requests[STUN_CHANNEL_BIND] == 8);
        turn_net_deinit(&n);
    }
}

TEST(limits)
{
    begin(0, ADDR_IPV4);
    for (uint32_t i = 0; i < TURN_PERMISSIONS_MAX; i++)
        CHECK("room", turn_permit(n.turn, n.now,
                                  &(struct addr){ .family = ADDR_IPV4,
                                                  .ip = { 9, 9, 9, (uint8_t)i },
                                                  .port = 1 }) == ERR_OK);
    CHECK("no more peers", turn_permit(n.turn, n.now, &n.peer) == ERR_LIMIT);
    CHECK("nor channels to more", turn_bind(n.turn, n.now, &n.peer) == ERR_LIMIT);
    for (uint16_t i = 0; i < TURN_CHANNELS_MAX; i++)
        CHECK("room",
              turn_bind(n.turn, n.now,
                        &(struct addr){ .family = ADDR_IPV4, .ip = { 9, 9, 9, 1 }, .port = i }) ==
                  ERR_OK);
    CHECK("no more channels",
          turn_bind(n.turn, n.now,
                    &(struct addr){ .family = ADDR_IPV4, .ip = { 9, 9, 9, 1 }, .port = 99 }) ==
              ERR_LIMIT);
    turn_net_drain(&n);
    CHECK("all asked at once", n.requests[STUN_CREATE_PERMISSION] == TURN_PERMISSIONS_MAX &&
                                   n.requests[STUN_CHANNEL_BIND] == TURN_CHANNELS_MAX);
    turn_net_deinit(&n);
}

static struct addr mobile(unsigned i)
{
    return (struct addr){ .family = ADDR_IPV4,
                          .ip = { 9, 9, (uint8_t)(i >> 8), (uint8_t)i },
                          .port = 1 };
}

/* Old addresses make room, but not for a flood of new ones, nor that of a channel. */
TEST(a_peer_with_another_address_every_day)
{
    unsigned taken = 0;

    begin(0, ADDR_IPV4);
    CHECK("one is spoken to", turn_bind(n.turn, n.now, &n.peer) == ERR_OK);
    for (unsigned i = 0; i < 10 * TURN_PERMISSIONS_MAX; i++) {
        struct addr peer = mobile(i);

        CHECK("room", turn_permit(n.turn, n.now, &peer) == ERR_OK);
        turn_net_run(&n, n.now + 5 * SECOND);
    }
    turn_net_from(&n, &n.peer, bytes_of_string("hello"));
    CHECK("still heard", n.at_client_count == 1);
    for (unsigned i = 0; i < 500; i++) {
        struct addr peer = mobile(1000 + i);

        taken += turn_permit(n.turn, n.now, &peer) == ERR_OK;
    }
    CHECK("no more than there is room", taken < TURN_PERMISSIONS_MAX);
    turn_net_deinit(&n);
}

static const struct {
    const char *claim, *peer;
} impossible[] = {
    { "another family", "[2001:db8::7]:1" }, { "nobody", "0.0.0.0:1" },
    { "everybody", "255.255.255.255:1" },    { "a group", "224.0.0.251:5353" },
    { "the server itself", "127.0.0.1:22" },
};

TEST(peers_that_cannot_be)
{
    begin(0, ADDR_IPV4);
    for (size_t i = 0; i < COUNT(impossible); i++) {
        struct addr peer;

        addr_parse(&peer, impossible[i].peer);
        CHECK(impossible[i].claim, turn_permit(n.turn, n.now, &peer) == ERR_INVALID);
        CHECK(impossible[i].claim, turn_bind(n.turn, n.now, &peer) == ERR_INVALID);
    }
    turn_net_drain(&n);
    CHECK("nothing was asked", n.requests[STUN_CREATE_PERMISSION] == 0);
    turn_net_deinit(&n);
}

TEST(asking_again_is_harmless)
{
    begin(0, ADDR_IPV4);
    for (int i = 0; i < 5; i++) {
        CHECK("permit", turn_permit(n.turn, n.now, &n.peer) == ERR_OK);
        CHECK("bind", turn_bind(n.turn, n.now, &n.peer) == ERR_OK);
        if (i > 2)
            turn_net_drain(&n);
    }
    CHECK("one of each",
          n.requests[STUN_CREATE_PERMISSION] == 1 && n.requests[STUN_CHANNEL_BIND] == 1);
    turn_net_deinit(&n);
}

TEST(where_data_flows_nothing_keeps_the_wire_open)
{
    begin(0, ADDR_IPV4);
    turn_bind(n.turn, n.now, &n.peer);
    for (int i = 0; i < 360; i++) {
        turn_net_run(&n, n.now + 10 * SECOND);
        turn_net_send(&n, &n.peer, 1, 5, 5);
    }
    CHECK("only data", n.channel_data == 360 && n.indications == 0);
    turn_net_deinit(&n);
}

TEST(a_lost_permission_is_asked_again)
{
    begin(0, ADDR_IPV4);
    n.loses_out = true;
    turn_permit(n.turn, n.now, &n.peer);
    turn_net_run(&n, n.now + 30 * SECOND);
    n.loses_out = false;
    turn_net_run(&n, n.now + 15 * SECOND);
    turn_net_from(&n, &n.peer, bytes_of_string("late"));
    CHECK("got", n.at_client_count == 1);
    turn_net_deinit(&n);
}

/* A stale nonce meets everything that is under way at once. */
TEST(a_stale_nonce_under_many_requests)
{
    begin(0, ADDR_IPV4);
    relay_stale(n.relay);
    for (uint8_t i = 1; i <= 8; i++)
        turn_bind(n.turn, n.now, &(struct addr){ .family = ADDR_IPV4, .ip = { 9, 9, 9, i } });
    turn_net_drain(&n);
    for (uint8_t i = 1; i <= 8; i++) {
        struct addr peer = { .family = ADDR_IPV4, .ip = { 9, 9, 9, i } };

        turn_net_send(&n, &peer, 1, 9, 9);
    }
    CHECK("all bound", n.channel_data == 8 && n.at_peer_count == 8);
    turn_net_deinit(&n);
}

TEST(a_forgetful_server_is_noticed_by_a_permission)
{
    begin(0, ADDR_IPV4);
    relay_restart(n.relay);
    turn_permit(n.turn, n.now, &n.peer);
    turn_net_drain(&n);
    CHECK("failed with 437", !turn_is_live(n.turn) && n.event_count == 2 &&
                                 n.events[1].type == TURN_EVENT_FAILED && n.events[1].code == 437);
    turn_net_deinit(&n);
}

TEST(not_before_and_not_after)
{
    struct turn_net_config cfg = { .turn = USER, .relay = USER };

    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    CHECK("idle", turn_permit(n.turn, n.now, &n.peer) == ERR_WRONG_STATE &&
                      turn_bind(n.turn, n.now, &n.peer) == ERR_WRONG_STATE &&
                      turn_net_send(&n, &n.peer, 1, 5, 5) == ERR_WRONG_STATE);
    turn_net_deinit(&n);
}

TEST(too_long_a_datagram)
{
    static uint8_t big[TURN_DATAGRAM_MAX + TURN_HEAD_MAX + 1] = { 0x40, 0, 8, 0 };

    begin(0, ADDR_IPV4);
    CHECK("over the limit",
          turn_input(n.turn, n.now, &n.server, bytes_of(big, sizeof big)) == VERDICT_LIMIT);
    turn_net_deinit(&n);
}

TESTS(TEST_ROW(a_peer_with_another_address_every_day),
      TEST_ROW(datagrams_go_both_ways_as_indications), TEST_ROW(datagrams_go_both_ways_by_channel),
      TEST_ROW(data_follows_the_permission_in_the_same_moment), TEST_ROW(runs_arrive_as_they_were),
      TEST_ROW(what_wrapping_costs), TEST_ROW(no_room_changes_nothing),
      TEST_ROW(a_refusal_costs_only_that_peer), TEST_ROW(strangers_are_not_heard),
      TEST_ROW(an_hour_of_permissions_and_channels), TEST_ROW(limits),
      TEST_ROW(peers_that_cannot_be), TEST_ROW(asking_again_is_harmless),
      TEST_ROW(where_data_flows_nothing_keeps_the_wire_open),
      TEST_ROW(a_lost_permission_is_asked_again), TEST_ROW(a_stale_nonce_under_many_requests),
      TEST_ROW(a_forgetful_server_is_noticed_by_a_permission), TEST_ROW(too_long_a_datagram),
      TEST_ROW(not_before_and_not_after))

/* The model of a TURN server itself: what the client's tests do not show of it. */
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"
#include "tests/support/turn_net.h"

#define USER                                     \
    {                                            \
        .username = "user", .password = "secret" \
    }

static const struct turn_net_config with_password = { .turn = USER, .relay = USER };

static struct turn_net n;

static void begin(void)
{
    CHECK("made", turn_net_init(&n, &with_password) == ERR_OK);
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
    CHECK("live", turn_is_live(n.turn));
}

/* A second client of the same relay, which the net does not know. */
static struct turn *second_client(const struct addr *local)
{
    struct turn_config cfg = USER;
    struct relay_packet p;
    uint8_t buf[2048];
    struct turn *t;
    struct out out;

    cfg.local = *local;
    cfg.server = n.server;
    CHECK("made", turn_new(&t, &cfg, &n.rng) == ERR_OK);
    turn_start(t, n.now);
    out_init(&out, buf, sizeof buf);
    while (turn_poll_output(t, n.now, &out)) {
        (void)relay_input(n.relay, n.now, &out.from, &out.to, out_datagram(&out, 0));
        while (relay_poll_output(n.relay, &p))
            (void)turn_input(t, n.now, &p.from, p.dgram);
    }
    CHECK("live", turn_is_live(t));
    return t;
}

TEST(two_allocations_reach_each_other_inside)
{
    struct addr other = addr_ipv4(0x0a000003, 5000);
    struct turn *second;
    struct addr relayed;

    begin();
    second = second_client(&other);
    relayed = *turn_relayed(second);
    turn_bind(n.turn, n.now, &relayed);
    turn_net_drain(&n);
    turn_net_send(&n, &relayed, 1, 5, 5);
    CHECK("no permission back: dropped", n.at_peer_count == 0);
    CHECK("two", relay_allocation_count(n.relay) == 2 && relay_is_at(n.relay, &relayed));
    CHECK("different ports", relayed.port != turn_relayed(n.turn)->port);
    CHECK("counted", relay_counts(n.relay)->dropped == 1 && relay_counts(n.relay)->to_peers == 1);
    turn_free(second);
    turn_net_deinit(&n);
}

TEST(binding_requests_are_answered_to_anybody)
{
    struct addr from = addr_ipv4(0xc0000209, 99);
    struct stun_id id = { { 7 } };
    uint8_t raw[64];
    struct wr w = wr_of(raw, sizeof raw);
    struct relay_packet p;
    struct stun_msg m;

    begin();
    stun_encode_header(&w, STUN_REQUEST, STUN_BINDING, &id);
    CHECK("taken", relay_input(n.relay, n.now, &from, &n.server, wr_written(&w)) == VERDICT_TAKEN);
    CHECK("answered", relay_poll_output(n.relay, &p) && addr_equal(&p.to, &from));
    CHECK("with where it came from",
          stun_decode(&m, p.dgram) == VERDICT_TAKEN && addr_equal(&m.mapped, &from));
    turn_net_deinit(&n);
}

TEST(addresses_that_are_not_its_own)
{
    struct addr from = addr_ipv4(0xc0000209, 99), to = addr_ipv4(0xcb007101, 3479);

    begin();
    CHECK("foreign", relay_input(n.relay, n.now, &from, &to, bytes_of("x", 1)) == VERDICT_FOREIGN);
    CHECK("as it says", !relay_is_at(n.relay, &to) && relay_is_at(n.relay, &n.server));
    turn_net_deinit(&n);
}

TEST(allocations_end_by_themselves)
{
    begin();
    CHECK("until then", relay_next_timeout(n.relay) == n.now + 600 * SECOND);
    relay_tick(n.relay, n.now + 600 * SECOND);
    CHECK("gone", relay_allocation_count(n.relay) == 0);
    CHECK("nothing to wait for", relay_next_timeout(n.relay) == USEC_NEVER);
    turn_net_deinit(&n);
}

TEST(mute_and_restart)
{
    begin();
    turn_permit(n.turn, n.now, &n.peer);
    turn_net_drain(&n);
    relay_mute(n.relay, true);
    turn_net_from(&n, &n.peer, bytes_of_string("lost"));
    relay_mute(n.relay, false);
    turn_net_from(&n, &n.peer, bytes_of_string("heard"));
    CHECK("silent while mute", n.at_client_count == 1);
    relay_restart(n.relay);
    turn_net_from(&n, &n.peer, bytes_of_string("forgotten"));
    CHECK("forgot", n.at_client_count == 1 && relay_allocation_count(n.relay) == 0);
    turn_net_deinit(&n);
}

TEST(an_ended_connection_takes_its_allocation_along)
{
    struct turn_net_config cfg = with_password;

    cfg.turn.stream = 1;
    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
    CHECK("one", relay_allocation_count(n.relay) == 1);
    relay_end_stream(n.relay, &n.local, &n.server);
    CHECK("none", relay_allocation_count(n.relay) == 0);
    turn_net_deinit(&n);
}

TEST(connections_have_a_limit)
{
    begin();
    for (uint16_t i = 1; i <= RELAY_STREAMS_MAX; i++) {
        struct addr from = addr_ipv4(0x0a000002, i);

        CHECK("room", relay_input_stream(n.relay, n.now, &from, &n.server, bytes_of("\0", 1)) ==
                          VERDICT_TAKEN);
    }
    CHECK("no more", relay_input_stream(n.relay, n.now, &n.local, &n.server, bytes_of("\0", 1)) ==
                         VERDICT_LIMIT);
    turn_net_deinit(&n);
}

TEST(a_full_queue_drops)
{
    begin();
    turn_permit(n.turn, n.now, &n.peer);
    turn_net_drain(&n);
    for (int i = 0; i < 2 * RELAY_QUEUE_MAX; i++)
        (void)relay_input(n.relay, n.now, &n.peer, turn_relayed(n.turn), bytes_of("x", 1));
    turn_net_drain(&n);
    CHECK("the first ones came", n.at_client_count == RELAY_QUEUE_MAX);
    turn_net_deinit(&n);
}

TEST(ports_run_out)
{
    struct turn_net_config cfg = with_password;
    struct turn_config more = USER;
    struct turn_event ev;
    struct turn *first;

    cfg.relay.port_first = cfg.relay.port_last = 50000;
    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
    CHECK("the only one", turn_relayed(n.turn)->port == 50000);
    first = n.turn;
    more.local = n.local = addr_ipv4(0x0a000003, 5000);
    more.server = n.server;
    CHECK("made", turn_new(&n.turn, &more, &n.rng) == ERR_OK);
    turn_start(n.turn, n.now);
    n.event_count = 0;
    turn_net_drain(&n);
    ev = n.events[0];
    CHECK("508", n.event_count == 1 && ev.type == TURN_EVENT_FAILED && ev.code == 508);
    turn_free(first);
    turn_net_deinit(&n);
}

TEST(its_allocations_may_fail)
{
    ALLOC_FAIL_EACH {
        struct relay_config cfg = { .address = { .family = ADDR_IPV4 } };
        uint64_t seed = 1;
        struct rng rng = test_rng(&seed);
        struct relay *r;
        int err = relay_new(&r, &cfg, &rng);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("gives nothing half-made", (r != NULL) == (err == ERR_OK));
        relay_free(r);
    }
}

TESTS(TEST_ROW(two_allocations_reach_each_other_inside),
      TEST_ROW(binding_requests_are_answered_to_anybody), TEST_ROW(addresses_that_are_not_its_own),
      TEST_ROW(allocations_end_by_themselves), TEST_ROW(mute_and_restart),
      TEST_ROW(an_ended_connection_takes_its_allocation_along), TEST_ROW(connections_have_a_limit),
      TEST_ROW(a_full_queue_drops), TEST_ROW(ports_run_out), TEST_ROW(its_allocations_may_fail))

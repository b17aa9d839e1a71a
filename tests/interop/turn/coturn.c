/* Our TURN client against Debian's coturn: every wire, every kind of address, every refusal that
 * coturn can be told to make. tests/interop/turn/run.sh makes the network this needs. */
#include <unistd.h>

#include "tests/check.h"
#include "tests/interop/turn/client.h"
#include "tests/interop/turn/server.h"

#define V4     "192.0.2.1"
#define V4_TOO "192.0.2.2"
#define V6     "2001:db8::1"

#define ARGS(...)                                                  \
    (const char *const[])                                          \
    {                                                              \
        "--lt-cred-mech", "-u", "user:secret", ##__VA_ARGS__, NULL \
    }

#define CLIENT(...) (&(struct client_config){ __VA_ARGS__ })

static struct coturn server, other;
static struct client a, b;
static struct client *const one[] = { &a };
static struct client *const both[] = { &a, &b };

static bool start(const char *const args[])
{
    server = (struct coturn){ .addresses = { V4, V6 } };
    return coturn_start(&server, args);
}

static bool has_event(void *ctx)
{
    coturn_read_log(&server);
    return ((struct client *)ctx)->event_count > 0;
}

static bool has_second_event(void *ctx)
{
    coturn_read_log(&server);
    return ((struct client *)ctx)->event_count > 1;
}

static bool has_data(void *ctx)
{
    return ((struct client *)ctx)->count > 0;
}

static bool has_20(void *ctx)
{
    return ((struct client *)ctx)->count >= 20;
}

static bool is_past(void *until)
{
    coturn_read_log(&server);
    return client_now(&a) >= *(usec *)until;
}

static bool is_live(struct client *c)
{
    return clients_run((struct client *const[]){ c }, 1, has_event, c) && turn_is_live(c->turn);
}

static bool has_failed_with(struct client *c, uint16_t code)
{
    return clients_run((struct client *const[]){ c }, 1, has_event, c) &&
           c->events[0].type == TURN_EVENT_FAILED && c->events[0].code == code;
}

/* There and back: `count` datagrams to the peer, and one from it. */
static bool echoes(struct client *c, int peer, const struct addr *at, size_t count)
{
    uint8_t got[2048];
    struct addr from;
    size_t arrived = 0;

    if (!client_send(c, at, 'x', count, 1100))
        return false;
    while (arrived < count && peer_read(peer, &from, got, sizeof got) == 1100 && got[0] == 'x')
        arrived++;
    c->count = 0;
    return arrived == count && addr_equal(&from, turn_relayed(c->turn)) &&
           peer_write(peer, &from, "back", 4) && clients_run(&c, 1, has_data, c) && c->len == 4 &&
           memcmp(c->data, "back", 4) == 0 && addr_equal(&c->from, at);
}

static const struct {
    const char *claim, *server, *peer;
    enum wire wire;
    enum addr_family family;
} rows[] = {
    { "UDP", NULL, V4_TOO, WIRE_UDP, ADDR_IPV4 },
    { "TCP", NULL, V4_TOO, WIRE_TCP, ADDR_IPV4 },
    { "TLS", V4 ":5349", V4_TOO, WIRE_TLS, ADDR_IPV4 },
    { "UDP over IPv6", "[" V6 "]:3478", V6, WIRE_UDP, ADDR_IPV6 },
    { "TCP over IPv6", "[" V6 "]:3478", V6, WIRE_TCP, ADDR_IPV6 },
    { "TLS over IPv6", "[" V6 "]:5349", V6, WIRE_TLS, ADDR_IPV6 },
    { "an IPv6 relay by IPv4", NULL, V6, WIRE_UDP, ADDR_IPV6 },
    { "an IPv4 relay by IPv6", "[" V6 "]:3478", V4_TOO, WIRE_TCP, ADDR_IPV4 },
};

TEST(data_goes_both_ways_on_every_wire)
{
    CHECK("coturn", start(ARGS("--no-stun")));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr at;
        int peer = peer_open(rows[i].peer, &at);

        CHECK(rows[i].claim, client_open(&a, CLIENT(.server = rows[i].server, .wire = rows[i].wire,
                                                    .family = rows[i].family)));
        CHECK(rows[i].claim, is_live(&a) && turn_relayed(a.turn)->family == rows[i].family);
        CHECK(rows[i].claim, addr_equal(&a.events[0].mapped, &a.local));
        CHECK("permitted", turn_permit(a.turn, client_now(&a), &at) == ERR_OK);
        CHECK("answered", client_settles(&a));
        CHECK(rows[i].claim, echoes(&a, peer, &at, 10));
        CHECK("bound", turn_bind(a.turn, client_now(&a), &at) == ERR_OK);
        CHECK("answered", client_settles(&a));
        CHECK(rows[i].claim, echoes(&a, peer, &at, 30));
        client_close(&a);
        close(peer);
    }
    coturn_stop(&server);
}

TEST(data_may_follow_its_permission_at_once)
{
    struct addr at;
    int peer = peer_open(V4_TOO, &at);
    uint8_t got[64];

    CHECK("coturn", start(ARGS()));
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP)) && is_live(&a));
    CHECK("asked", turn_bind(a.turn, client_now(&a), &at) == ERR_OK);
    client_drain(&a);
    CHECK("sent", client_send(&a, &at, 'y', 1, 10));
    CHECK("and got through", peer_read(peer, &a.from, got, sizeof got) == 10);
    client_close(&a);
    close(peer);
    coturn_stop(&server);
}

TEST(two_clients_meet_at_their_relayed_addresses)
{
    static const enum wire wires[] = { WIRE_UDP, WIRE_TCP, WIRE_TLS };

    CHECK("coturn", start(ARGS()));
    for (size_t i = 0; i < COUNT(wires); i++) {
        const char *at = wires[i] == WIRE_TLS ? V4 ":5349" : NULL;

        CHECK("one", client_open(&a, CLIENT(.wire = wires[i], .server = at)) && is_live(&a));
        CHECK("two", client_open(&b, CLIENT(.wire = WIRE_UDP)) && is_live(&b));
        CHECK("bound", turn_bind(a.turn, client_now(&a), turn_relayed(b.turn)) == ERR_OK);
        CHECK("bound", turn_bind(b.turn, client_now(&b), turn_relayed(a.turn)) == ERR_OK);
        CHECK("answered", client_settles(&a) && client_settles(&b));
        CHECK("sent", client_send(&a, turn_relayed(b.turn), 'a', 20, 1000));
        CHECK("sent", client_send(&b, turn_relayed(a.turn), 'b', 20, 1000));
        CHECK("there", clients_run(both, 2, has_20, &b) && b.data[0] == 'a' && b.len == 1000);
        CHECK("and back", clients_run(both, 2, has_20, &a) && a.data[0] == 'b' && a.len == 1000);
        CHECK("from there", addr_equal(&a.from, turn_relayed(b.turn)));
        client_close(&a);
        client_close(&b);
    }
    coturn_stop(&server);
}

TEST(wrong_credentials_are_found_out_at_once)
{
    CHECK("coturn", start(ARGS()));
    for (int wire = WIRE_UDP; wire <= WIRE_TCP; wire++) {
        CHECK("open", client_open(&a, CLIENT(.wire = (enum wire)wire, .password = "wrong")));
        CHECK("401", has_failed_with(&a, 401));
        client_close(&a);
        CHECK("open", client_open(&a, CLIENT(.wire = (enum wire)wire, .username = "nobody")));
        CHECK("401", has_failed_with(&a, 401));
        client_close(&a);
        CHECK("open", client_open(&a, CLIENT(.wire = (enum wire)wire, .is_nobody = true)));
        CHECK("401", has_failed_with(&a, 401));
        client_close(&a);
    }
    coturn_stop(&server);
}

/* A second of the clock is a minute of the client's: permissions are renewed after 4 s where coturn
 * keeps them for 5, channels after 8 of 10, the allocation every 5, and the nonce lasts for 3. */
TEST(renewals_are_in_time)
{
    struct addr at;
    int peer = peer_open(V4_TOO, &at);

    CHECK("coturn",
          start(ARGS("--permission-lifetime", "5", "--channel-lifetime", "10", "--stale-nonce=3")));
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP, .speed = 60)) && is_live(&a));
    CHECK("bound", turn_bind(a.turn, client_now(&a), &at) == ERR_OK);
    for (int second = 0; second < 13; second++) {
        usec until = client_now(&a) + 60 * SECOND;

        CHECK("served", clients_run(one, 1, is_past, &until));
        CHECK("there and back", echoes(&a, peer, &at, 1));
    }
    CHECK("nonces became stale", a.stale >= 2);
    CHECK("which nobody noticed", a.event_count == 1 && turn_is_live(a.turn));
    client_close(&a);
    close(peer);
    coturn_stop(&server);
}

TEST(an_allocation_lasts_by_being_refreshed)
{
    struct addr at;
    int peer = peer_open(V4_TOO, &at);
    usec until;

    CHECK("coturn", start(ARGS("--max-allocate-lifetime", "3")));
    for (int wire = WIRE_UDP; wire <= WIRE_TCP; wire++) {
        CHECK("open", client_open(&a, CLIENT(.wire = (enum wire)wire)) && is_live(&a));
        CHECK("permitted", turn_permit(a.turn, client_now(&a), &at) == ERR_OK);
        until = client_now(&a) + 5 * SECOND;
        CHECK("served", clients_run(one, 1, is_past, &until));
        CHECK("still there", echoes(&a, peer, &at, 1) && a.event_count == 1);
        client_close(&a);
    }
    close(peer);
    coturn_stop(&server);
}

TEST(a_redirection_is_followed)
{
    static const char to[] = V4_TOO ":3478";
    struct addr expected;

    addr_parse(&expected, to);
    CHECK("coturn", start(ARGS("--alternate-server", to)));
    other = (struct coturn){ .addresses = { V4_TOO } };
    CHECK("the other", coturn_start(&other, ARGS("--pidfile", "2.pid", "--db", "2.db")));
    for (int wire = WIRE_UDP; wire <= WIRE_TCP; wire++) {
        CHECK("open", client_open(&a, CLIENT(.wire = (enum wire)wire)));
        CHECK("told", clients_run(one, 1, has_event, &a));
        CHECK("where", a.events[0].type == TURN_EVENT_REDIRECTED &&
                           addr_equal(&a.events[0].server, &expected));
        client_close(&a);
        CHECK("open", client_open(&a, CLIENT(.wire = (enum wire)wire, .server = to)));
        CHECK("live there", is_live(&a) && addr_equal_ip(turn_relayed(a.turn), &expected));
        client_close(&a);
    }
    coturn_stop(&other);
    coturn_stop(&server);
}

TEST(a_forbidden_peer_costs_only_itself)
{
    struct addr at, forbidden;
    int peer = peer_open(V4_TOO, &at);

    addr_parse(&forbidden, "192.0.2.9:9");
    CHECK("coturn", start(ARGS("--denied-peer-ip=192.0.2.9")));
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP)) && is_live(&a));
    CHECK("asked", turn_bind(a.turn, client_now(&a), &forbidden) == ERR_OK);
    CHECK("asked", turn_bind(a.turn, client_now(&a), &at) == ERR_OK);
    CHECK("answered", client_settles(&a));
    CHECK("the other", echoes(&a, peer, &at, 3) && a.event_count == 1);
    client_close(&a);
    close(peer);
    coturn_stop(&server);
}

TEST(more_than_a_users_share)
{
    CHECK("coturn", start(ARGS("--user-quota=1")));
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP)) && is_live(&a));
    CHECK("open", client_open(&b, CLIENT(.wire = WIRE_UDP)));
    CHECK("486", has_failed_with(&b, 486));
    client_close(&b);
    client_close(&a);
    coturn_stop(&server);
}

TEST(an_address_it_does_not_have)
{
    server = (struct coturn){ .addresses = { V4 } };
    CHECK("coturn", coturn_start(&server, ARGS()));
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP, .family = ADDR_IPV6)));
    CHECK("440", has_failed_with(&a, 440));
    client_close(&a);
    coturn_stop(&server);
}

/* Sixty-fold time again: the refresh after 300 s comes after 5. */
TEST(a_restart_is_noticed)
{
    CHECK("coturn", start(ARGS()));
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP, .speed = 60)) && is_live(&a));
    coturn_stop(&server);
    CHECK("coturn again", start(ARGS()));
    CHECK("told", clients_run(one, 1, has_second_event, &a));
    CHECK("437", a.events[1].type == TURN_EVENT_FAILED && a.events[1].code == 437);
    client_close(&a);
    coturn_stop(&server);
}

TEST(nobody_there)
{
    CHECK("open", client_open(&a, CLIENT(.wire = WIRE_UDP, .speed = 10)));
    CHECK("silence", has_failed_with(&a, 0));
    client_close(&a);
}

TESTS(TEST_ROW(data_goes_both_ways_on_every_wire), TEST_ROW(data_may_follow_its_permission_at_once),
      TEST_ROW(two_clients_meet_at_their_relayed_addresses),
      TEST_ROW(wrong_credentials_are_found_out_at_once), TEST_ROW(renewals_are_in_time),
      TEST_ROW(an_allocation_lasts_by_being_refreshed), TEST_ROW(a_redirection_is_followed),
      TEST_ROW(a_forbidden_peer_costs_only_itself), TEST_ROW(more_than_a_users_share),
      TEST_ROW(an_address_it_does_not_have), TEST_ROW(a_restart_is_noticed), TEST_ROW(nobody_there))

/* Endpoints, name look-ups and interfaces. */
#include <string.h>

#include "io/endpoint.h"
#include "io/interfaces.h"
#include "io/resolve.h"
#include "tests/check.h"
#include "tests/io/gate.h"

#include "core/base/bytes.h"

#define TEN   "abcdefghi."
#define FIFTY TEN TEN TEN TEN TEN
#define LONG  FIFTY FIFTY FIFTY FIFTY FIFTY "abcde" /* 255 */

static const struct {
    const char *claim, *text;
    const char *scheme, *host; /* host NULL: refused */
    uint16_t port;
} rows[] = {
    { "a name", "localhost", "", "localhost", 0 },
    { "a name and a port", "localhost:3478", "", "localhost", 3478 },
    { "an address and a port", "192.0.2.1:3478", "", "192.0.2.1", 3478 },
    { "IPv6 in brackets", "[2001:db8::1]:3478", "", "2001:db8::1", 3478 },
    { "IPv6 without a port", "[::1]", "", "::1", 0 },
    { "a STUN URI", "stun:stun.example.org", "stun", "stun.example.org", 0 },
    { "a STUN URI with a port", "stun:stun.example.org:19302", "stun", "stun.example.org", 19302 },
    { "a STUN URI of an address", "stun:192.0.2.1:3478", "stun", "192.0.2.1", 3478 },
    { "a STUN URI of IPv6", "stun:[::1]:3478", "stun", "::1", 3478 },
    { "a STUN URI of an address without a port", "stun:192.0.2.1", "stun", "192.0.2.1", 0 },
    { "a broker's URL", "mqtts://broker.example.org:8883", "mqtts", "broker.example.org", 8883 },
    { "a closing slash", "mqtt://broker/", "mqtt", "broker", 0 },
    { "schemes know no case", "MQTT://Broker", "mqtt", "Broker", 0 },
    { "the longest name", LONG, "", LONG, 0 },
    { "a longer one", LONG "f", NULL, NULL, 0 },
    { "the highest port", "a:65535", "", "a", 65535 },
    { "a higher one", "a:65536", NULL, NULL, 0 },
    { "much higher", "a:99999999999999999999", NULL, NULL, 0 },
    { "port zero", "a:0", NULL, NULL, 0 },
    { "no port after the colon", "192.0.2.1:", NULL, NULL, 0 },
    { "letters in the port", "192.0.2.1:80a", NULL, NULL, 0 },
    { "nothing", "", NULL, NULL, 0 },
    { "a scheme alone", "mqtt://", NULL, NULL, 0 },
    { "a port alone", ":80", NULL, NULL, 0 },
    { "bare IPv6", "2001:db8::1", NULL, NULL, 0 },
    { "an open bracket", "[::1", NULL, NULL, 0 },
    { "empty brackets", "[]:80", NULL, NULL, 0 },
    { "a path", "mqtt://host/path", NULL, NULL, 0 },
    { "a TURN URI", "turn:turn.example.org", "turn", "turn.example.org", 0 },
    { "with a port and a transport", "turn:a.b:99?transport=udp", "turn", "a.b", 99 },
    { "without the port", "turns:a.b?transport=tcp", "turns", "a.b", 0 },
    { "an address", "turn:192.0.2.1?transport=tcp", "turn", "192.0.2.1", 0 },
    { "IPv6", "turn:[::1]:99?transport=udp", "turn", "::1", 99 },
    { "another transport", "turn:host?transport=sctp", NULL, NULL, 0 },
    { "an empty transport", "turn:host?transport=", NULL, NULL, 0 },
    { "more behind the transport", "turn:host?transport=udp&a=b", NULL, NULL, 0 },
    { "another query", "turn:host?ttl=5", NULL, NULL, 0 },
    { "a transport of something else", "stun:host?transport=udp", NULL, NULL, 0 },
    { "a transport of nothing", "host?transport=udp", NULL, NULL, 0 },
    { "a socket's path", "mqtt+unix:///run/mosquitto.sock", "mqtt+unix", "/run/mosquitto.sock", 0 },
    { "a path that is not absolute", "mqtt+unix://run/mosquitto.sock", NULL, NULL, 0 },
    { "no path", "mqtt+unix:///", NULL, NULL, 0 },
    { "a path too long", "mqtt+unix:///" LONG, NULL, NULL, 0 },
    { "a plus in front", "+unix:///run/a", NULL, NULL, 0 },
    { "a user", "mqtt://user@host", NULL, NULL, 0 },
    { "a space", "a b", NULL, NULL, 0 },
};

TEST(endpoints)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct endpoint e = { .port = 77 };
        int err = endpoint_parse(&e, rows[i].text);

        if (rows[i].host)
            CHECK(rows[i].claim, !err && strcmp(e.scheme, rows[i].scheme) == 0 &&
                                     strcmp(e.host, rows[i].host) == 0 && e.port == rows[i].port);
        else
            CHECK(rows[i].claim, err == ERR_INVALID && e.port == 77);
    }
}

static const struct {
    const char *text;
    enum endpoint_transport transport;
} transports[] = {
    { "turn:host", ENDPOINT_ANY },
    { "turns:host:5349", ENDPOINT_ANY },
    { "turn:host?transport=udp", ENDPOINT_UDP },
    { "turn:[::1]:99?transport=tcp", ENDPOINT_TCP },
    { "turns:host?transport=tcp", ENDPOINT_TCP },
    { "host", ENDPOINT_ANY },
};

TEST(transports_of_turn_servers)
{
    for (size_t i = 0; i < COUNT(transports); i++) {
        struct endpoint e;

        CHECK(transports[i].text, endpoint_parse(&e, transports[i].text) == ERR_OK &&
                                      e.transport == transports[i].transport);
    }
}

/* ---- look-ups ---- */

struct looking {
    struct gate gate;
    struct io_loop *loop;
    struct resolve *resolve;
    const char *text;
    size_t calls;
    int err;
    struct addr first;
    char why[128];
    bool is_at_once;
};

static void on_found(void *ctx, int err, const struct addr *addrs, size_t count, const char *why)
{
    struct looking *l = ctx;

    gate_lock(&l->gate);
    l->calls++;
    l->err = err;
    if (count)
        l->first = addrs[0];
    snprintf(l->why, sizeof l->why, "%s", why);
    gate_unlock(&l->gate);
}

static void start_looking(void *ctx)
{
    struct looking *l = ctx;
    struct endpoint e;

    CHECK("parses", endpoint_parse(&e, l->text) == ERR_OK);
    CHECK("starts", resolve_start(&l->resolve, l->loop, &e, 3478, on_found, l) == ERR_OK);
    l->is_at_once = l->calls > 0;
}

static const struct {
    const char *claim, *text;
    const char *addr; /* NULL: any of loopback; "": fails */
    uint16_t port;
} look_ups[] = {
    { "a name, and the default port", "stun:localhost", NULL, 3478 },
    { "a name and a port", "localhost:99", NULL, 99 },
    { "an address", "192.0.2.7:80", "192.0.2.7", 80 },
    { "IPv6", "[2001:db8::7]:80", "2001:db8::7", 80 },
    { "a name that never is", "no-such-host.invalid:80", "", 0 },
};

TEST(look_ups_answer_later_and_once)
{
    for (size_t i = 0; i < COUNT(look_ups); i++) {
        struct looking l = { .gate = GATE_INIT, .text = look_ups[i].text };
        struct addr expected = { .family = ADDR_NONE };

        CHECK("the loop starts", io_loop_new(&l.loop) == ERR_OK);
        io_loop_run(l.loop, start_looking, &l);
        CHECK(look_ups[i].claim, GATE_WAIT(&l.gate, l.calls > 0));
        io_loop_free(l.loop);
        CHECK("once, and not within the call", l.calls == 1 && !l.is_at_once);
        if (!look_ups[i].addr) {
            CHECK(look_ups[i].claim, addr_scope_of(&l.first) == ADDR_SCOPE_LOOPBACK);
            CHECK("port", l.first.port == look_ups[i].port);
        } else if (look_ups[i].addr[0]) {
            CHECK("row", addr_parse_ip(&expected, look_ups[i].addr, look_ups[i].port));
            CHECK(look_ups[i].claim, l.err == ERR_OK && addr_equal(&l.first, &expected));
        } else {
            CHECK(look_ups[i].claim, l.err == ERR_WRONG_STATE && l.why[0]);
        }
    }
}

static void look_and_cancel(void *ctx)
{
    struct looking *l = ctx;

    start_looking(l);
    resolve_cancel(l->resolve);
    resolve_cancel(NULL);
}

TEST(a_cancelled_look_up_is_silent)
{
    struct looking l = { .gate = GATE_INIT, .text = "localhost:1" };

    CHECK("the loop starts", io_loop_new(&l.loop) == ERR_OK);
    io_loop_run(l.loop, look_and_cancel, &l);
    io_loop_free(l.loop); /* waits for libuv's part of it */
    CHECK("not called", l.calls == 0);
}

/* ---- interfaces ---- */

static void check_list(unsigned flags)
{
    struct interface_addr list[INTERFACES_MAX];
    size_t count = interfaces_list(list, flags);

    for (size_t i = 0; i < count; i++) {
        enum addr_scope scope = addr_scope_of(&list[i].addr);

        CHECK("usable", scope != ADDR_SCOPE_UNUSABLE);
        CHECK("of an interface, without a port", list[i].name[0] && list[i].addr.port == 0);
        CHECK("link-local ones tell where",
              list[i].addr.family != ADDR_IPV6 || scope != ADDR_SCOPE_LINK || list[i].addr.scope);
        CHECK("best first, no two alike", i == 0 || list[i].preference < list[i - 1].preference);
        CHECK("only what was asked for",
              !(flags & INTERFACES_IPV4_ONLY && list[i].addr.family != ADDR_IPV4) &&
                  !(flags & INTERFACES_IPV6_ONLY && list[i].addr.family != ADDR_IPV6));
    }
}

TEST(interfaces)
{
    struct interface_addr list[INTERFACES_MAX];
    size_t loopback = 0, other = 0, count;

    for (unsigned flags = 0; flags < 8; flags++)
        check_list(flags);
    count = interfaces_list(list, INTERFACES_LOOPBACK);
    for (size_t i = 0; i < count; i++)
        *(addr_scope_of(&list[i].addr) == ADDR_SCOPE_LOOPBACK ? &loopback : &other) += 1;
    CHECK("loopback where asked for", loopback > 0 || count == INTERFACES_MAX);
    count = interfaces_list(list, 0);
    CHECK("something always", count > 0);
    for (size_t i = 0; i < count; i++)
        CHECK("loopback only where there is nothing else",
              other == 0 || addr_scope_of(&list[i].addr) != ADDR_SCOPE_LOOPBACK);
}

static const struct {
    const char *claim, *ip;
    bool is_ours, is_reached; /* by a packet of ours, from its own address if that is ours */
} places[] = {
    { "loopback", "127.0.0.1", true, true },
    { "somebody else's", "192.0.2.77", false, false },
    { "nobody's", "0.0.0.0", false, false },
    { "everybody's", "255.255.255.255", false, false },
};

TEST(what_is_ours_and_where_we_leave_from)
{
    struct addr none = { .family = ADDR_NONE }, source;

    for (size_t i = 0; i < COUNT(places); i++) {
        struct addr ip;

        CHECK("row", addr_parse_ip(&ip, places[i].ip, 4000));
        CHECK(places[i].claim, interfaces_has(&ip) == places[i].is_ours);
        ip.port = 9;
        if (places[i].is_reached)
            CHECK(places[i].claim, interfaces_source(&source, &ip) && source.port == 0 &&
                                       addr_equal_ip(&source, &ip));
    }
    CHECK("no address at all", !interfaces_has(&none) && !interfaces_source(&source, &none));
}

TESTS(TEST_ROW(endpoints), TEST_ROW(transports_of_turn_servers),
      TEST_ROW(look_ups_answer_later_and_once), TEST_ROW(a_cancelled_look_up_is_silent),
      TEST_ROW(interfaces), TEST_ROW(what_is_ours_and_where_we_leave_from))

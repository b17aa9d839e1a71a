/* session_relay.c: sessions by TURN, over datagrams and over a stream, and servers that fail. */
#include <stdlib.h>

#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

#define SERVER    0x0a000050u /* 10.0.0.80 */
#define DIRECT_RT (2 * SESSION_PAIR_DELAY_US)
#define RELAY_RT  (4 * SESSION_PAIR_DELAY_US) /* of the relayed path: two hops each way */

static const struct session_config usual = { 0 };
static struct session_pair p;
static struct relay *server;

static void make(void)
{
    const struct relay_config cfg = {
        .address = addr_ipv4(SERVER, 3478),
        .username = "user",
        .password = "secret",
        .realm = "example",
    };

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("and a server", relay_new(&server, &cfg, &p.rng) == ERR_OK);
    p.relay = server;
    p.is_talking[OFFERER] = p.is_talking[ANSWERER] = true;
}

static void finish(void)
{
    session_pair_deinit(&p);
    relay_free(server);
}

static unsigned add_relay_by(int end, bool by_stream, const char *password)
{
    const struct session_relay relay = {
        .base = by_stream ? addr_ipv4(0x0a000001u + (uint32_t)end, 50000) : p.addr[end],
        .server = addr_ipv4(SERVER, 3478),
        .stream = by_stream ? SESSION_PAIR_STREAM : 0,
        .preference = 100,
        .username = "user",
        .password = password,
    };
    unsigned number = 99;

    if (by_stream)
        p.more[end][p.more_count[end]++] = relay.base;
    CHECK("added", session_add_relay(p.end[end], p.now, &relay, &number) == ERR_OK);
    CHECK("numbered", number < SESSION_RELAYS_MAX);
    session_pair_drain(&p, end);
    return number;
}

static void add_relay(int end)
{
    add_relay_by(end, false, "secret");
}

/* What a caller does with a relay that was lost. */
static void add_again(struct session_pair *pair, int end, const struct session_event *ev)
{
    (void)pair;
    if (ev->relay_state == SESSION_RELAY_FAILED)
        add_relay(end);
}

static usec connect(usec after)
{
    usec answered_at;

    session_pair_run(&p, p.now + 200 * MILLISECOND); /* allocations */
    p.hold_answer = true;
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + SESSION_PAIR_DELAY_US);
    answered_at = p.now;
    CHECK("answered", session_pair_answer(&p) == ERR_OK);
    session_pair_run(&p, p.now + after);
    return answered_at;
}

static void check_flow(const char *claim)
{
    static uint8_t data[200000];
    uint64_t had[2] = { p.seen[0].received[1], p.seen[1].received[1] };

    memset(data, 1, sizeof data);
    for (int from = 0; from < 2; from++) {
        CHECK("taken", session_send(p.end[from], p.now, 1, bytes_of(data, sizeof data)));
        session_pair_drain(&p, from);
    }
    session_pair_run(&p, p.now + 5 * SECOND);
    for (int to = 0; to < 2; to++)
        CHECK(claim, p.seen[to].received[1] - had[to] == sizeof data && !p.seen[to].is_closed);
    CHECK("nothing was mixed up", p.seen[0].wrong + p.seen[1].wrong == 0);
}

static const struct {
    const char *claim;
    unsigned relays;  /* bit: which end has one */
    unsigned streams; /* bit: by a stream */
} rows[] = {
    { "the offerer's relay", 1 << OFFERER, 0 },
    { "the answerer's relay", 1 << ANSWERER, 0 },
    { "each has one", 3, 0 },
    { "the offerer's, by a stream", 1 << OFFERER, 1 << OFFERER },
    { "each by a stream", 3, 3 },
};

TEST(by_relay_in_three_and_a_half_round_trips)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        usec answered_at;

        make();
        p.is_direct_cut = true;
        for (int end = 0; end < 2; end++)
            if (rows[i].relays & 1u << end)
                add_relay_by(end, rows[i].streams & 1u << end, "secret");
        answered_at = connect(5 * SECOND);
        for (int end = 0; end < 2; end++) {
            struct session_info info;

            session_get_info(p.end[end], &info);
            CHECK(rows[i].claim, p.seen[end].is_open && p.seen[end].received[0] == 1);
            CHECK("in time", p.seen[end].first_at - answered_at <= RELAY_RT * 7 / 2);
            CHECK("told",
                  info.path.local_type == ICE_RELAYED || info.path.remote_type == ICE_RELAYED);
            CHECK("and each relay",
                  p.seen[end].relay_states[SESSION_RELAY_LIVE] == (rows[i].relays >> end & 1));
        }
        check_flow(rows[i].claim);
        CHECK("they fit, and fill what there is", p.longest <= 1472 && p.longest > 1472 - 40);
        session_close(p.end[OFFERER], p.now, 0);
        session_pair_drain(&p, OFFERER);
        session_pair_run(&p, p.now + 5 * SECOND);
        CHECK("closed", p.seen[OFFERER].is_closed && p.seen[ANSWERER].is_closed);
        CHECK("and given back", relay_allocation_count(server) == 0);
        finish();
    }
}

TEST(a_relay_is_left_for_a_direct_path)
{
    struct session_info info;

    make();
    p.is_direct_cut = true;
    add_relay(OFFERER);
    connect(SECOND);
    session_get_info(p.end[OFFERER], &info);
    CHECK("by relay first", info.path.local_type == ICE_RELAYED);
    CHECK("and when direct is tried next", info.retry_at != USEC_NEVER);
    p.is_direct_cut = false;
    for (int end = 0; end < 2; end++) {
        session_check_paths(p.end[end], p.now);
        session_pair_drain(&p, end);
    }
    check_flow("meanwhile");
    for (int end = 0; end < 2; end++) {
        session_get_info(p.end[end], &info);
        CHECK("direct now", info.path.local_type == ICE_HOST && info.path.remote_type == ICE_HOST);
        CHECK("and no more tries", info.retry_at == USEC_NEVER);
    }
    finish();
}

/* Only a new gathering finds out that an address has changed: a relay that works hides it. */
TEST(a_fall_from_direct_to_relay_looks_for_paths_anew)
{
    make();
    add_relay(OFFERER);
    connect(SECOND);
    CHECK("direct first", p.seen[OFFERER].path.local_type == ICE_HOST);
    CHECK("of the first agents", p.seen[OFFERER].restarts + p.seen[ANSWERER].restarts == 0);
    p.is_direct_cut = true;
    check_flow("by the relay");
    CHECK("one begins, the other answers",
          p.seen[OFFERER].restarts == 1 && p.seen[ANSWERER].restarts == 1);
    session_pair_run(&p, p.now + MINUTE);
    check_flow("still");
    CHECK("once a fall", p.seen[OFFERER].restarts == 1 && p.seen[ANSWERER].restarts == 1);
    finish();
}

/* ---- Servers that fail ---------------------------------------------------------------------- */

static void check_direct(const char *claim, usec answered_at)
{
    for (int end = 0; end < 2; end++) {
        CHECK(claim, p.seen[end].is_open);
        CHECK("as soon as without", p.seen[end].first_at - answered_at <= DIRECT_RT * 5 / 2);
    }
}

TEST(a_silent_server_delays_nothing)
{
    make();
    relay_mute(server, true);
    add_relay(OFFERER);
    add_relay(ANSWERER);
    check_direct("open", connect(SECOND));
    session_pair_run(&p, p.now + 20 * SECOND);
    CHECK("told at last", p.seen[OFFERER].relay_states[SESSION_RELAY_FAILED] == 1);
    check_flow("well");
    finish();
}

TEST(a_wrong_password_costs_one_candidate)
{
    make();
    add_relay_by(OFFERER, false, "wrong");
    check_direct("open", connect(SECOND));
    CHECK("told", p.seen[OFFERER].relay_states[SESSION_RELAY_FAILED] == 1);
    finish();
}

TEST(another_server_is_named)
{
    const struct addr other = addr_ipv4(0x0a000051u, 3478);

    make();
    relay_redirect(server, &other);
    add_relay(OFFERER);
    session_pair_run(&p, p.now + SECOND);
    CHECK("told", p.seen[OFFERER].relay_states[SESSION_RELAY_REDIRECTED] == 1);
    CHECK("which", addr_equal(&p.seen[OFFERER].redirected, &other));
    check_direct("open", connect(SECOND));
    finish();
}

TEST(a_server_that_forgets_everything)
{
    usec at;

    make();
    p.is_direct_cut = true;
    add_relay(OFFERER);
    add_relay(ANSWERER);
    connect(SECOND);
    relay_restart(server);
    at = p.now;
    p.on_relay = add_again;
    check_flow("it goes on");
    for (int end = 0; end < 2; end++)
        CHECK("by a new allocation, soon",
              p.seen[end].path_at > at && p.seen[end].path_at - at < SECOND);
    finish();
}

/* What left from the socket would otherwise be taken for what leaves from the relay. */
TEST(a_server_that_lends_us_our_own_address)
{
    const struct relay_config liar = {
        .address = addr_ipv4(0x0a000001u, 3478), /* the offerer's IP, and port */
        .port_first = 4000,
        .port_last = 4000,
    };
    const struct session_relay relay = {
        .base = addr_ipv4(0x0a000001u, 4000),
        .server = liar.address,
        .username = "user",
        .password = "secret",
    };
    unsigned number;

    make();
    relay_free(server);
    CHECK("a liar", relay_new(&server, &liar, &p.rng) == ERR_OK);
    p.relay = server;
    CHECK("added", session_add_relay(p.end[OFFERER], p.now, &relay, &number) == ERR_OK);
    session_pair_drain(&p, OFFERER);
    session_pair_run(&p, p.now + 100 * MILLISECOND);
    CHECK("it was lent", relay_allocation_count(server) == 1);
    CHECK("and is refused", p.seen[OFFERER].relay_states[SESSION_RELAY_LIVE] == 0 &&
                                p.seen[OFFERER].relay_states[SESSION_RELAY_FAILED] == 1);
    finish();
}

/* A server's address as a candidate is as good as any other that does not answer. */
TEST(a_peer_that_names_our_server)
{
    const struct ice_candidate c = {
        .type = ICE_HOST,
        .priority = 2130706431,
        .foundation = "9",
        .addr = addr_ipv4(SERVER, 3478),
    };

    make();
    add_relay(OFFERER);
    (void)session_add_remote(p.end[OFFERER], p.now, &c);
    session_pair_drain(&p, OFFERER);
    check_direct("open", connect(SECOND));
    check_flow("well");
    CHECK("the relay lives", relay_allocation_count(server) == 1);
    finish();
}

TEST(a_stream_that_ends)
{
    make();
    p.is_direct_cut = true;
    add_relay_by(OFFERER, true, "secret");
    add_relay(ANSWERER);
    connect(SECOND);
    session_end_stream(p.end[OFFERER], p.now, SESSION_PAIR_STREAM);
    session_pair_drain(&p, OFFERER);
    CHECK("told", p.seen[OFFERER].relay_states[SESSION_RELAY_FAILED] == 1);
    check_flow("by the other's");
    finish();
}

/* ---- Calls ---------------------------------------------------------------------------------- */

TEST(what_cannot_be_added)
{
    struct session_relay relay = {
        .base = addr_ipv4(0x0a000001u, 4000),
        .server = addr_ipv4(SERVER, 3478),
        .username = "user",
        .password = "secret",
    };
    struct session *s;
    unsigned number;

    make();
    s = p.end[OFFERER];
    CHECK("one", session_add_relay(s, p.now, &relay, &number) == ERR_OK);
    CHECK("not twice", session_add_relay(s, p.now, &relay, &number) == ERR_INVALID);
    relay.server.port = 0;
    CHECK("nowhere", session_add_relay(s, p.now, &relay, &number) == ERR_INVALID);
    relay.server = addr_ipv4(0xe0000001u, 3478);
    CHECK("everywhere", session_add_relay(s, p.now, &relay, &number) == ERR_INVALID);
    relay.server = addr_ipv4(SERVER, 3479);
    relay.password = NULL;
    CHECK("without a word", session_add_relay(s, p.now, &relay, &number) == ERR_INVALID);
    relay.password = "secret";
    for (unsigned i = 1; i < SESSION_RELAYS_MAX; i++, relay.server.port++)
        CHECK("more", session_add_relay(s, p.now, &relay, &number) == ERR_OK);
    CHECK("too many", session_add_relay(s, p.now, &relay, &number) == ERR_LIMIT);
    session_remove_socket(s, p.now, &relay.base);
    session_pair_drain(&p, OFFERER);
    CHECK("all went with their socket",
          p.seen[OFFERER].relay_states[SESSION_RELAY_FAILED] == SESSION_RELAYS_MAX);
    CHECK("there is room again", session_add_relay(s, p.now, &relay, &number) == ERR_OK);
    CHECK("no such stream",
          session_input_stream(s, p.now, 9, bytes_of("x", 1)) == VERDICT_UNEXPECTED);
    session_end_stream(s, p.now, 9);
    session_end_stream(s, p.now, 0);
    finish();
}

/* Only what a server may say of itself: addresses that are ours or nobody's are refused. */
TEST(a_stream_of_nonsense)
{
    static uint8_t noise[70000];

    make();
    add_relay_by(OFFERER, true, "secret");
    rng_fill(&p.rng, noise, sizeof noise);
    (void)session_input_stream(p.end[OFFERER], p.now, SESSION_PAIR_STREAM,
                               bytes_of(noise, sizeof noise));
    session_pair_drain(&p, OFFERER);
    CHECK("it ends", p.seen[OFFERER].relay_states[SESSION_RELAY_FAILED] == 1);
    check_direct("nothing else", connect(SECOND));
    finish();
}

TESTS(TEST_ROW(by_relay_in_three_and_a_half_round_trips),
      TEST_ROW(a_relay_is_left_for_a_direct_path),
      TEST_ROW(a_fall_from_direct_to_relay_looks_for_paths_anew),
      TEST_ROW(a_silent_server_delays_nothing), TEST_ROW(a_wrong_password_costs_one_candidate),
      TEST_ROW(another_server_is_named), TEST_ROW(a_server_that_forgets_everything),
      TEST_ROW(a_server_that_lends_us_our_own_address), TEST_ROW(a_peer_that_names_our_server),
      TEST_ROW(a_stream_that_ends), TEST_ROW(what_cannot_be_added), TEST_ROW(a_stream_of_nonsense))

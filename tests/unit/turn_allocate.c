/* Getting an allocation, keeping it, giving it back; and every way a server may refuse. */
#include "tests/check.h"
#include "tests/support/turn_net.h"

#define USER                                     \
    {                                            \
        .username = "user", .password = "secret" \
    }

static struct turn_net n;

static const struct turn_net_config with_password = { .turn = USER, .relay = USER };

static void begin(const struct turn_net_config *cfg)
{
    CHECK("made", turn_net_init(&n, cfg) == ERR_OK);
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
}

static bool ended_with(enum turn_event_type type, uint16_t code)
{
    return n.event_count > 0 && n.events[n.event_count - 1].type == type &&
           n.events[n.event_count - 1].code == code && !turn_is_live(n.turn) &&
           turn_next_timeout(n.turn) == USEC_NEVER;
}

TEST(an_allocation_takes_two_round_trips)
{
    begin(&with_password);
    CHECK("live", turn_is_live(n.turn) && n.event_count == 1);
    CHECK("told", n.events[0].type == TURN_EVENT_ALLOCATED);
    CHECK("the server's IP, another port",
          addr_equal_ip(&n.events[0].relayed, &n.server) && n.events[0].relayed.port == 49152);
    CHECK("where we are seen", addr_equal(&n.events[0].mapped, &n.local));
    CHECK("asked without and with credentials", n.requests[STUN_ALLOCATE] == 2);
    CHECK("challenged once", relay_counts(n.relay)->challenges == 1);
    CHECK("the same", addr_equal(turn_relayed(n.turn), &n.events[0].relayed));
    turn_net_deinit(&n);
}

TEST(a_server_that_lets_everybody_in_takes_one)
{
    begin(&(struct turn_net_config){ .turn = USER });
    CHECK("live", turn_is_live(n.turn));
    CHECK("one request", n.requests[STUN_ALLOCATE] == 1);
    turn_net_deinit(&n);
}

TEST(an_ipv6_address_when_asked_for)
{
    struct turn_net_config cfg = with_password;

    cfg.turn.family = ADDR_IPV6;
    begin(&cfg);
    CHECK("live", turn_is_live(n.turn) && turn_relayed(n.turn)->family == ADDR_IPV6);
    turn_net_deinit(&n);
}

static const struct {
    const char *claim, *username, *password;
    uint16_t code;
    unsigned requests;
} refusals[] = {
    { "a wrong password is found out at once", "user", "wrong", 401, 2 },
    { "a wrong name too", "somebody", "secret", 401, 2 },
    { "no credentials: nothing to answer with", NULL, NULL, 401, 1 },
    { "an empty name is none", "", "secret", 401, 1 },
};

TEST(wrong_credentials)
{
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct turn_net_config cfg = with_password;

        cfg.turn.username = refusals[i].username;
        cfg.turn.password = refusals[i].password;
        begin(&cfg);
        CHECK(refusals[i].claim, ended_with(TURN_EVENT_FAILED, refusals[i].code));
        CHECK(refusals[i].claim, n.event_count == 1);
        CHECK(refusals[i].claim, n.requests[STUN_ALLOCATE] == refusals[i].requests);
        turn_net_deinit(&n);
    }
}

TEST(credentials_have_a_limit)
{
    char text[TURN_CREDENTIAL_MAX + 2];
    struct turn_net_config cfg = with_password;

    memset(text, 'x', sizeof text);
    text[TURN_CREDENTIAL_MAX] = '\0';
    cfg.turn.password = cfg.relay.password = text;
    begin(&cfg);
    CHECK("the longest works", turn_is_live(n.turn));
    turn_net_deinit(&n);
    text[TURN_CREDENTIAL_MAX] = 'x';
    text[TURN_CREDENTIAL_MAX + 1] = '\0';
    CHECK("longer is refused", turn_net_init(&n, &cfg) == ERR_INVALID && !n.turn);
    turn_net_deinit(&n);
}

TEST(nobody_is_asked_at_an_address_that_is_nobodys)
{
    static const char *const rows[] = { "0.0.0.0:3478", "224.0.0.1:3478", "255.255.255.255:3478",
                                        "192.0.2.1:0" };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct turn_net_config cfg = with_password;

        addr_parse(&cfg.turn.server, rows[i]);
        CHECK(rows[i], turn_net_init(&n, &cfg) == ERR_INVALID && !n.turn);
        turn_net_deinit(&n);
    }
}

TEST(silence_is_asked_again_and_given_up)
{
    static const usec sent_ms[] = { 0, 100, 300, 700, 1500, 3100, 4700 };
    struct turn_net_config cfg = with_password;
    usec start;

    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    CHECK("idle at first", turn_next_timeout(n.turn) == USEC_NEVER);
    n.loses_out = true;
    start = n.now;
    turn_start(n.turn, n.now);
    for (size_t i = 0; i < COUNT(sent_ms); i++) {
        turn_net_run(&n, start + sent_ms[i] * MILLISECOND - 1);
        CHECK("not sooner", i == 0 || n.requests[STUN_ALLOCATE] == i);
        turn_net_run(&n, start + sent_ms[i] * MILLISECOND);
        CHECK("then", n.requests[STUN_ALLOCATE] == i + 1);
    }
    CHECK("not yet", n.event_count == 0);
    turn_net_run(&n, start + 5 * SECOND);
    CHECK("given up", ended_with(TURN_EVENT_FAILED, 0) && n.event_count == 1);
    turn_net_run(&n, start + 3600 * SECOND);
    CHECK("for good", n.requests[STUN_ALLOCATE] == COUNT(sent_ms));
    turn_net_deinit(&n);
}

TEST(over_a_stream_nothing_is_sent_twice)
{
    struct turn_net_config cfg = with_password;

    cfg.turn.stream = 3;
    CHECK("made", turn_net_init(&n, &cfg) == ERR_OK);
    n.loses_out = true;
    turn_start(n.turn, n.now);
    turn_net_run(&n, n.now + 60 * SECOND);
    CHECK("once", n.requests[STUN_ALLOCATE] == 1 && ended_with(TURN_EVENT_FAILED, 0));
    turn_net_deinit(&n);
}

TEST(a_lost_answer_costs_a_resend)
{
    CHECK("made", turn_net_init(&n, &with_password) == ERR_OK);
    n.loses_in = true;
    turn_start(n.turn, n.now);
    turn_net_run(&n, n.now + 50 * MILLISECOND);
    n.loses_in = false;
    turn_net_run(&n, n.now + 60 * MILLISECOND);
    CHECK("live", turn_is_live(n.turn));
    CHECK("three requests", n.requests[STUN_ALLOCATE] == 3);
    turn_net_deinit(&n);
}

TEST(a_redirection_is_one_event)
{
    struct addr other = addr_ipv4(0xcb007102, 3479);

    CHECK("made", turn_net_init(&n, &with_password) == ERR_OK);
    relay_redirect(n.relay, &other);
    turn_start(n.turn, n.now);
    turn_net_run(&n, n.now + 20 * SECOND);
    CHECK("one", n.event_count == 1 && ended_with(TURN_EVENT_REDIRECTED, 300));
    CHECK("to there", addr_equal(&n.events[0].server, &other));
    turn_stop(n.turn, n.now);
    turn_net_drain(&n);
    CHECK("nothing to give back", n.requests[STUN_REFRESH] == 0);
    turn_net_deinit(&n);
}

static const struct {
    const char *claim, *server;
} bad_alternates[] = {
    { "itself", "203.0.113.1:3478" },    { "nobody", "0.0.0.0:3478" },
    { "everybody", "224.0.0.1:3478" },   { "this machine", "127.0.0.1:3478" },
    { "port 0", "203.0.113.2:0" },       { "another family", "[2001:db8::2]:3478" },
    { "this link", "169.254.1.1:3478" },
};

TEST(a_redirection_to_nowhere_is_a_failure)
{
    for (size_t i = 0; i < COUNT(bad_alternates); i++) {
        struct addr other;

        CHECK("made", turn_net_init(&n, &with_password) == ERR_OK);
        addr_parse(&other, bad_alternates[i].server);
        relay_redirect(n.relay, &other);
        turn_start(n.turn, n.now);
        turn_net_run(&n, n.now + 20 * SECOND);
        CHECK(bad_alternates[i].claim, n.event_count == 1 && ended_with(TURN_EVENT_FAILED, 300));
        turn_net_deinit(&n);
    }
}

TEST(an_hour_is_kept_alive_with_few_requests)
{
    begin(&with_password);
    turn_net_run(&n, n.now + 3600 * SECOND);
    CHECK("live", turn_is_live(n.turn) && n.event_count == 1);
    CHECK("every five minutes", n.requests[STUN_REFRESH] == 12);
    CHECK("the wire is kept open too", n.indications >= 256 && n.indications <= 258);
    CHECK("the server has one", relay_allocation_count(n.relay) == 1);
    turn_net_deinit(&n);
}

TEST(a_short_lifetime_is_followed)
{
    struct turn_net_config cfg = with_password;

    cfg.relay.lifetime_s = 10;
    begin(&cfg);
    turn_net_run(&n, n.now + 60 * SECOND);
    CHECK("live", turn_is_live(n.turn) && relay_allocation_count(n.relay) == 1);
    CHECK("every five seconds", n.requests[STUN_REFRESH] == 12);
    turn_net_deinit(&n);
}

TEST(stale_nonces_go_unnoticed)
{
    struct turn_net_config cfg = with_password;

    cfg.relay.nonce_us = 100 * SECOND;
    begin(&cfg);
    turn_net_run(&n, n.now + 3600 * SECOND);
    CHECK("live", turn_is_live(n.turn) && n.event_count == 1);
    CHECK("each refresh met 438", relay_counts(n.relay)->challenges == 1 + 12);
    turn_net_deinit(&n);
}

TEST(a_server_that_forgot_us_is_noticed_by_the_next_refresh)
{
    begin(&with_password);
    relay_restart(n.relay);
    turn_net_run(&n, n.now + 299 * SECOND);
    CHECK("not yet", turn_is_live(n.turn));
    turn_net_run(&n, n.now + 2 * SECOND);
    CHECK("437", ended_with(TURN_EVENT_FAILED, 437) && n.event_count == 2);
    turn_net_deinit(&n);
}

TEST(a_check_tells_at_once_whether_we_are_forgotten)
{
    begin(&with_password);
    turn_check(n.turn, n.now);
    turn_check(n.turn, n.now);
    turn_net_run(&n, n.now + SECOND);
    CHECK("all is well", turn_is_live(n.turn) && n.requests[STUN_REFRESH] == 1);
    relay_restart(n.relay);
    turn_check(n.turn, n.now);
    turn_net_run(&n, n.now);
    CHECK("437", ended_with(TURN_EVENT_FAILED, 437) && n.event_count == 2);
    turn_check(n.turn, n.now);
    CHECK("harmless afterwards", turn_next_timeout(n.turn) == USEC_NEVER);
    turn_net_deinit(&n);
}

TEST(a_silent_server_is_asked_until_the_allocation_has_run_out)
{
    begin(&with_password);
    relay_mute(n.relay, true);
    turn_net_run(&n, n.now + 599 * SECOND);
    CHECK("until then", turn_is_live(n.turn));
    turn_net_run(&n, n.now + 2 * SECOND);
    CHECK("and no longer", ended_with(TURN_EVENT_FAILED, 0));
    CHECK("without a storm", n.requests[STUN_REFRESH] <= 20 * 7);
    turn_net_deinit(&n);
}

TEST(a_gap_at_the_refresh_is_survived)
{
    begin(&with_password);
    turn_net_run(&n, n.now + 299 * SECOND);
    n.loses_out = true;
    turn_net_run(&n, n.now + 60 * SECOND);
    n.loses_out = false;
    turn_net_run(&n, n.now + 3600 * SECOND);
    CHECK("live", turn_is_live(n.turn) && relay_allocation_count(n.relay) == 1);
    turn_net_deinit(&n);
}

TEST(stopping_gives_the_allocation_back)
{
    begin(&with_password);
    turn_stop(n.turn, n.now);
    turn_net_drain(&n);
    CHECK("it is gone", relay_allocation_count(n.relay) == 0);
    CHECK("in one request", n.requests[STUN_REFRESH] == 1);
    turn_stop(n.turn, n.now);
    turn_start(n.turn, n.now);
    turn_net_run(&n, n.now + 3600 * SECOND);
    CHECK("and silence", n.requests[STUN_REFRESH] == 1 && n.requests[STUN_ALLOCATE] == 2);
    CHECK("no event for it", n.event_count == 1);
    CHECK("nothing more goes out", turn_net_send(&n, &n.peer, 1, 5, 5) == ERR_WRONG_STATE);
    turn_net_deinit(&n);
}

TEST(stopping_while_the_answer_is_on_its_way)
{
    uint8_t buf[2048];
    struct out out;

    CHECK("made", turn_net_init(&n, &with_password) == ERR_OK);
    turn_start(n.turn, n.now);
    n.loses_in = true;
    turn_net_drain(&n);
    turn_stop(n.turn, n.now);
    out_init(&out, buf, sizeof buf);
    CHECK("before credentials there is nothing to give back",
          !turn_poll_output(n.turn, n.now, &out));
    turn_net_deinit(&n);
}

TEST(a_second_allocation_of_the_same_address_is_refused)
{
    struct turn *second;
    struct turn_config cfg = USER;

    begin(&with_password);
    cfg.local = n.local;
    cfg.server = n.server;
    CHECK("made", turn_new(&second, &cfg, &n.rng) == ERR_OK);
    turn_free(n.turn);
    n.turn = second;
    turn_start(n.turn, n.now);
    turn_net_drain(&n);
    CHECK("437", ended_with(TURN_EVENT_FAILED, 437));
    turn_net_deinit(&n);
}

TEST(a_server_without_room_or_address)
{
    struct turn_net_config cfg = with_password;

    cfg.relay.port_first = cfg.relay.port_last = 50000;
    begin(&cfg);
    CHECK("the only port", turn_relayed(n.turn)->port == 50000);
    turn_net_deinit(&n);
}

TESTS(TEST_ROW(an_allocation_takes_two_round_trips),
      TEST_ROW(a_server_that_lets_everybody_in_takes_one), TEST_ROW(an_ipv6_address_when_asked_for),
      TEST_ROW(wrong_credentials), TEST_ROW(credentials_have_a_limit),
      TEST_ROW(nobody_is_asked_at_an_address_that_is_nobodys),
      TEST_ROW(silence_is_asked_again_and_given_up), TEST_ROW(over_a_stream_nothing_is_sent_twice),
      TEST_ROW(a_lost_answer_costs_a_resend), TEST_ROW(a_redirection_is_one_event),
      TEST_ROW(a_redirection_to_nowhere_is_a_failure),
      TEST_ROW(an_hour_is_kept_alive_with_few_requests), TEST_ROW(a_short_lifetime_is_followed),
      TEST_ROW(stale_nonces_go_unnoticed),
      TEST_ROW(a_server_that_forgot_us_is_noticed_by_the_next_refresh),
      TEST_ROW(a_check_tells_at_once_whether_we_are_forgotten),
      TEST_ROW(a_silent_server_is_asked_until_the_allocation_has_run_out),
      TEST_ROW(a_gap_at_the_refresh_is_survived), TEST_ROW(stopping_gives_the_allocation_back),
      TEST_ROW(stopping_while_the_answer_is_on_its_way),
      TEST_ROW(a_second_allocation_of_the_same_address_is_refused),
      TEST_ROW(a_server_without_room_or_address))

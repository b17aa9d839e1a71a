/* Candidates and pairs: priorities, foundations, what is redundant, what gives way. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"

static const struct ice_config controlling = { .controlling = true };
static const struct ice_config controlled = { .controlling = false };

TEST(candidate_priorities_follow_the_formula)
{
    static const struct {
        const char *claim;
        enum ice_type type;
        uint16_t preference;
        uint32_t priority;
    } rows[] = {
        { "host", ICE_HOST, 65535, 2130706431 },
        { "host of a lesser interface", ICE_HOST, 0, 2113929471 },
        { "peer-reflexive", ICE_PEER_REFLEXIVE, 65535, 1862270975 },
        { "server-reflexive", ICE_SERVER_REFLEXIVE, 65535, 1694498815 },
        { "relayed", ICE_RELAYED, 65535, 16777215 },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, ice_priority(rows[i].type, rows[i].preference) == rows[i].priority);
}

/* Both sides of a pair must come to the same number, whoever controls. */
TEST(pair_priorities_are_the_same_on_both_sides)
{
    static const struct {
        const char *claim;
        uint16_t ours, theirs; /* preferences */
        uint64_t if_we_control, if_they_do;
    } rows[] = {
        { "ours is larger", 65535, 0, 9079257948256993279u, 9079257948256993278u },
        { "theirs is larger", 0, 65535, 9079257948256993278u, 9079257948256993279u },
        { "equal", 65535, 65535, 9151314442783293438u, 9151314442783293438u },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        for (int we = 0; we < 2; we++) {
            struct peer p;
            struct addr base = peer_addr("10.0.0.1:4000");
            struct ice_candidate c =
                peer_candidate("10.0.0.2:5000", ice_priority(ICE_HOST, rows[i].theirs));
            uint8_t pair;

            peer_init(&p, we ? &controlling : &controlled);
            ice_add_host(p.ice, PEER_NOW, &base, rows[i].ours);
            ice_add_remote(p.ice, PEER_NOW, &c);
            pair = ice_find_pair(p.ice, 1, 0);
            CHECK(rows[i].claim, pair != ICE_NONE);
            CHECK(rows[i].claim, ice_pair_priority(p.ice, &p.ice->pairs[pair]) ==
                                     (we ? rows[i].if_we_control : rows[i].if_they_do));
            ice_free(p.ice);
        }
}

static struct ice_candidate next_candidate(struct peer *p)
{
    struct ice_event ev = { 0 };

    CHECK("an event", ice_poll_event(p->ice, &ev));
    CHECK("with a candidate", ev.type == ICE_EVENT_LOCAL_CANDIDATE);
    return ev.candidate;
}

TEST(foundations_tell_addresses_apart_not_ports)
{
    struct peer p;
    struct addr same = peer_addr("192.168.1.1:4001"), other = peer_addr("192.168.1.7:4000");
    struct ice_candidate first, second, third;

    peer_init(&p, &controlling);
    ice_add_host(p.ice, PEER_NOW, &same, 1);
    ice_add_host(p.ice, PEER_NOW, &other, 1);
    first = next_candidate(&p);
    second = next_candidate(&p);
    third = next_candidate(&p);
    CHECK("another port, the same", strcmp(first.foundation, second.foundation) == 0);
    CHECK("another address, another", strcmp(first.foundation, third.foundation) != 0);
    ice_free(p.ice);
}

/* Takes the next request, which must go to a STUN server, and answers it. */
static void answer_query_at(struct peer *p, usec now, const char *mapped)
{
    uint8_t raw[100];
    struct wr w = wr_of(raw, sizeof raw);
    struct addr at = peer_addr(mapped);
    struct stun_msg m = { 0 };

    CHECK("asked", ice_poll_output(p->ice, &p->out));
    stun_decode(&m, out_datagram(&p->out, 0));
    stun_encode_header(&w, STUN_SUCCESS, STUN_BINDING, &m.id);
    stun_add_xor_mapped(&w, &at);
    CHECK("taken",
          ice_input(p->ice, now, &p->out.from, &p->out.to, wr_written(&w)) == VERDICT_TAKEN);
}

static void answer_query(struct peer *p, const char *mapped)
{
    answer_query_at(p, PEER_NOW, mapped);
}

TEST(reflexive_candidates_by_what_servers_say)
{
    static const struct {
        const char *claim, *first, *second;
        size_t candidates; /* beside the host */
    } rows[] = {
        { "both say the same", "203.0.113.5:9000", "203.0.113.5:9000", 1 },
        { "a NAT that maps by destination", "203.0.113.5:9000", "203.0.113.5:9001", 2 },
        { "no NAT", "192.168.1.1:4000", "192.168.1.1:4000", 0 },
        { "nonsense", "0.0.0.0:9000", "224.0.0.1:9000", 0 },
        { "another family", "[2001:db8::1]:9000", "203.0.113.5:9000", 1 },
        { "no port", "203.0.113.5:0", "203.0.113.5:9000", 1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct addr one = peer_addr("198.51.100.1:3478"), two = peer_addr("198.51.100.2:3478");
        struct ice_event ev;
        char foundation[33] = "";

        peer_init(&p, &controlling);
        next_candidate(&p);
        ice_add_stun_server(p.ice, PEER_NOW, &one);
        ice_add_stun_server(p.ice, PEER_NOW, &two);
        ice_end_local(p.ice, PEER_NOW);
        answer_query(&p, rows[i].first);
        CHECK(rows[i].claim, ice_is_gathering(p.ice));
        answer_query(&p, rows[i].second);
        for (size_t c = 0; c < rows[i].candidates; c++) {
            struct ice_candidate found = next_candidate(&p);

            CHECK(rows[i].claim, found.type == ICE_SERVER_REFLEXIVE && found.related.port == 4000);
            CHECK("each server has its foundation", strcmp(foundation, found.foundation) != 0);
            memcpy(foundation, found.foundation, sizeof foundation);
        }
        CHECK(rows[i].claim, ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
        CHECK(rows[i].claim, !ice_poll_event(p.ice, &ev));
        ice_free(p.ice);
    }
}

TEST(a_learned_candidate_becomes_the_signalled_one)
{
    struct peer p;
    struct ice_candidate c = peer_candidate("192.168.1.2:5000", 2130706431), later = c;
    uint8_t raw[700];

    peer_init(&p, &controlling);
    ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
    CHECK("learned",
          p.ice->remotes[0].type == ICE_PEER_REFLEXIVE && p.ice->remotes[0].priority == 1000);
    CHECK("signalled", ice_add_remote(p.ice, PEER_NOW, &c) == ERR_OK);
    CHECK("is the same one", p.ice->remote_count == 1 && p.ice->pair_count == 1);
    CHECK("as signalled",
          p.ice->remotes[0].type == ICE_HOST && p.ice->remotes[0].priority == 2130706431);
    later.priority = 5;
    CHECK("again", ice_add_remote(p.ice, PEER_NOW, &later) == ERR_OK);
    CHECK("changes nothing", p.ice->remotes[0].priority == 2130706431);
    ice_free(p.ice);
}

TEST(the_worst_pairs_give_way)
{
    struct peer p;
    uint64_t least = UINT64_MAX;

    peer_init(&p, &controlling);
    for (uint16_t i = 1; i < 8; i++) {
        p.host.port = i;
        ice_add_host(p.ice, PEER_NOW, &p.host, (uint16_t)(65535 - i));
    }
    for (uint32_t i = 1; i <= ICE_CANDIDATES_MAX; i++) {
        struct ice_candidate c = peer_candidate("203.0.113.9:9", i << 8);

        c.addr.port = (uint16_t)i;
        ice_add_remote(p.ice, PEER_NOW, &c);
    }
    CHECK("a hundred", p.ice->pair_count == ICE_PAIRS_MAX);
    for (uint8_t i = 0; i < p.ice->pair_count; i++)
        if (ice_pair_priority(p.ice, &p.ice->pairs[i]) < least)
            least = ice_pair_priority(p.ice, &p.ice->pairs[i]);
    /* 8 sockets: the 13 best candidates make 104 pairs. */
    CHECK("the best", least >> 32 == (ICE_CANDIDATES_MAX - 12) << 8);
    ice_free(p.ice);
}

TEST(beyond_the_burst_checks_keep_the_pace)
{
    struct ice_config patient = { .controlling = true, .check_rto_us = 500 * MILLISECOND };
    struct peer p;
    usec now = PEER_NOW;
    size_t sent = 0;

    peer_init(&p, &patient);
    peer_describe(&p, now);
    for (uint16_t i = 1; i <= ICE_BURST + 4; i++) {
        struct ice_candidate c = peer_candidate("203.0.113.9:9", 1000);

        c.addr.port = i;
        ice_add_remote(p.ice, now, &c);
    }
    while (ice_poll_output(p.ice, &p.out))
        sent++;
    CHECK("a burst at once", sent == ICE_BURST);
    for (size_t more = 1; more <= 4; more++) {
        CHECK("the next after Ta", ice_next_timeout(p.ice) == now + 50 * MILLISECOND);
        ice_tick(p.ice, now + 50 * MILLISECOND - 1);
        CHECK("not before", !ice_poll_output(p.ice, &p.out));
        now += 50 * MILLISECOND;
        ice_tick(p.ice, now);
        CHECK("one", ice_poll_output(p.ice, &p.out) && !ice_poll_output(p.ice, &p.out));
    }
    CHECK("then the first resend", ice_next_timeout(p.ice) == PEER_NOW + 250 * MILLISECOND);
    ice_free(p.ice);
}

TEST(a_triggered_check_goes_before_better_ones)
{
    struct peer p;

    peer_init(&p, &controlling);
    peer_describe(&p, PEER_NOW);
    for (uint16_t i = 1; i <= ICE_BURST + 4; i++) {
        struct ice_candidate c = peer_candidate("203.0.113.9:9", 1000u - i);

        c.addr.port = i;
        ice_add_remote(p.ice, PEER_NOW, &c);
    }
    p.from = peer_addr("203.0.113.9:24");
    CHECK("no allowance left", !peer_ask(&p, PEER_NOW));
    ice_tick(p.ice, PEER_NOW + 50 * MILLISECOND);
    while (ice_poll_output(p.ice, &p.out) && p.out.to.port <= ICE_BURST)
        ; /* asked before, and unanswered */
    CHECK("the next one is it", addr_equal(&p.out.to, &p.from));
    ice_free(p.ice);
}

TEST(link_local_pairs_with_link_local_only)
{
    static const struct {
        const char *claim, *host, *remote;
        size_t pairs;
    } rows[] = {
        { "both", "[fe80::1%2]:4000", "[fe80::2]:5000", 1 },
        { "ours alone", "[fe80::1%2]:4000", "[2001:db8::2]:5000", 0 },
        { "theirs alone", "[2001:db8::1]:4000", "[fe80::2]:5000", 0 },
        { "neither", "[2001:db8::1]:4000", "[fd00::2]:5000", 1 },
        { "IPv4 is not so strict", "10.0.0.1:4000", "169.254.1.1:5000", 2 },
        { "loopback with loopback", "127.0.0.1:4000", "127.0.0.1:5000", 1 },
        { "loopback with another", "127.0.0.1:4000", "10.0.0.2:5000", 1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) { /* beside the peer's first host, IPv4 */
        struct peer p;
        struct addr host = peer_addr(rows[i].host);
        struct ice_candidate c = peer_candidate(rows[i].remote, 1000);

        peer_init(&p, &controlling);
        ice_add_host(p.ice, PEER_NOW, &host, 1);
        ice_add_remote(p.ice, PEER_NOW, &c);
        CHECK(rows[i].claim, p.ice->pair_count == rows[i].pairs);
        ice_free(p.ice);
    }
}

TEST(stun_servers_are_asked_where_they_can_be_reached)
{
    static const struct {
        const char *claim, *host, *server;
        size_t asked; /* beside the first host, which asks every public IPv4 server */
    } rows[] = {
        { "another IPv4 host", "10.0.0.1:1", "198.51.100.1:3478", 2 },
        { "loopback does not reach out", "127.0.0.1:1", "198.51.100.1:3478", 1 },
        { "only loopback reaches loopback", "127.0.0.1:1", "127.0.0.1:3478", 1 },
        { "another family", "[2001:db8::1]:1", "198.51.100.1:3478", 1 },
        { "its own family", "[2001:db8::1]:1", "[2001:db8::9]:3478", 1 },
        { "not from link-local", "[fe80::1%1]:1", "[2001:db8::9]:3478", 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct addr host = peer_addr(rows[i].host), server = peer_addr(rows[i].server);
        size_t asked = 0;

        peer_init(&p, &controlling);
        ice_add_host(p.ice, PEER_NOW, &host, 1);
        CHECK(rows[i].claim, ice_add_stun_server(p.ice, PEER_NOW, &server) == ERR_OK);
        while (ice_poll_output(p.ice, &p.out))
            asked++;
        CHECK(rows[i].claim, asked == rows[i].asked);
        ice_free(p.ice);
    }
}

TEST(only_the_server_that_was_asked_may_answer)
{
    struct peer p;
    struct addr server = peer_addr("198.51.100.1:3478"), other = peer_addr("198.51.100.2:3478");
    struct stun_msg m = { 0 };
    struct stun_id guess;
    uint8_t raw[200];

    peer_init(&p, &controlling);
    ice_add_stun_server(p.ice, PEER_NOW, &server);
    CHECK("asked", ice_poll_output(p.ice, &p.out));
    stun_decode(&m, out_datagram(&p.out, 0));
    guess = m.id;
    guess.bytes[11] ^= 1;
    CHECK("another id", ice_input(p.ice, PEER_NOW, &p.host, &server,
                                  peer_answer(&p, &guess, "", 0, raw)) == VERDICT_UNEXPECTED);
    CHECK("from another", ice_input(p.ice, PEER_NOW, &p.host, &other,
                                    peer_answer(&p, &m.id, "", 0, raw)) == VERDICT_UNEXPECTED);
    CHECK("the true one", ice_input(p.ice, PEER_NOW, &p.host, &server,
                                    peer_answer(&p, &m.id, "", 0, raw)) == VERDICT_TAKEN);
    CHECK("once", ice_input(p.ice, PEER_NOW, &p.host, &server,
                            peer_answer(&p, &m.id, "", 0, raw)) == VERDICT_UNEXPECTED);
    ice_free(p.ice);
}

TEST(a_host_added_later_is_a_new_gathering)
{
    struct peer p;
    struct addr later = peer_addr("10.0.0.1:4000");
    struct ice_candidate added;
    struct ice_event ev;

    peer_init(&p, &controlling);
    next_candidate(&p);
    CHECK("not before the end is said", !ice_poll_event(p.ice, &ev));
    ice_end_local(p.ice, PEER_NOW);
    CHECK("gathered", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
    ice_add_host(p.ice, PEER_NOW, &later, 1);
    added = next_candidate(&p);
    CHECK("the new one", addr_equal(&added.addr, &later));
    CHECK("gathered again", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
    CHECK("once", !ice_poll_event(p.ice, &ev));
    ice_free(p.ice);
}

static void peer_appear(struct peer *p)
{
    struct ice_candidate c = peer_candidate("192.168.1.2:5000", 1000);
    struct stun_msg m;

    peer_describe(p, PEER_NOW);
    ice_add_remote(p->ice, PEER_NOW, &c);
    CHECK("asked at once", peer_next_check(p, &m));
}

/* A NAT of the peer's may let us in only once the peer has sent to the address just found. */
TEST(what_was_sent_before_the_peer_knew_us_is_soon_sent_again)
{
    static const struct {
        const char *claim, *reflexive;
        bool is_found_first;
        usec found_at, again_at; /* since the first check */
    } rows[] = {
        { "found after the first check", "203.0.113.5:9000", false, 20 * MILLISECOND,
          23 * MILLISECOND },
        { "found just before it", "203.0.113.5:9000", true, 0, 3 * MILLISECOND },
        { "when the second is due", "203.0.113.5:9000", false, 48 * MILLISECOND, 50 * MILLISECOND },
        { "no NAT, nothing new", "192.168.1.1:4000", false, 20 * MILLISECOND, 50 * MILLISECOND },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct addr server = peer_addr("198.51.100.1:3478");
        usec now = PEER_NOW, again_at = 0;
        struct peer p;

        peer_init(&p, &controlling);
        if (!rows[i].is_found_first)
            peer_appear(&p);
        ice_add_stun_server(p.ice, now, &server);
        now += rows[i].found_at;
        answer_query_at(&p, now, rows[i].reflexive);
        if (rows[i].is_found_first)
            peer_appear(&p);
        (void)peer_run(&p, &now, PEER_NOW + SECOND, false, &again_at, 1);
        CHECK(rows[i].claim, again_at == PEER_NOW + rows[i].again_at);
        ice_free(p.ice);
    }
}

TESTS(TEST_ROW(candidate_priorities_follow_the_formula),
      TEST_ROW(pair_priorities_are_the_same_on_both_sides),
      TEST_ROW(foundations_tell_addresses_apart_not_ports),
      TEST_ROW(reflexive_candidates_by_what_servers_say),
      TEST_ROW(a_learned_candidate_becomes_the_signalled_one), TEST_ROW(the_worst_pairs_give_way),
      TEST_ROW(beyond_the_burst_checks_keep_the_pace),
      TEST_ROW(a_triggered_check_goes_before_better_ones),
      TEST_ROW(link_local_pairs_with_link_local_only),
      TEST_ROW(stun_servers_are_asked_where_they_can_be_reached),
      TEST_ROW(only_the_server_that_was_asked_may_answer),
      TEST_ROW(a_host_added_later_is_a_new_gathering),
      TEST_ROW(what_was_sent_before_the_peer_knew_us_is_soon_sent_again))

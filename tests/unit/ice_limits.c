/* What one agent takes from its owner and its peer, and what bounds it. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/ice_peer.h"
#include "tests/support/rng.h"

static const struct ice_config controlling = { .controlling = true };

TEST(remote_candidates_by_address)
{
    static const struct {
        const char *claim, *addr;
        int err;
        bool is_asked;
    } list[] = {
        { "the same network", "192.168.1.9:9", ERR_OK, true },
        { "a public address", "203.0.113.9:9", ERR_OK, true },
        { "loopback, and we are not there", "127.0.0.1:22", ERR_OK, false },
        { "another family", "[2001:db8::9]:9", ERR_OK, false },
        { "port 0", "192.168.1.9:0", ERR_INVALID, false },
        { "unspecified", "0.0.0.0:9", ERR_INVALID, false },
        { "multicast", "224.0.0.1:9", ERR_INVALID, false },
        { "broadcast", "255.255.255.255:9", ERR_INVALID, false },
        { "IPv4 dressed as IPv6", "[::ffff:127.0.0.1]:9", ERR_INVALID, false },
    };

    for (size_t i = 0; i < COUNT(list); i++) {
        struct peer p;
        struct ice_candidate c = peer_candidate(list[i].addr, 1);

        peer_init(&p, &controlling);
        peer_describe(&p, PEER_NOW);
        CHECK(list[i].claim, ice_add_remote(p.ice, PEER_NOW, &c) == list[i].err);
        CHECK(list[i].claim, ice_poll_output(p.ice, &p.out) == list[i].is_asked);
        ice_free(p.ice);
    }
}

TEST(link_local_goes_with_the_zone_of_its_socket)
{
    struct peer p;
    struct addr own = peer_addr("[fe80::1%7]:4000");
    struct ice_candidate c = peer_candidate("[fe80::2]:9", 1);

    peer_init(&p, &controlling);
    ice_add_host(p.ice, PEER_NOW, &own, 1);
    peer_describe(&p, PEER_NOW);
    ice_add_remote(p.ice, PEER_NOW, &c);
    CHECK("asked", ice_poll_output(p.ice, &p.out));
    CHECK("in the zone", p.out.to.scope == 7 && addr_equal(&p.out.from, &own));
    CHECK("known with it", ice_is_known_path(p.ice, &own, &p.out.to));
    ice_free(p.ice);
}

TEST(local_sockets_by_address)
{
    static const struct {
        const char *claim, *addr;
        int err;
    } list[] = {
        { "another port", "192.168.1.1:4001", ERR_OK },
        { "the same again", "192.168.1.1:4000", ERR_OK },
        { "loopback", "127.0.0.1:4000", ERR_OK },
        { "port 0", "192.168.1.1:0", ERR_INVALID },
        { "unspecified", "0.0.0.0:4000", ERR_INVALID },
        { "multicast", "[ff02::1]:4000", ERR_INVALID },
    };
    struct peer p;

    peer_init(&p, &controlling);
    for (size_t i = 0; i < COUNT(list); i++) {
        struct addr a = peer_addr(list[i].addr);

        CHECK(list[i].claim, ice_add_host(p.ice, PEER_NOW, &a, 1) == list[i].err);
    }
    for (uint16_t port = 1; port <= 13; port++) {
        p.host.port = port;
        CHECK("room for 16", ice_add_host(p.ice, PEER_NOW, &p.host, 1) == ERR_OK);
    }
    p.host.port = 99;
    CHECK("no more", ice_add_host(p.ice, PEER_NOW, &p.host, 1) == ERR_LIMIT);
    ice_free(p.ice);
}

/* A peer that names many addresses that never answer: 16 sockets, 32 candidates. */
TEST(checks_to_the_unanswering_are_bounded_and_paced)
{
    struct peer p;
    size_t sent = 0, at_once = 0;
    usec now = PEER_NOW;

    peer_init(&p, &controlling);
    for (uint16_t i = 1; i < ICE_BASES_MAX; i++) {
        p.host.port = i;
        ice_add_host(p.ice, PEER_NOW, &p.host, i);
    }
    peer_describe(&p, PEER_NOW);
    for (uint16_t i = 1; i <= ICE_CANDIDATES_MAX + 1; i++) {
        struct ice_candidate c = peer_candidate("203.0.113.9:9", i);

        c.addr.port = i;
        CHECK("32 and no more", ice_add_remote(p.ice, PEER_NOW, &c) ==
                                    (i <= ICE_CANDIDATES_MAX ? ERR_OK : ERR_LIMIT));
    }
    while (ice_poll_output(p.ice, &p.out))
        at_once++;
    CHECK("a burst at once", at_once == ICE_BURST);
    for (sent = at_once; now < PEER_NOW + 20 * SECOND && ice_next_timeout(p.ice) != USEC_NEVER;) {
        now = usec_max(now, ice_next_timeout(p.ice));
        ice_tick(p.ice, now);
        while (ice_poll_output(p.ice, &p.out))
            sent++;
    }
    CHECK("failed at last", p.ice->state == ICE_FAILED && now <= PEER_NOW + 15 * SECOND);
    CHECK("bounded", sent <= ICE_UNANSWERED_MAX + 8 && sent > 100);
    ice_free(p.ice);
}

/* Resends to the unanswering leave something for whom the peer names later. */
TEST(a_late_candidate_is_asked_all_the_same)
{
    struct peer p;
    struct ice_candidate late = peer_candidate("192.168.1.77:7", 1);
    size_t asked = 0;
    usec now = PEER_NOW, sent_at = now;

    peer_init(&p, &controlling);
    for (uint16_t i = 1; i < 4; i++) {
        p.host.port = i;
        ice_add_host(p.ice, now, &p.host, i);
    }
    peer_describe(&p, now);
    for (uint16_t i = 1; i < ICE_CANDIDATES_MAX; i++) {
        struct ice_candidate c = peer_candidate("203.0.113.9:9", 0);

        c.addr.port = (uint16_t)(100 + i);
        ice_add_remote(p.ice, now, &c);
    }
    for (; now < sent_at + 300 * MILLISECOND; now += 10 * MILLISECOND) {
        ice_tick(p.ice, now);
        while (ice_poll_output(p.ice, &p.out))
            sent_at = now;
    }
    ice_add_remote(p.ice, now, &late);
    for (int i = 0; i < 10; i++, now += 50 * MILLISECOND) {
        ice_tick(p.ice, now);
        while (ice_poll_output(p.ice, &p.out))
            asked += p.out.to.port == 7;
    }
    CHECK("from every socket, after hundreds of vain tries", asked >= 4);
    ice_free(p.ice);
}

/* Thousands of candidates, most of them such as nobody should be sent to, and a victim's address in
 * all its ports; each check carries a flight. */
TEST(hostile_candidate_lists_are_capped)
{
    static const char *const refused[] = { "224.0.0.1:9", "255.255.255.255:9", "0.0.0.0:9",
                                           "[ff02::1]:9", "192.0.2.1:0" };
    static const uint8_t flight[900];
    const struct ice_sped heavy = { .is_on = true,
                                    .has_data = true,
                                    .data = bytes_of(flight, sizeof flight) };
    struct peer p;
    size_t taken = 0, sent = 0, bytes = 0, to_loopback = 0, after_an_hour;
    usec now = PEER_NOW;

    peer_init(&p, &controlling);
    ice_set_abilities(p.ice, ICE_RENOMINATION | ICE_SHARED_CONSENT);
    peer_describe(&p, now);
    for (uint32_t i = 0; i < 5000; i++) {
        struct ice_candidate c = peer_candidate(refused[i % COUNT(refused)], 2130706431 - i);

        CHECK("refused", ice_add_remote(p.ice, now, &c) == ERR_INVALID);
        c.addr = peer_addr(i % 2 ? "127.0.0.1:22" : "203.0.113.9:1");
        c.addr.port = (uint16_t)(i + 1);
        taken += ice_add_remote(p.ice, now, &c) == ERR_OK;
    }
    CHECK("as many as there is room for", taken == ICE_CANDIDATES_MAX);
    ice_set_sped(p.ice, &heavy);
    for (; now < PEER_NOW + 60 * MINUTE; now += 50 * MILLISECOND) {
        ice_tick(p.ice, now);
        ice_check_again(p.ice, now);
        for (; ice_poll_output(p.ice, &p.out); sent++) {
            bytes += p.out.len;
            to_loopback += addr_scope_of(&p.out.to) == ADDR_SCOPE_LOOPBACK;
        }
    }
    after_an_hour = sent;
    CHECK("none to ourselves", to_loopback == 0);
    CHECK("not one flight in full", after_an_hour <= ICE_UNANSWERED_MAX);
    CHECK("little even so", bytes <= ICE_UNANSWERED_MAX / 2 * 1200);
    ice_free(p.ice);
}

static const struct {
    const char *claim, *ufrag, *pwd;
    int err;
} credentials[] = {
    { "as short as can be", "abcd", "abcdefghijklmnopqrstuv", ERR_OK },
    { "all characters", "aZ09+/", "abcdefghijklmnopqrstuvwxyz+/09", ERR_OK },
    { "fragment of three", "abc", "abcdefghijklmnopqrstuv", ERR_INVALID },
    { "password of 21", "abcd", "abcdefghijklmnopqrstu", ERR_INVALID },
    { "a colon", "ab:d", "abcdefghijklmnopqrstuv", ERR_INVALID },
    { "a blank", "abcd", "abcdefghij lmnopqrstuv", ERR_INVALID },
    { "a letter with an accent", "abc\xc3\xa9", "abcdefghijklmnopqrstuv", ERR_INVALID },
    { "empty", "", "", ERR_INVALID },
};

TEST(credentials_by_length_and_alphabet)
{
    for (size_t i = 0; i < COUNT(credentials); i++) {
        struct ice_config cfg = { .ufrag = credentials[i].ufrag, .pwd = credentials[i].pwd };
        struct ice *made = NULL;
        struct peer p;

        peer_init(&p, &controlling);
        CHECK(credentials[i].claim, ice_set_remote(p.ice, PEER_NOW, credentials[i].ufrag,
                                                   credentials[i].pwd) == credentials[i].err);
        CHECK(credentials[i].claim, ice_new(&made, &cfg, &p.rng) == credentials[i].err);
        CHECK(credentials[i].claim, (made != NULL) == (credentials[i].err == ERR_OK));
        ice_free(made);
        ice_free(p.ice);
    }
}

TEST(credentials_of_257_are_refused)
{
    char longest[258];
    struct peer p;

    memset(longest, 'a', 257);
    longest[257] = '\0';
    peer_init(&p, &controlling);
    CHECK("257", ice_set_remote(p.ice, PEER_NOW, longest, longest) == ERR_INVALID);
    longest[256] = '\0';
    CHECK("256", ice_set_remote(p.ice, PEER_NOW, longest, longest) == ERR_OK);
    CHECK("the same again", ice_set_remote(p.ice, PEER_NOW, longest, longest) == ERR_OK);
    longest[255] = '\0';
    CHECK("others", ice_set_remote(p.ice, PEER_NOW, longest, longest) == ERR_WRONG_STATE);
    ice_free(p.ice);
}

TEST(answers_waiting_are_bounded)
{
    struct peer p;
    size_t answered = 0;
    uint8_t raw[700];

    peer_init(&p, &controlling);
    for (unsigned i = 0; i < 50; i++) {
        enum verdict v =
            ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));

        CHECK("taken or over the limit",
              v == (i < ICE_ANSWERS_MAX ? VERDICT_TAKEN : VERDICT_LIMIT));
    }
    while (ice_poll_output(p.ice, &p.out))
        answered++;
    CHECK("those taken are answered", answered == ICE_ANSWERS_MAX);
    ice_free(p.ice);
}

TEST(sources_learned_are_bounded)
{
    struct peer p;
    size_t known = 0;
    uint8_t raw[700];

    peer_init(&p, &controlling);
    for (uint16_t port = 1; port <= 1000; port++) {
        p.from.port = port;
        ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
        known += ice_is_known_path(p.ice, &p.host, &p.from);
        while (ice_poll_output(p.ice, &p.out))
            continue;
    }
    CHECK("eight", known == 8);
    ice_free(p.ice);
}

/* What one who has seen a check can do: repeat it from elsewhere. Sources that are answered, and
 * those that are asked in turn. */
static void repeat_from_ports(struct peer *p, uint16_t first, uint16_t last, usec now,
                              size_t *answered, size_t *asked)
{
    uint8_t raw[700];
    struct addr real = p->from;
    struct stun_msg m;

    *answered = *asked = 0;
    for (uint16_t port = first; port <= last; port++) {
        p->from.port = port;
        ice_input(p->ice, now, &p->host, &p->from, peer_request(p, NO_FLAW, raw));
        while (ice_poll_output(p->ice, &p->out)) {
            bool is_ok = stun_decode(&m, out_datagram(&p->out, 0)) == VERDICT_TAKEN;

            *answered += is_ok && m.class == STUN_SUCCESS && p->out.to.port == port;
            *asked += is_ok && m.class == STUN_REQUEST && p->out.to.port >= first &&
                      p->out.to.port <= last;
        }
    }
    p->from = real;
}

TEST(a_check_repeated_from_many_sources_leads_nowhere)
{
    struct peer p;
    struct stun_msg m;
    uint8_t raw[200];
    size_t answered, asked;
    usec now = PEER_NOW;

    peer_init_asked(&p);
    CHECK("asked", peer_next_check(&p, &m));
    ice_input(p.ice, now, &p.host, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
    CHECK("connected", p.ice->state == ICE_CONNECTED);
    repeat_from_ports(&p, 1, 500, now, &answered, &asked);
    CHECK("each is answered", answered == 500);
    CHECK("and counted", p.ice->verdicts.count[VERDICT_LIMIT] == 492);
    peer_run(&p, &now, now + 12 * SECOND, true, NULL, 0);
    CHECK("eight are candidates", p.ice->remote_count == 9);
    CHECK("the path that works does so", p.ice->state == ICE_CONNECTED &&
                                             ice_is_known_path(p.ice, &p.host, &p.from) &&
                                             p.ice->pairs[p.ice->selected].missed == 0);
    ice_free(p.ice);
}

TEST(a_source_that_failed_gives_its_place)
{
    struct peer p;
    size_t answered, asked;
    usec now = PEER_NOW;
    struct addr next = peer_addr("192.168.1.2:6000");

    peer_init_asked(&p);
    peer_run(&p, &now, now + SECOND, true, NULL, 0);
    repeat_from_ports(&p, 1, 9, now, &answered, &asked);
    CHECK("eight are asked", asked == 8);
    repeat_from_ports(&p, next.port, next.port, now, &answered, &asked);
    CHECK("not the next", answered == 1 && asked == 0);
    peer_run(&p, &now, now + 20 * SECOND, true, NULL, 0);
    p.from = next;
    CHECK("once the eight have failed it is", peer_ask(&p, now));
    CHECK("and known", ice_is_known_path(p.ice, &p.host, &next) && p.ice->remote_count == 9);
    ice_free(p.ice);
}

TEST(a_candidate_learned_and_then_described_counts_no_more)
{
    struct peer p;
    size_t answered, asked;

    peer_init_asked(&p);
    repeat_from_ports(&p, 1, 8, PEER_NOW, &answered, &asked);
    for (uint16_t port = 1; port <= 8; port++) {
        struct ice_candidate c = peer_candidate("192.168.1.2:9", port);

        c.addr.port = port;
        CHECK("described", ice_add_remote(p.ice, PEER_NOW, &c) == ERR_OK);
    }
    CHECK("known already", p.ice->remote_count == 9);
    repeat_from_ports(&p, 101, 120, PEER_NOW, &answered, &asked);
    CHECK("room for eight again", p.ice->remote_count == 17);
    ice_free(p.ice);
}

TEST(a_new_agent_survives_every_failing_allocation)
{
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);

    ALLOC_FAIL_EACH {
        struct ice *ice = NULL;
        int err = ice_new(&ice, &controlling, &rng);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("nothing half-made", (ice != NULL) == (err == ERR_OK));
        if (ice) {
            err = ice_set_remote(ice, PEER_NOW, PEER_UFRAG, PEER_PWD);
            CHECK("says so too", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
            CHECK("unchanged then", err == ERR_OK || ice->state == ICE_NEW);
        }
        ice_free(ice);
    }
}

TEST(datagrams_need_no_memory)
{
    struct peer p;
    uint8_t raw[700];

    peer_init_asked(&p);
    alloc_fail_nth(1);
    ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
    while (ice_poll_output(p.ice, &p.out))
        continue;
    ice_tick(p.ice, PEER_NOW + SECOND);
    CHECK("none asked for", !alloc_has_failed());
    alloc_fail_nth(0);
    CHECK("and little held", sizeof(struct ice) <= 16 * 1024);
    ice_free(p.ice);
}

TESTS(TEST_ROW(remote_candidates_by_address), TEST_ROW(link_local_goes_with_the_zone_of_its_socket),
      TEST_ROW(local_sockets_by_address), TEST_ROW(checks_to_the_unanswering_are_bounded_and_paced),
      TEST_ROW(a_late_candidate_is_asked_all_the_same),
      TEST_ROW(hostile_candidate_lists_are_capped), TEST_ROW(credentials_by_length_and_alphabet),
      TEST_ROW(credentials_of_257_are_refused), TEST_ROW(answers_waiting_are_bounded),
      TEST_ROW(sources_learned_are_bounded),
      TEST_ROW(a_check_repeated_from_many_sources_leads_nowhere),
      TEST_ROW(a_source_that_failed_gives_its_place),
      TEST_ROW(a_candidate_learned_and_then_described_counts_no_more),
      TEST_ROW(a_new_agent_survives_every_failing_allocation), TEST_ROW(datagrams_need_no_memory))

/* Relayed addresses beside sockets: what is told of them, when they are used, climbing. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"
#include "tests/support/ice_wire.h"

#define BOTH (ICE_RENOMINATION | ICE_SHARED_CONSENT)

#define RELAY_A "198.51.100.7:6000"
#define RELAY_B "198.51.100.8:7000"

static const struct ice_config controlling = { .controlling = true };

static struct ice_candidate next_candidate(struct peer *p)
{
    struct ice_event ev = { 0 };

    CHECK("an event", ice_poll_event(p->ice, &ev));
    CHECK("with a candidate", ev.type == ICE_EVENT_LOCAL_CANDIDATE);
    return ev.candidate;
}

TEST(a_relayed_candidate_is_told)
{
    struct peer p;
    struct addr relayed = peer_addr(RELAY_A), mapped = peer_addr("203.0.113.5:9000");
    struct ice_candidate host, c, all[4];
    struct ice_event ev;
    char line[ICE_CANDIDATE_TEXT_MAX];

    peer_init(&p, &controlling);
    ice_end_local(p.ice, PEER_NOW);
    host = next_candidate(&p);
    CHECK("gathered", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
    CHECK("taken", ice_add_relayed(p.ice, PEER_NOW, &relayed, &mapped, 300) == ERR_OK);
    c = next_candidate(&p);
    CHECK("as relayed", c.type == ICE_RELAYED && addr_equal(&c.addr, &relayed));
    CHECK("sent from itself", addr_equal(&c.base, &relayed));
    CHECK("with our address there", addr_equal(&c.related, &mapped));
    CHECK("of the least preference", c.priority == (300u << 8 | 255));
    CHECK("another foundation", strcmp(host.foundation, c.foundation) != 0);
    CHECK("as text", ice_candidate_encode(&c, line) == ERR_OK &&
                         strstr(line, "198.51.100.7 6000 typ relay raddr 203.0.113.5 rport 9000"));
    CHECK("gathered once more", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
    CHECK("the same again", ice_add_relayed(p.ice, PEER_NOW, &relayed, &mapped, 1) == ERR_OK);
    CHECK("changes nothing", !ice_poll_event(p.ice, &ev));
    CHECK("with the others", ice_get_local(p.ice, all, COUNT(all)) == 2);
    ice_free(p.ice);
}

TEST(relayed_addresses_by_address)
{
    static const struct {
        const char *claim, *addr;
        int err;
    } rows[] = {
        { "public", RELAY_A, ERR_OK },
        { "private, as in a laboratory", "10.0.0.1:6000", ERR_OK },
        { "loopback, as in a test", "127.0.0.1:6000", ERR_OK },
        { "IPv6", "[2001:db8::7]:6000", ERR_OK },
        { "port 0", "198.51.100.7:0", ERR_INVALID },
        { "unspecified", "0.0.0.0:6000", ERR_INVALID },
        { "multicast", "224.0.0.9:6000", ERR_INVALID },
        { "broadcast", "255.255.255.255:6000", ERR_INVALID },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct addr a = peer_addr(rows[i].addr), mapped = peer_addr("203.0.113.5:9000");

        peer_init(&p, &controlling);
        CHECK(rows[i].claim, ice_add_relayed(p.ice, PEER_NOW, &a, &mapped, 1) == rows[i].err);
        ice_free(p.ice);
    }
}

/* Next request to a peer's address, or false. */
static bool next_out(struct peer *p, struct stun_msg *m)
{
    *m = (struct stun_msg){ 0 };
    return ice_poll_output(p->ice, &p->out) &&
           stun_decode(m, out_datagram(&p->out, 0)) == VERDICT_TAKEN;
}

TEST(direct_pairs_are_asked_first_and_stun_servers_from_sockets_only)
{
    struct peer p;
    struct addr relayed = peer_addr(RELAY_A), server = peer_addr("198.51.100.1:3478");
    struct ice_candidate host = peer_candidate("203.0.113.9:9", ice_priority(ICE_HOST, 1)),
                         far = peer_candidate("203.0.113.8:8", ice_priority(ICE_RELAYED, 9));
    struct stun_msg m;

    far.type = ICE_RELAYED;
    peer_init(&p, &controlling);
    ice_add_relayed(p.ice, PEER_NOW, &relayed, &relayed, 65535);
    ice_add_stun_server(p.ice, PEER_NOW, &server);
    CHECK("from the socket", next_out(&p, &m) && addr_equal(&p.out.from, &p.host));
    CHECK("alone", !next_out(&p, &m));
    ice_add_remote(p.ice, PEER_NOW, &far);
    ice_add_remote(p.ice, PEER_NOW, &host);
    peer_describe(&p, PEER_NOW);
    CHECK("direct", next_out(&p, &m) && addr_equal(&p.out.from, &p.host) && p.out.to.port == 9);
    CHECK("with the priority of a learned one",
          m.priority == ice_priority(ICE_PEER_REFLEXIVE, 65535));
    CHECK("to their relay",
          next_out(&p, &m) && !addr_equal(&p.out.from, &p.host) == (p.out.to.port == 9));
    CHECK("another", next_out(&p, &m));
    CHECK("and another", next_out(&p, &m));
    CHECK("four pairs", !next_out(&p, &m) && p.ice->pair_count == 4);
    CHECK("from the relay, a priority that says so",
          ice_priority(ICE_RELAYED, 65535) >> 24 == 0 && m.priority >> 24 == 0);
    ice_free(p.ice);
}

/* The table is full of direct pairs, the relay comes last: it has its places all the same. */
TEST(a_full_table_keeps_places_for_relayed_pairs)
{
    for (int relay_first = 0; relay_first < 2; relay_first++) {
        struct peer p;
        struct addr relayed = peer_addr(RELAY_A);
        unsigned count = 0;

        peer_init(&p, &controlling);
        if (relay_first)
            ice_add_relayed(p.ice, PEER_NOW, &relayed, &relayed, 1);
        for (uint16_t i = 1; i < 8; i++) {
            p.host.port = i;
            ice_add_host(p.ice, PEER_NOW, &p.host, i);
        }
        for (uint16_t i = 1; i <= ICE_CANDIDATES_MAX; i++) {
            struct ice_candidate c = peer_candidate("203.0.113.9:9", ice_priority(ICE_HOST, i));

            c.addr.port = i;
            ice_add_remote(p.ice, PEER_NOW, &c);
        }
        CHECK("full", p.ice->pair_count == ICE_PAIRS_MAX);
        if (!relay_first)
            ice_add_relayed(p.ice, PEER_NOW, &relayed, &relayed, 1);
        for (uint8_t i = 0; i < p.ice->pair_count; i++)
            count += ice_is_relayed(p.ice, &p.ice->pairs[i]);
        CHECK("ten or eleven",
              count >= ICE_RELAYED_PAIRS_KEPT && count <= ICE_RELAYED_PAIRS_KEPT + 1);
        ice_free(p.ice);
    }
}

static void cut_direct(struct wire *w)
{
    w->cut_host = wire_addr("198.51.100.10:5000"); /* as the NAT maps it */
    w->cut_also = wire_addr("198.51.100.20:5000");
}

static void mend_direct(struct wire *w)
{
    w->cut_host = w->cut_also = (struct addr){ 0 };
}

/* Both behind port-restricted NATs, with a relay each; the direct way is closed. Signals last. */
static void wire_relayed(struct wire *w, uint64_t seed, unsigned abilities)
{
    wire_init_able(w, seed, abilities);
    w->delay_us = 10 * MILLISECOND;
    for (int i = 0; i < 2; i++) {
        w->node[i].lan = i + 1;
        w->node[i].nat_ip = wire_addr(i ? "198.51.100.20:1" : "198.51.100.10:1");
        wire_add_host(w, i, "192.168.1.10:4000", 65535);
        wire_add_stun(w, i);
        wire_add_relayed(w, i, i ? RELAY_B : RELAY_A, 65535);
        ice_end_local(w->node[i].ice, w->now);
    }
    wire_run(w, w->now + 50 * MILLISECOND); /* the servers answer */
    cut_direct(w);
    wire_signal(w, 0);
}

static bool is_via_relay(const struct wire_node *n)
{
    struct ice_path path;

    return ice_selected(n->ice, &path) &&
           (path.local_type == ICE_RELAYED || path.remote_type == ICE_RELAYED);
}

static bool are_both_relayed(const struct wire *w)
{
    return is_via_relay(&w->node[0]) && is_via_relay(&w->node[1]);
}

static bool are_both_direct(const struct wire *w)
{
    return !is_via_relay(&w->node[0]) && !is_via_relay(&w->node[1]);
}

/* The NATs let out to relays all the same: the relayed addresses stand for the way to them. */
TEST(where_no_direct_way_is_the_relay_carries_data)
{
    for (size_t i = 0; i < 2; i++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct wire w;
            usec start;

            wire_relayed(&w, seed, i ? BOTH : 0);
            start = w.now;
            CHECK("connects", wire_connect(&w, w.now + SECOND));
            CHECK("in a round trip from relay to relay, and a half",
                  w.now <= start + 12 * w.delay_us);
            CHECK("relayed", are_both_relayed(&w));
            wire_talk(&w, 100 * MILLISECOND, 300 * MILLISECOND);
            wire_run(&w, w.now + 60 * SECOND);
            CHECK("and stays", w.node[0].lost_count + w.node[0].dark_count == 0);
            CHECK("one pair in the end", w.node[0].selected_count <= 4);
            CHECK("data arrives", w.node[0].data_at > w.now - SECOND / 2);
            wire_deinit(&w);
        }
}

/* The relay works at once, direct only later: data first goes by the relay, then direct. */
TEST(the_path_climbs_from_relayed_to_direct)
{
    for (size_t i = 0; i < 2; i++)
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct wire w;
            usec start;

            wire_relayed(&w, seed, i ? BOTH : 0);
            CHECK("connects", wire_connect(&w, w.now + SECOND));
            wire_talk(&w, 50 * MILLISECOND, 300 * MILLISECOND);
            mend_direct(&w);
            start = w.now;
            wire_run(&w, start + 2 * SECOND);
            CHECK("direct", are_both_direct(&w));
            CHECK("no retry is due any more", ice_retry_at(w.node[0].ice) == USEC_NEVER);
            wire_run(&w, start + 20 * SECOND);
            CHECK("the relayed path is kept warm",
                  ice_get_pairs(w.node[0].ice, NULL, 0) == 0 && w.node[0].lost_count == 0);
            cut_direct(&w);
            wire_run(&w, w.now + 700 * MILLISECOND);
            CHECK("and takes over", are_both_relayed(&w));
            wire_deinit(&w);
        }
}

/* Checks sent so far by pairs that have failed: direct or relayed ones. */
static unsigned failed_checks(const struct wire_node *n, bool relayed)
{
    struct ice_pair_info info[ICE_PAIRS_MAX];
    size_t count = ice_get_pairs(n->ice, info, COUNT(info));
    unsigned checks = 0;

    for (size_t i = 0; i < count; i++)
        if (info[i].fate == ICE_FATE_FAILED &&
            (info[i].local_type == ICE_RELAYED || info[i].remote_type == ICE_RELAYED) == relayed)
            checks += info[i].checks;
    return checks;
}

TEST(direct_is_tried_again_while_relayed)
{
    struct wire w;
    usec start, first;
    size_t before;
    unsigned direct, relayed;

    wire_relayed(&w, 1, BOTH);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    start = w.now;
    first = ice_retry_at(w.node[0].ice);
    CHECK("in half a minute", first > start && first <= start + 31 * SECOND);
    wire_run(&w, first - SECOND);
    direct = failed_checks(&w.node[0], false);
    relayed = failed_checks(&w.node[0], true);
    CHECK("until then all have failed", direct == 2 * ICE_CHECK_SENDS_MAX && relayed > 0);
    wire_run(&w, first + 5 * SECOND);
    CHECK("direct ones are tried",
          failed_checks(&w.node[0], false) == direct + 2 * ICE_RETRY_SENDS_MAX);
    CHECK("relayed ones are not", failed_checks(&w.node[0], true) == relayed);
    CHECK("then in a minute", ice_retry_at(w.node[0].ice) == first + 60 * SECOND);
    wire_run(&w, start + 20 * MINUTE);
    CHECK("at last every five", ice_retry_at(w.node[0].ice) <= w.now + 5 * MINUTE);
    before = w.node[0].sent;
    wire_run(&w, w.now + 10 * MINUTE);
    CHECK("which costs little", w.node[0].sent - before <= 10 * 20);
    mend_direct(&w);
    wire_run(&w, w.now + 5 * MINUTE + 5 * SECOND);
    CHECK("direct when it works again", are_both_direct(&w));
    wire_deinit(&w);
}

TEST(check_again_brings_the_retry_forward)
{
    struct wire w;

    wire_relayed(&w, 2, BOTH);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    wire_run(&w, w.now + 20 * MINUTE);
    mend_direct(&w);
    ice_check_again(w.node[0].ice, w.now); /* an event of the network, at both ends */
    ice_check_again(w.node[1].ice, w.now);
    CHECK("schedule begins anew", ice_retry_at(w.node[0].ice) == w.now + 30 * SECOND);
    wire_run(&w, w.now + SECOND);
    CHECK("direct", are_both_direct(&w));
    wire_deinit(&w);
}

TEST(a_base_that_goes_takes_its_own_with_it)
{
    struct peer p;
    struct addr second = peer_addr("10.0.0.1:4000"), relayed = peer_addr(RELAY_A),
                server = peer_addr("198.51.100.1:3478"), unknown = peer_addr("10.9.9.9:9");
    struct ice_candidate c = peer_candidate("203.0.113.9:9", 1000), all[4];
    struct stun_msg m;
    uint8_t raw[700];
    bool is_from_gone = false;

    peer_init(&p, &controlling);
    peer_describe(&p, PEER_NOW);
    ice_add_host(p.ice, PEER_NOW, &second, 7);
    ice_add_relayed(p.ice, PEER_NOW, &relayed, &second, 7);
    ice_add_stun_server(p.ice, PEER_NOW, &server);
    ice_add_remote(p.ice, PEER_NOW, &c);
    ice_input(p.ice, PEER_NOW, &second, &p.from, peer_request(&p, NO_FLAW, raw));
    CHECK("answers wait", p.ice->answer_count == 1 && ice_is_gathering(p.ice));
    ice_remove_base(p.ice, PEER_NOW, &unknown);
    CHECK("one candidate from each, the other where it was learned", p.ice->pair_count == 4);
    ice_remove_base(p.ice, PEER_NOW, &second);
    CHECK("its pairs", p.ice->pair_count == 2 && p.ice->answer_count == 0);
    CHECK("its candidate", ice_get_local(p.ice, all, COUNT(all)) == 2 &&
                               !addr_equal(&all[0].addr, &second) &&
                               !addr_equal(&all[1].addr, &second));
    CHECK("nobody knows it", !ice_is_known_path(p.ice, &second, &p.from));
    while (next_out(&p, &m))
        is_from_gone |= p.out.from.family == ADDR_NONE || addr_equal(&p.out.from, &second);
    CHECK("nothing leaves from it", !is_from_gone);
    ice_remove_base(p.ice, PEER_NOW, &second);
    CHECK("twice is fine", p.ice->pair_count == 2);
    CHECK("its place is free", ice_add_host(p.ice, PEER_NOW, &unknown, 1) == ERR_OK &&
                                   p.ice->base_count == 3 && p.ice->pair_count == 6);
    ice_free(p.ice);
}

TEST(bases_may_come_and_go_forever)
{
    struct peer p;

    peer_init_asked(&p);
    for (uint16_t i = 1; i < 500; i++) {
        struct addr a = peer_addr("10.0.0.1:1");

        a.port = i;
        CHECK("comes", (i % 2 ? ice_add_host(p.ice, PEER_NOW, &a, i)
                              : ice_add_relayed(p.ice, PEER_NOW, &a, &a, i)) == ERR_OK);
        while (ice_poll_output(p.ice, &p.out))
            continue;
        if (i > 3) {
            a.port = (uint16_t)(i - 3);
            ice_remove_base(p.ice, PEER_NOW, &a);
        }
    }
    CHECK("few are left", p.ice->base_count <= 6 && p.ice->pair_count <= 5);
    ice_free(p.ice);
}

static void wire_two_paths(struct wire *w)
{
    wire_init_two_paths(w, 3, BOTH);
    CHECK("connects", wire_connect_talking(w));
    wire_run(w, w->now + 5 * SECOND);
}

TEST(when_the_selected_base_goes_another_path_is_selected_at_once)
{
    for (int who = 0; who < 2; who++) {
        struct wire w;
        struct ice_path path;

        wire_two_paths(&w);
        wire_remove(&w, who, who ? "192.168.1.20:5000" : "192.168.1.10:4000");
        CHECK("at once", ice_selected(w.node[who].ice, &path) && path.remote.family == ADDR_IPV6);
        wire_run(&w, w.now + 300 * MILLISECOND);
        CHECK("and at the other side",
              ice_selected(w.node[1 - who].ice, &path) && path.remote.family == ADDR_IPV6);
        CHECK("never dark", w.node[0].dark_count + w.node[1].dark_count == 0);
        wire_remove(&w, who, who ? "[fd00::20]:5001" : "[fd00::10]:4001");
        CHECK("the last one", !ice_selected(w.node[who].ice, &path));
        CHECK("is dark at once", w.node[who].dark_count == 1 && w.node[who].lost_count == 0);
        wire_add_host(&w, who, "192.168.1.99:9999", 500);
        wire_run(&w, w.now + SECOND);
        CHECK("a new one is found",
              ice_selected(w.node[who].ice, &path) && path.local.port == 9999);
        CHECK("by the other side too",
              ice_selected(w.node[1 - who].ice, &path) && path.remote.port == 9999);
        wire_deinit(&w);
    }
}

/* What is left has failed before and fails again, long before a restart may have brought more. */
TEST(without_a_path_that_works_there_is_time_for_a_restart)
{
    struct wire w;
    usec gone;

    wire_init_two_paths(&w, 3, BOTH);
    w.cut_host = wire_addr("[fd00::20]:5001");
    wire_signal(&w, 0);
    wire_run(&w, w.now + 20 * SECOND);
    ice_end_local(w.node[0].ice, w.now);
    ice_end_remote(w.node[0].ice, w.now);
    wire_remove(&w, 0, "192.168.1.10:4000");
    gone = w.now;
    CHECK("dark", w.node[0].dark_count == 1);
    wire_run(&w, gone + 29 * SECOND);
    CHECK("not given up", w.node[0].lost_count + w.node[0].failed_count == 0);
    w.cut_host = (struct addr){ 0 };
    ice_check_again(w.node[0].ice, w.now);
    wire_run(&w, w.now + SECOND / 2);
    CHECK("and found again", w.node[0].path.remote.family == ADDR_IPV6);
    wire_deinit(&w);
}

TEST(without_any_base_it_is_lost_at_last)
{
    struct wire w;
    usec gone;

    wire_two_paths(&w);
    ice_end_local(w.node[0].ice, w.now);
    ice_end_remote(w.node[0].ice, w.now);
    wire_remove(&w, 0, "192.168.1.10:4000");
    wire_remove(&w, 0, "[fd00::10]:4001");
    gone = w.now;
    wire_run(&w, gone + 29 * SECOND);
    CHECK("not yet", w.node[0].lost_count + w.node[0].failed_count == 0);
    wire_run(&w, gone + 31 * SECOND);
    CHECK("lost, not failed", w.node[0].lost_count == 1 && w.node[0].failed_count == 0);
    wire_run(&w, gone + 60 * SECOND);
    CHECK("once", w.node[0].lost_count == 1 && w.node[0].dark_count == 1);
    wire_deinit(&w);
}

/* However the peer sees it: as itself, or behind a NAT of the relay's. */
TEST(a_pair_from_a_relayed_base_is_relayed)
{
    static const char *const mapped[] = { RELAY_A, "198.51.100.99:1" };

    for (size_t i = 0; i < COUNT(mapped); i++) {
        struct peer p;
        struct addr relayed = peer_addr(RELAY_A);
        struct ice_pair_info info[4];
        struct stun_msg m;
        uint8_t raw[200];

        peer_init_asked(&p);
        CHECK("direct", peer_next_check(&p, &m));
        ice_add_relayed(p.ice, PEER_NOW, &relayed, &p.host, 1);
        CHECK("from the relay", peer_next_check(&p, &m));
        p.host = peer_addr(mapped[i]); /* what the answer says */
        ice_input(p.ice, PEER_NOW, &relayed, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
        CHECK("works",
              ice_get_pairs(p.ice, info, COUNT(info)) == 2 && info[1].fate == ICE_FATE_SELECTED);
        CHECK("as relayed", info[1].local_type == ICE_RELAYED);
        CHECK("so direct is tried again", ice_retry_at(p.ice) == PEER_NOW + 30 * SECOND);
        ice_free(p.ice);
    }
}

TEST(every_pair_tells_its_fate)
{
    struct wire w;
    struct ice_pair_info info[ICE_PAIRS_MAX];
    size_t count, works = 0;

    wire_relayed(&w, 4, BOTH);
    CHECK("none yet", wire_connect(&w, w.now + SECOND));
    CHECK("at most what is asked for", ice_get_pairs(w.node[0].ice, info, 1) == 1);
    wire_run(&w, w.now + 20 * SECOND);
    count = ice_get_pairs(w.node[0].ice, info, COUNT(info));
    CHECK("all", count == w.node[0].ice->pair_count && count >= 4);
    CHECK("direct ones first", info[0].local_type != ICE_RELAYED &&
                                   info[0].fate == ICE_FATE_FAILED && info[0].rtt_us == 0);
    CHECK("tried to the end", info[0].checks == ICE_CHECK_SENDS_MAX);
    for (size_t i = 0; i < count; i++) {
        works += info[i].fate == ICE_FATE_SELECTED;
        if (info[i].fate == ICE_FATE_SELECTED || info[i].fate == ICE_FATE_WORKS)
            CHECK("with its round trip", info[i].rtt_us >= 40 * MILLISECOND && info[i].checks);
    }
    CHECK("one carries data", works == 1);
    wire_deinit(&w);
}

TESTS(TEST_ROW(a_relayed_candidate_is_told), TEST_ROW(relayed_addresses_by_address),
      TEST_ROW(direct_pairs_are_asked_first_and_stun_servers_from_sockets_only),
      TEST_ROW(a_full_table_keeps_places_for_relayed_pairs),
      TEST_ROW(where_no_direct_way_is_the_relay_carries_data),
      TEST_ROW(the_path_climbs_from_relayed_to_direct),
      TEST_ROW(direct_is_tried_again_while_relayed), TEST_ROW(check_again_brings_the_retry_forward),
      TEST_ROW(a_base_that_goes_takes_its_own_with_it), TEST_ROW(bases_may_come_and_go_forever),
      TEST_ROW(when_the_selected_base_goes_another_path_is_selected_at_once),
      TEST_ROW(without_a_path_that_works_there_is_time_for_a_restart),
      TEST_ROW(without_any_base_it_is_lost_at_last),
      TEST_ROW(a_pair_from_a_relayed_base_is_relayed), TEST_ROW(every_pair_tells_its_fate))

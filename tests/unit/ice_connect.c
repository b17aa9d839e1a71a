/* Two agents reach each other, in virtual time. */
#include "tests/check.h"
#include "tests/support/ice_wire.h"

static const struct ice_config controlling = { .controlling = true };

static void add_lan_hosts(struct wire *w)
{
    wire_add_host(w, 0, "192.168.1.10:4000", 65535);
    wire_add_host(w, 1, "192.168.1.20:5000", 65535);
}

TEST(a_lan_connects_within_one_round_trip)
{
    struct wire w;
    usec start;

    wire_init(&w, 1, &controlling, NULL);
    add_lan_hosts(&w);
    wire_signal(&w, 0);
    start = w.now;
    CHECK("connects", wire_connect(&w, w.now + 5 * SECOND));
    CHECK("first side in one round trip", w.node[0].selected_at == start + 2 * w.delay_us);
    CHECK("second side too", w.node[1].selected_at == start + 2 * w.delay_us);
    CHECK("round trip is known", w.node[0].path.rtt_us == 2 * w.delay_us);
    CHECK("on both sides", w.node[1].path.rtt_us == 2 * w.delay_us);
    CHECK("host to host",
          w.node[0].path.local_type == ICE_HOST && w.node[0].path.remote_type == ICE_HOST);
    wire_run(&w, w.now + 60 * SECOND);
    CHECK("and stays", w.node[0].selected_count == 1 && w.node[1].selected_count == 1);
    CHECK("few datagrams in a minute", w.node[0].sent < 40 && w.node[1].sent < 40);
    wire_deinit(&w);
}

TEST(two_families_and_two_interfaces_cost_no_time)
{
    struct wire w;
    usec start;

    wire_init(&w, 2, &controlling, NULL);
    wire_add_host(&w, 0, "192.168.1.10:4000", 1000);
    wire_add_host(&w, 0, "[fd00::10]:4001", 2000);
    wire_add_host(&w, 0, "10.9.0.10:4002", 500);
    wire_add_host(&w, 1, "192.168.1.20:5000", 1000);
    wire_add_host(&w, 1, "[fd00::20]:5001", 2000);
    wire_signal(&w, 0);
    start = w.now;
    CHECK("connects", wire_connect(&w, w.now + 5 * SECOND));
    CHECK("in one round trip", w.node[0].selected_at == start + 2 * w.delay_us &&
                                   w.node[1].selected_at == start + 2 * w.delay_us);
    wire_run(&w, w.now + SECOND);
    CHECK("both on IPv6, the better pair",
          w.node[0].path.remote.family == ADDR_IPV6 && w.node[1].path.remote.family == ADDR_IPV6);
    wire_deinit(&w);
}

TEST(loss_delays_but_does_not_prevent)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct wire w;

        wire_init(&w, seed, &controlling, NULL);
        add_lan_hosts(&w);
        w.loss_ppm = 200000;
        wire_signal(&w, 0);
        CHECK("within 8 s at 20 % loss", wire_connect(&w, w.now + 8 * SECOND));
        wire_deinit(&w);
    }
}

TEST(two_nats_connect_by_reflexive_candidates)
{
    struct wire w;

    wire_init(&w, 3, &controlling, NULL);
    for (int i = 0; i < 2; i++) {
        w.node[i].lan = i + 1;
        w.node[i].nat_ip = wire_addr(i ? "198.51.100.20:1" : "198.51.100.10:1");
        wire_add_host(&w, i, "192.168.1.10:4000", 65535);
        wire_add_stun(&w, i);
        ice_end_local(w.node[i].ice, w.now);
    }
    wire_signal(&w, 50 * MILLISECOND);
    CHECK("two candidates each", w.node[0].candidates == 2 && w.node[1].candidates == 2);
    CHECK("gathered in one round trip", w.node[0].gathered_at == 1000 * SECOND + 2 * w.delay_us);
    CHECK("once", w.node[0].gathered_count == 1);
    CHECK("reflexive with its base", w.node[0].last_candidate.type == ICE_SERVER_REFLEXIVE &&
                                         w.node[0].last_candidate.addr.port == 5000 &&
                                         w.node[0].last_candidate.related.port == 4000);
    CHECK("connects in half a second", wire_connect(&w, w.now + SECOND / 2));
    CHECK("as the peer sees it", w.node[0].path.local_type == ICE_SERVER_REFLEXIVE &&
                                     w.node[0].path.remote_type == ICE_SERVER_REFLEXIVE);
    wire_deinit(&w);
}

TEST(a_peer_that_hides_its_addresses_is_learned)
{
    for (int hidden = 0; hidden < 2; hidden++) {
        struct wire w;
        usec start;

        wire_init(&w, 4, &controlling, NULL);
        add_lan_hosts(&w);
        w.node[hidden].is_mute = true;
        wire_signal(&w, 0);
        start = w.now;
        CHECK("connects", wire_connect(&w, w.now + SECOND));
        CHECK("in two round trips", w.now <= start + 4 * w.delay_us);
        CHECK("as peer-reflexive", w.node[1 - hidden].path.remote_type == ICE_PEER_REFLEXIVE);
        wire_deinit(&w);
    }
}

TEST(an_early_check_is_answered_and_remembered)
{
    struct wire w;
    struct ice_candidate c;
    usec start;

    wire_init(&w, 5, &controlling, NULL);
    add_lan_hosts(&w);
    wire_run(&w, w.now);
    /* Only side 1 has the other's description yet. */
    CHECK("decodes", ice_candidate_decode(&c, w.node[0].lines[0]) == ERR_OK);
    ice_set_remote(w.node[1].ice, w.now, ice_ufrag(w.node[0].ice), ice_pwd(w.node[0].ice));
    ice_add_remote(w.node[1].ice, w.now, &c);
    wire_run(&w, w.now + SECOND);
    CHECK("answered", ice_verdicts(w.node[1].ice)->count[VERDICT_TAKEN] == 1);
    CHECK("nobody selected", w.node[0].selected_count == 0 && w.node[1].selected_count == 0);
    start = w.now;
    ice_set_remote(w.node[0].ice, w.now, ice_ufrag(w.node[1].ice), ice_pwd(w.node[1].ice));
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    CHECK("one round trip later", w.now == start + 2 * w.delay_us);
    wire_deinit(&w);
}

TEST(role_conflicts_are_resolved)
{
    static const struct ice_config controlled = { .controlling = false };
    static const struct {
        const char *claim;
        const struct ice_config *cfg;
    } rows[] = { { "both controlling", &controlling }, { "both controlled", &controlled } };

    for (size_t i = 0; i < 32; i++) {
        struct wire w;
        const struct ice_config *cfg = rows[i % 2].cfg;

        wire_init(&w, i, cfg, cfg);
        add_lan_hosts(&w);
        wire_signal(&w, 0);
        CHECK(rows[i % 2].claim, wire_connect(&w, w.now + SECOND));
        CHECK(rows[i % 2].claim,
              ice_is_controlling(w.node[0].ice) != ice_is_controlling(w.node[1].ice));
        wire_deinit(&w);
    }
}

TEST(without_an_answer_it_fails_in_time)
{
    struct wire w;
    usec start;

    wire_init(&w, 6, &controlling, NULL);
    add_lan_hosts(&w);
    w.is_cut = true;
    wire_signal(&w, 0);
    start = w.now;
    wire_run(&w, w.now + 60 * SECOND);
    CHECK("at 15 s", w.node[0].failed_at == start + 15 * SECOND);
    CHECK("once, both", w.node[0].failed_count == 1 && w.node[1].failed_count == 1);
    CHECK("a bounded number of checks", w.node[0].sent <= 15);
    CHECK("nothing more to do", ice_next_timeout(w.node[0].ice) == USEC_NEVER);
    wire_deinit(&w);
}

TEST(a_cut_path_is_lost_after_thirty_seconds)
{
    struct wire w;
    usec cut;

    wire_init(&w, 7, &controlling, NULL);
    add_lan_hosts(&w);
    wire_signal(&w, 0);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    wire_run(&w, w.now + 60 * SECOND);
    cut = w.now;
    w.is_cut = true;
    wire_run(&w, w.now + 31 * SECOND);
    CHECK("lost", w.node[0].lost_count == 1 && w.node[1].lost_count == 1);
    CHECK("not before consent ran out", w.node[0].lost_at > cut + 20 * SECOND);
    CHECK("not selected", !ice_selected(w.node[0].ice, &w.node[0].path));
    w.is_cut = false;
    w.node[0].selected_at = w.node[1].selected_at = USEC_NEVER;
    CHECK("found again when the network is back", wire_connect(&w, w.now + 10 * SECOND));
    wire_deinit(&w);
}

TEST(another_path_takes_over)
{
    struct wire w;

    wire_init(&w, 8, &controlling, NULL);
    add_lan_hosts(&w);
    wire_add_host(&w, 0, "[fd00::10]:4001", 1000);
    wire_add_host(&w, 1, "[fd00::20]:5001", 1000);
    wire_signal(&w, 0);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    wire_run(&w, w.now + 120 * SECOND);
    CHECK("on the better path", w.node[0].path.remote.family == ADDR_IPV4);
    w.cut_host = wire_addr("192.168.1.20:5000");
    wire_run(&w, w.now + 40 * SECOND);
    CHECK("moved",
          w.node[0].path.remote.family == ADDR_IPV6 && w.node[1].path.remote.family == ADDR_IPV6);
    wire_run(&w, w.now + 60 * SECOND);
    CHECK("not lost", w.node[0].lost_count == 0 && w.node[1].lost_count == 0);
    CHECK("moved once", w.node[0].selected_count <= 3 && w.node[1].selected_count <= 3);
    wire_deinit(&w);
}

static bool is_same_path(const struct wire *w)
{
    return addr_equal(&w->node[0].path.local, &w->node[1].path.remote) &&
           addr_equal(&w->node[1].path.local, &w->node[0].path.remote);
}

TEST(both_sides_agree_on_the_path_whatever_is_lost)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct wire w;

        wire_init(&w, seed, &controlling, seed % 3 == 0 ? &controlling : NULL);
        w.loss_ppm = 100000;
        for (int i = 0; i < 2; i++) {
            wire_add_host(&w, i, i ? "10.1.0.1:1" : "10.1.0.2:1", (uint16_t)rng_u32(&w.rng));
            wire_add_host(&w, i, i ? "[fd00::1]:2" : "[fd00::2]:2", (uint16_t)rng_u32(&w.rng));
            wire_add_host(&w, i, i ? "10.2.0.1:3" : "10.2.0.2:3", (uint16_t)rng_u32(&w.rng));
        }
        w.node[seed % 2].is_mute = seed % 5 == 0;
        wire_signal(&w, 0);
        CHECK("connects", wire_connect(&w, w.now + 8 * SECOND));
        wire_run(&w, w.now + 15 * SECOND);
        w.loss_ppm = 0;
        wire_run(&w, w.now + 30 * SECOND);
        CHECK("the same path", is_same_path(&w));
        CHECK("no storm", w.node[0].sent < 250 && w.node[1].sent < 250);
        CHECK("never lost", w.node[0].lost_count + w.node[1].lost_count == 0);
        wire_deinit(&w);
    }
}

TEST(the_answerer_gathers_without_slowing_its_checks)
{
    struct wire w;
    usec start;

    wire_init(&w, 9, &controlling, NULL);
    for (int i = 0; i < 2; i++) {
        wire_add_stun(&w, i);
        wire_add_host(&w, i, i ? "203.0.113.1:1" : "203.0.113.101:1", 6000);
        wire_add_host(&w, i, i ? "203.0.113.2:1" : "203.0.113.102:1", 5000);
        wire_add_host(&w, i, i ? "203.0.113.3:1" : "203.0.113.103:1", 4000);
    }
    wire_signal(&w, 0);
    start = w.now;
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    CHECK("in one round trip", w.now == start + 2 * w.delay_us);
    CHECK("no reflexive candidate where there is no NAT", w.node[0].candidates == 3);
    wire_deinit(&w);
}

/* Servers that never answer, beside one that does: nothing waits for them but the last event. */
TEST(dead_stun_servers_delay_nothing)
{
    struct wire w;
    usec start, begun;

    wire_init(&w, 11, &controlling, NULL);
    begun = w.now;
    for (int i = 0; i < 2; i++) {
        struct addr dead = wire_addr("198.51.100.99:3478");

        w.node[i].lan = i + 1;
        w.node[i].nat_ip = wire_addr(i ? "198.51.100.20:1" : "198.51.100.10:1");
        wire_add_host(&w, i, "192.168.1.10:4000", 65535);
        for (uint16_t s = 1; s < ICE_STUN_SERVERS_MAX; s++) {
            dead.port = s;
            ice_add_stun_server(w.node[i].ice, w.now, &dead);
        }
        wire_add_stun(&w, i);
        ice_end_local(w.node[i].ice, w.now);
    }
    wire_signal(&w, 2 * w.delay_us);
    start = w.now;
    CHECK("the live one has answered", w.node[0].candidates == 2 && w.node[1].candidates == 2);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    CHECK("in one round trip", w.now == start + 2 * w.delay_us);
    CHECK("gathering goes on", w.node[0].gathered_count == 0);
    wire_run(&w, begun + 5 * SECOND);
    CHECK("and ends", w.node[0].gathered_count == 1 && w.node[1].gathered_count == 1);
    wire_deinit(&w);
}

/* Round trip 40 ms, NATs on both sides; the answerer starts with its answer, half a round trip
 * before the other side has it. */
static usec connect_lossy(uint64_t seed, uint32_t loss_ppm)
{
    struct wire w;
    struct ice_candidate c;
    usec start, took;

    wire_init(&w, seed, &controlling, NULL);
    w.delay_us = 20 * MILLISECOND;
    wire_set_abilities(&w, ICE_RENOMINATION | ICE_SHARED_CONSENT);
    for (int i = 0; i < 2; i++) {
        w.node[i].lan = i + 1;
        w.node[i].nat_ip = wire_addr(i ? "198.51.100.20:1" : "198.51.100.10:1");
        wire_add_host(&w, i, "192.168.1.10:4000", 65535);
        wire_add_stun(&w, i);
    }
    wire_run(&w, w.now + 100 * MILLISECOND);
    w.loss_ppm = loss_ppm;
    for (int i = 1; i >= 0; i--) {
        struct wire_node *n = &w.node[i], *other = &w.node[1 - i];

        ice_set_remote(n->ice, w.now, ice_ufrag(other->ice), ice_pwd(other->ice));
        for (size_t l = 0; l < other->candidates; l++) {
            ice_candidate_decode(&c, other->lines[l]);
            ice_add_remote(n->ice, w.now, &c);
        }
        if (i == 1)
            wire_run(&w, w.now + w.delay_us);
    }
    start = w.now;
    CHECK("connects", wire_connect(&w, w.now + 15 * SECOND));
    took = w.now - start;
    CHECK("a bounded number of checks", w.node[0].sent + w.node[1].sent <= 60);
    wire_deinit(&w);
    return took;
}

TEST(a_lossy_first_flight_is_made_good_within_two_round_trips)
{
    usec lossless = connect_lossy(1, 0);
    size_t late = 0;

    CHECK("one and a half round trips for both to know", lossless <= 60 * MILLISECOND);
    for (uint64_t seed = 1; seed <= 200; seed++)
        late += connect_lossy(seed, 100000) > lossless + 80 * MILLISECOND;
    CHECK("at 10 % loss 19 of 20 come at most 80 ms later", late <= 10);
}

TEST(spare_paths_are_few_and_cheap)
{
    struct wire w;
    size_t before;

    wire_init(&w, 10, &controlling, NULL);
    for (int i = 0; i < 2; i++)
        for (int h = 0; h < 4; h++) {
            char addr[40];

            snprintf(addr, sizeof addr, "10.0.%d.%d:5000", h, i + 1);
            wire_add_host(&w, i, addr, (uint16_t)(1000 * h));
        }
    wire_signal(&w, 0);
    CHECK("connects", wire_connect(&w, w.now + SECOND));
    wire_run(&w, w.now + 60 * SECOND); /* sixteen pairs worked: all but three have run out */
    before = w.node[0].sent;
    wire_run(&w, w.now + 600 * SECOND);
    /* Each side asks 12 times a minute on the selected path, 2.4 times on each of two spares, and
     * answers as often: 34, in ten minutes 336, a fifth more by jitter. */
    CHECK("in ten minutes", w.node[0].sent - before <= 410);
    CHECK("more than the selected one", w.node[0].sent - before >= 300);
    wire_deinit(&w);
}

TESTS(TEST_ROW(a_lan_connects_within_one_round_trip),
      TEST_ROW(two_families_and_two_interfaces_cost_no_time),
      TEST_ROW(loss_delays_but_does_not_prevent),
      TEST_ROW(two_nats_connect_by_reflexive_candidates),
      TEST_ROW(a_peer_that_hides_its_addresses_is_learned),
      TEST_ROW(an_early_check_is_answered_and_remembered), TEST_ROW(role_conflicts_are_resolved),
      TEST_ROW(without_an_answer_it_fails_in_time),
      TEST_ROW(a_cut_path_is_lost_after_thirty_seconds), TEST_ROW(another_path_takes_over),
      TEST_ROW(both_sides_agree_on_the_path_whatever_is_lost),
      TEST_ROW(the_answerer_gathers_without_slowing_its_checks),
      TEST_ROW(dead_stun_servers_delay_nothing),
      TEST_ROW(a_lossy_first_flight_is_made_good_within_two_round_trips),
      TEST_ROW(spare_paths_are_few_and_cheap))

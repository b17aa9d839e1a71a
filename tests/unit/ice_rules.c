/* One agent against a peer that the test plays message by message: what it must answer, and what
 * must leave no trace. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"

static const struct ice_config controlling = { .controlling = true };

static const struct {
    const char *claim;
    enum flaw flaw;
    enum verdict verdict;
    int answer; /* -1: none; 0: success; otherwise the error code */
} rows[] = {
    { "a good request", NO_FLAW, VERDICT_TAKEN, 0 },
    { "wrong password", WRONG_PASSWORD, VERDICT_FORGED, -1 },
    { "no user name", NO_USERNAME, VERDICT_FORGED, -1 },
    { "another fragment", WRONG_UFRAG, VERDICT_FORGED, -1 },
    { "our fragment and more", LONGER_UFRAG, VERDICT_FORGED, -1 },
    { "no integrity", NO_INTEGRITY, VERDICT_FORGED, -1 },
    { "no priority", NO_PRIORITY, VERDICT_MALFORMED, -1 },
    { "no fingerprint", NO_FINGERPRINT, VERDICT_MALFORMED, -1 },
    { "unknown required attribute", UNKNOWN_REQUIRED, VERDICT_TAKEN, 420 },
    { "another method", OTHER_METHOD, VERDICT_UNEXPECTED, -1 },
};

TEST(requests_by_flaw)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct stun_msg m;
        uint8_t raw[700];
        bool answered;

        peer_init(&p, &controlling);
        CHECK(rows[i].claim, ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                                       peer_request(&p, rows[i].flaw, raw)) == rows[i].verdict);
        CHECK(rows[i].claim, ice_verdicts(p.ice)->count[rows[i].verdict] == 1);
        CHECK(rows[i].claim, ice_is_known_path(p.ice, &p.host, &p.from) == (rows[i].answer == 0));
        answered = ice_poll_output(p.ice, &p.out);
        CHECK(rows[i].claim, answered == (rows[i].answer >= 0));
        if (answered) {
            CHECK(rows[i].claim, stun_decode(&m, out_datagram(&p.out, 0)) == VERDICT_TAKEN);
            CHECK(rows[i].claim, m.error_code == rows[i].answer);
            CHECK(rows[i].claim, stun_has_integrity(&m, bytes_of_string(ice_pwd(p.ice))));
            CHECK(rows[i].claim, addr_equal(&p.out.to, &p.from));
        }
        CHECK("nothing else goes out", !ice_poll_output(p.ice, &p.out));
        ice_free(p.ice);
    }
}

TEST(requests_by_place)
{
    static const struct {
        const char *claim, *local, *from;
    } places[] = {
        { "a socket that is not ours", "192.168.1.1:4001", "192.168.1.2:5000" },
        { "from another family", "192.168.1.1:4000", "[2001:db8::1]:5000" },
        { "from port 0", "192.168.1.1:4000", "192.168.1.2:0" },
        { "from multicast", "192.168.1.1:4000", "224.0.0.251:5353" },
        { "from nowhere", "192.168.1.1:4000", "0.0.0.0:5000" },
    };

    for (size_t i = 0; i < COUNT(places); i++) {
        struct peer p;
        uint8_t raw[700];
        struct addr local = peer_addr(places[i].local), from = peer_addr(places[i].from);

        peer_init(&p, &controlling);
        CHECK(places[i].claim, ice_input(p.ice, PEER_NOW, &local, &from,
                                         peer_request(&p, NO_FLAW, raw)) == VERDICT_UNEXPECTED);
        CHECK(places[i].claim, !ice_poll_output(p.ice, &p.out));
        ice_free(p.ice);
    }
}

static struct stun_id next_check(struct peer *p)
{
    struct stun_msg m = { 0 };

    CHECK("a check goes out", ice_poll_output(p->ice, &p->out));
    CHECK("it reads", stun_decode(&m, out_datagram(&p->out, 0)) == VERDICT_TAKEN);
    CHECK("as a request to nominate", m.class == STUN_REQUEST && m.has & STUN_HAS_USE_CANDIDATE &&
                                          m.has & STUN_HAS_CONTROLLING);
    CHECK("named", bytes_equal(m.username, bytes_of_string(PEER_UFRAG ":ours1234")));
    return m.id;
}

TEST(answers_by_flaw)
{
    struct peer p;
    struct stun_id id, other;
    struct addr elsewhere = peer_addr("192.168.1.3:5000");
    struct ice_path path;
    uint8_t raw[200];

    peer_init_asked(&p);
    id = other = next_check(&p);
    other.bytes[0] ^= 1;
    CHECK("another id", ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                                  peer_answer(&p, &other, PEER_PWD, 0, raw)) == VERDICT_UNEXPECTED);
    CHECK("another key", ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                                   peer_answer(&p, &id, "guess", 0, raw)) == VERDICT_FORGED);
    CHECK("from elsewhere",
          ice_input(p.ice, PEER_NOW, &p.host, &elsewhere, peer_answer(&p, &id, PEER_PWD, 0, raw)) ==
              VERDICT_UNEXPECTED);
    CHECK("none of them counts", !ice_selected(p.ice, &path));
    CHECK("the true one", ice_input(p.ice, PEER_NOW + 5000, &p.host, &p.from,
                                    peer_answer(&p, &id, PEER_PWD, 0, raw)) == VERDICT_TAKEN);
    CHECK("selects", ice_selected(p.ice, &path) && path.rtt_us == 5000);
    CHECK("a replay is nothing",
          ice_input(p.ice, PEER_NOW + 9000, &p.host, &p.from,
                    peer_answer(&p, &id, PEER_PWD, 0, raw)) == VERDICT_UNEXPECTED);
    CHECK("and keeps nothing alive",
          ice_selected(p.ice, &path) && path.heard_at == PEER_NOW + 5000);
    ice_free(p.ice);
}

TEST(an_error_fails_the_pair_and_487_changes_the_role)
{
    struct peer p;
    struct stun_id id;
    struct stun_msg m;
    uint64_t tie_breaker;
    uint8_t raw[200];

    peer_init_asked(&p);
    id = next_check(&p);
    tie_breaker = p.ice->tie_breaker;
    CHECK("taken", ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                             peer_answer(&p, &id, PEER_PWD, 487, raw)) == VERDICT_TAKEN);
    CHECK("the other role", !ice_is_controlling(p.ice));
    CHECK("asked again", ice_poll_output(p.ice, &p.out));
    stun_decode(&m, out_datagram(&p.out, 0));
    CHECK("as controlled", m.has & STUN_HAS_CONTROLLED && !(m.has & STUN_HAS_USE_CANDIDATE));
    CHECK("with another id", !stun_id_equal(&m.id, &id));
    CHECK("and another tie-breaker", m.tie_breaker != tie_breaker);
    CHECK("taken", ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                             peer_answer(&p, &m.id, PEER_PWD, 400, raw)) == VERDICT_TAKEN);
    CHECK("given up", ice_all_pairs_failed(p.ice) && !ice_poll_output(p.ice, &p.out));
    p.is_controlling = true;
    CHECK("until the peer asks", peer_ask(&p, PEER_NOW + SECOND));
    ice_free(p.ice);
}

TEST(a_dead_stun_server_is_given_up)
{
    struct peer p;
    struct addr server = peer_addr("203.0.113.1:3478");
    struct ice_event ev;
    size_t sent = 0;
    usec now = PEER_NOW;

    peer_init(&p, &controlling);
    ice_add_stun_server(p.ice, now, &server);
    ice_end_local(p.ice, now);
    CHECK("the host is told", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_LOCAL_CANDIDATE);
    CHECK("and no end yet", !ice_poll_event(p.ice, &ev));
    for (;;) {
        while (ice_poll_output(p.ice, &p.out))
            sent++;
        if (ice_next_timeout(p.ice) == USEC_NEVER)
            break;
        now = usec_max(now, ice_next_timeout(p.ice));
        ice_tick(p.ice, now);
    }
    CHECK("asked five times", sent == ICE_QUERY_SENDS_MAX);
    CHECK("in six seconds", now < PEER_NOW + 6 * SECOND);
    CHECK("then the end", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
    ice_free(p.ice);
}

/* RFC 8445 §7.3.1.1. */
TEST(role_conflicts_by_tie_breaker)
{
    static const struct {
        const char *claim;
        bool we_control, they_control;
        uint64_t theirs;
        uint16_t answer;
        bool we_control_then;
    } list[] = {
        { "controlling against a smaller one", true, true, 0, 487, true },
        { "controlling against a larger one", true, true, UINT64_MAX, 0, false },
        { "controlled against a smaller one", false, false, 0, 0, true },
        { "controlled against a larger one", false, false, UINT64_MAX, 487, false },
        { "no conflict", true, false, UINT64_MAX, 0, true },
        { "no conflict the other way", false, true, 0, 0, false },
    };

    for (size_t i = 0; i < COUNT(list); i++) {
        struct ice_config cfg = { .controlling = list[i].we_control };
        struct peer p;
        struct stun_msg m = { 0 };
        uint8_t raw[700];

        peer_init(&p, &cfg);
        p.is_controlling = list[i].they_control;
        p.tie_breaker = list[i].theirs;
        ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
        CHECK(list[i].claim, ice_poll_output(p.ice, &p.out));
        stun_decode(&m, out_datagram(&p.out, 0));
        CHECK(list[i].claim, m.error_code == list[i].answer);
        CHECK(list[i].claim, ice_is_controlling(p.ice) == list[i].we_control_then);
        ice_free(p.ice);
    }
}

TEST(a_check_of_the_peer_is_met_with_one_at_once)
{
    struct peer p;

    peer_init_asked(&p);
    next_check(&p);
    CHECK("asked again though the first is under way", peer_ask(&p, PEER_NOW + 10 * MILLISECOND));
    ice_free(p.ice);
}

/* Of eight requests the last two and the first are known by their time; the others are not. */
TEST(the_round_trip_is_that_of_the_request_that_was_answered)
{
    static const struct {
        unsigned nth; /* of four requests, answered 400 ms after the first */
        usec rtt_us;
    } answers[] = {
        { 0, 400 * MILLISECOND }, { 1, 0 }, { 2, 250 * MILLISECOND }, { 3, 150 * MILLISECOND }
    };

    for (size_t i = 0; i < COUNT(answers); i++) {
        static const usec sent_at[] = { 0, 50 * MILLISECOND, 150 * MILLISECOND, 250 * MILLISECOND };
        struct peer p;
        struct stun_id ids[COUNT(sent_at)];
        struct stun_msg m = { 0 };
        struct ice_path path = { 0 };
        uint8_t raw[200];

        peer_init_asked(&p);
        for (size_t s = 0; s < COUNT(sent_at); s++) {
            ice_tick(p.ice, PEER_NOW + sent_at[s]);
            CHECK("sent then", peer_next_check(&p, &m));
            ids[s] = m.id;
        }
        ice_input(p.ice, PEER_NOW + 400 * MILLISECOND, &p.host, &p.from,
                  peer_answer(&p, &ids[answers[i].nth], PEER_PWD, 0, raw));
        CHECK("selected", ice_selected(p.ice, &path));
        CHECK("with its own round trip", path.rtt_us == answers[i].rtt_us);
        ice_free(p.ice);
    }
}

TEST(only_a_check_that_nominated_nominates)
{
    struct ice_config cfg = { .controlling = false };
    struct ice_candidate c = peer_candidate("192.168.1.2:5000", 1000);
    struct peer p;
    struct stun_msg first, second;
    struct ice_path path;
    uint8_t raw[700], answer[200];

    peer_init(&p, &cfg);
    peer_describe(&p, PEER_NOW);
    ice_add_remote(p.ice, PEER_NOW, &c);
    CHECK("asked as controlled", peer_next_check(&p, &first) && first.has & STUN_HAS_CONTROLLED);
    ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
    CHECK("now controlling", ice_is_controlling(p.ice));
    CHECK("asked as controlling",
          peer_next_check(&p, &second) && second.has & STUN_HAS_USE_CANDIDATE);
    ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_answer(&p, &first.id, PEER_PWD, 0, answer));
    CHECK("the first answer selects nothing", !ice_selected(p.ice, &path));
    ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_answer(&p, &second.id, PEER_PWD, 0, answer));
    CHECK("the second does", ice_selected(p.ice, &path));
    ice_free(p.ice);
}

TESTS(TEST_ROW(requests_by_flaw), TEST_ROW(requests_by_place), TEST_ROW(answers_by_flaw),
      TEST_ROW(an_error_fails_the_pair_and_487_changes_the_role),
      TEST_ROW(a_dead_stun_server_is_given_up), TEST_ROW(role_conflicts_by_tie_breaker),
      TEST_ROW(a_check_of_the_peer_is_met_with_one_at_once),
      TEST_ROW(the_round_trip_is_that_of_the_request_that_was_answered),
      TEST_ROW(only_a_check_that_nominated_nominates))

/* One agent against a peer that the test plays message by message: what it must answer, what must
 * leave no trace, and what bounds it. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

#define UFRAG "peer"
#define PWD   "thePeersPassword0123456"
#define NOW   (1000 * SECOND)

static const struct ice_config controlling = { .controlling = true };

struct peer {
    struct ice *ice;
    struct rng rng;
    uint64_t seed;
    struct addr host, from; /* the agent's socket, the peer's address */
    uint8_t buf[1500];
    struct out out;
};

static struct addr addr_of(const char *text)
{
    struct addr a = { 0 };

    CHECK(text, addr_parse(&a, text));
    return a;
}

static void peer_init(struct peer *p, const struct ice_config *cfg)
{
    *p = (struct peer){ .seed = 1 };
    p->rng = test_rng(&p->seed);
    p->host = addr_of("192.168.1.1:4000");
    p->from = addr_of("192.168.1.2:5000");
    out_init(&p->out, p->buf, sizeof p->buf);
    CHECK("made", ice_new(&p->ice, cfg, &p->rng) == ERR_OK);
    CHECK("hosted", ice_add_host(p->ice, NOW, &p->host, 65535) == ERR_OK);
}

static void peer_describe(struct peer *p, usec now)
{
    CHECK("described", ice_set_remote(p->ice, now, UFRAG, PWD) == ERR_OK);
}

/* What a request may lack or carry too much. */
enum flaw {
    NO_FLAW,
    WRONG_PASSWORD,
    NO_USERNAME,
    WRONG_UFRAG,
    NO_PRIORITY,
    NO_FINGERPRINT,
    NO_INTEGRITY,
    UNKNOWN_REQUIRED,
    OTHER_METHOD
};

static struct bytes request(struct peer *p, enum flaw flaw, uint8_t raw[700])
{
    struct wr w = wr_of(raw, 700);
    struct stun_id id;
    char username[64];

    stun_id_init(&id, &p->rng);
    snprintf(username, sizeof username, "%s:%s", flaw == WRONG_UFRAG ? "other" : ice_ufrag(p->ice),
             UFRAG);
    stun_encode_header(&w, STUN_REQUEST, flaw == OTHER_METHOD ? 3 : STUN_BINDING, &id);
    if (flaw != NO_USERNAME)
        stun_add_bytes(&w, STUN_ATTR_USERNAME, bytes_of_string(username));
    stun_add_u64(&w, STUN_ATTR_ICE_CONTROLLED, 7);
    if (flaw != NO_PRIORITY)
        stun_add_u32(&w, STUN_ATTR_PRIORITY, 1000);
    if (flaw == UNKNOWN_REQUIRED)
        stun_add_u32(&w, (enum stun_attr)0x7fff, 0);
    stun_add_u32(&w, (enum stun_attr)0xc057, 0); /* as Chromium does */
    if (flaw != NO_INTEGRITY)
        stun_add_integrity(&w, bytes_of_string(flaw == WRONG_PASSWORD ? "wrong" : ice_pwd(p->ice)));
    if (flaw != NO_FINGERPRINT)
        stun_add_fingerprint(&w);
    return wr_written(&w);
}

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
        CHECK(rows[i].claim, ice_input(p.ice, NOW, &p.host, &p.from,
                                       request(&p, rows[i].flaw, raw)) == rows[i].verdict);
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
        { "from port 0", "192.168.1.1:4000", "192.168.1.2:0" },
        { "from multicast", "192.168.1.1:4000", "224.0.0.251:5353" },
        { "from nowhere", "192.168.1.1:4000", "0.0.0.0:5000" },
    };

    for (size_t i = 0; i < COUNT(places); i++) {
        struct peer p;
        uint8_t raw[700];
        struct addr local = addr_of(places[i].local), from = addr_of(places[i].from);

        peer_init(&p, &controlling);
        CHECK(places[i].claim, ice_input(p.ice, NOW, &local, &from, request(&p, NO_FLAW, raw)) ==
                                   VERDICT_UNEXPECTED);
        CHECK(places[i].claim, !ice_poll_output(p.ice, &p.out));
        ice_free(p.ice);
    }
}

TEST(answers_waiting_are_bounded)
{
    struct peer p;
    size_t answered = 0;
    uint8_t raw[700];

    peer_init(&p, &controlling);
    for (unsigned i = 0; i < 50; i++) {
        enum verdict v = ice_input(p.ice, NOW, &p.host, &p.from, request(&p, NO_FLAW, raw));

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
        ice_input(p.ice, NOW, &p.host, &p.from, request(&p, NO_FLAW, raw));
        known += ice_is_known_path(p.ice, &p.host, &p.from);
        while (ice_poll_output(p.ice, &p.out))
            continue;
    }
    CHECK("as many as candidates", known == ICE_CANDIDATES_MAX);
    ice_free(p.ice);
}

static struct ice_candidate candidate(const char *text, uint32_t priority)
{
    return (struct ice_candidate){
        .type = ICE_HOST, .priority = priority, .foundation = "1", .addr = addr_of(text)
    };
}

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
        struct ice_candidate c = candidate(list[i].addr, 1);

        peer_init(&p, &controlling);
        peer_describe(&p, NOW);
        CHECK(list[i].claim, ice_add_remote(p.ice, NOW, &c) == list[i].err);
        CHECK(list[i].claim, ice_poll_output(p.ice, &p.out) == list[i].is_asked);
        ice_free(p.ice);
    }
}

TEST(link_local_goes_with_the_zone_of_its_socket)
{
    struct peer p;
    struct addr own = addr_of("[fe80::1%7]:4000");
    struct ice_candidate c = candidate("[fe80::2]:9", 1);

    peer_init(&p, &controlling);
    ice_add_host(p.ice, NOW, &own, 1);
    peer_describe(&p, NOW);
    ice_add_remote(p.ice, NOW, &c);
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
        struct addr a = addr_of(list[i].addr);

        CHECK(list[i].claim, ice_add_host(p.ice, NOW, &a, 1) == list[i].err);
    }
    for (uint16_t port = 1; port <= 13; port++) {
        p.host.port = port;
        CHECK("room for 16", ice_add_host(p.ice, NOW, &p.host, 1) == ERR_OK);
    }
    p.host.port = 99;
    CHECK("no more", ice_add_host(p.ice, NOW, &p.host, 1) == ERR_LIMIT);
    ice_free(p.ice);
}

/* A peer that names many addresses that never answer: 16 sockets, 32 candidates. */
TEST(checks_to_the_unanswering_are_bounded_and_paced)
{
    struct peer p;
    size_t sent = 0, at_once = 0;
    usec now = NOW;

    peer_init(&p, &controlling);
    for (uint16_t i = 1; i < ICE_BASES_MAX; i++) {
        p.host.port = i;
        ice_add_host(p.ice, NOW, &p.host, i);
    }
    peer_describe(&p, NOW);
    for (uint16_t i = 1; i <= ICE_CANDIDATES_MAX + 1; i++) {
        struct ice_candidate c = candidate("203.0.113.9:9", i);

        c.addr.port = i;
        CHECK("32 and no more",
              ice_add_remote(p.ice, NOW, &c) == (i <= ICE_CANDIDATES_MAX ? ERR_OK : ERR_LIMIT));
    }
    while (ice_poll_output(p.ice, &p.out))
        at_once++;
    CHECK("a burst at once", at_once == ICE_BURST);
    for (sent = at_once; now < NOW + 20 * SECOND && ice_next_timeout(p.ice) != USEC_NEVER;) {
        now = usec_max(now, ice_next_timeout(p.ice));
        ice_tick(p.ice, now);
        while (ice_poll_output(p.ice, &p.out))
            sent++;
    }
    CHECK("failed at last", p.ice->state == ICE_FAILED && now <= NOW + 15 * SECOND);
    CHECK("bounded", sent <= ICE_UNANSWERED_MAX && sent > 100);
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
        CHECK(credentials[i].claim, ice_set_remote(p.ice, NOW, credentials[i].ufrag,
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
    CHECK("257", ice_set_remote(p.ice, NOW, longest, longest) == ERR_INVALID);
    longest[256] = '\0';
    CHECK("256", ice_set_remote(p.ice, NOW, longest, longest) == ERR_OK);
    CHECK("the same again", ice_set_remote(p.ice, NOW, longest, longest) == ERR_OK);
    longest[255] = '\0';
    CHECK("others", ice_set_remote(p.ice, NOW, longest, longest) == ERR_WRONG_STATE);
    ice_free(p.ice);
}

/* Takes the agent's check and answers it. */
static struct bytes answer(struct peer *p, const struct stun_id *id, const char *key,
                           uint16_t error_code, uint8_t raw[200])
{
    struct wr w = wr_of(raw, 200);

    stun_encode_header(&w, error_code ? STUN_ERROR : STUN_SUCCESS, STUN_BINDING, id);
    if (error_code)
        stun_add_error(&w, error_code, "");
    else
        stun_add_xor_mapped(&w, &p->host);
    stun_add_integrity(&w, bytes_of_string(key));
    stun_add_fingerprint(&w);
    return wr_written(&w);
}

static struct stun_id next_check(struct peer *p)
{
    struct stun_msg m = { 0 };

    CHECK("a check goes out", ice_poll_output(p->ice, &p->out));
    CHECK("it reads", stun_decode(&m, out_datagram(&p->out, 0)) == VERDICT_TAKEN);
    CHECK("as a request to nominate", m.class == STUN_REQUEST && m.has & STUN_HAS_USE_CANDIDATE &&
                                          m.has & STUN_HAS_CONTROLLING);
    CHECK("named", bytes_equal(m.username, bytes_of_string(UFRAG ":ours1234")));
    return m.id;
}

static void peer_asked(struct peer *p)
{
    static const struct ice_config named = { .controlling = true, .ufrag = "ours1234" };
    struct ice_candidate c = candidate("192.168.1.2:5000", 1000);

    peer_init(p, &named);
    peer_describe(p, NOW);
    ice_add_remote(p->ice, NOW, &c);
}

TEST(answers_by_flaw)
{
    struct peer p;
    struct stun_id id, other;
    struct addr elsewhere = addr_of("192.168.1.3:5000");
    struct ice_path path;
    uint8_t raw[200];

    peer_asked(&p);
    id = other = next_check(&p);
    other.bytes[0] ^= 1;
    CHECK("another id", ice_input(p.ice, NOW, &p.host, &p.from, answer(&p, &other, PWD, 0, raw)) ==
                            VERDICT_UNEXPECTED);
    CHECK("another key", ice_input(p.ice, NOW, &p.host, &p.from,
                                   answer(&p, &id, "guess", 0, raw)) == VERDICT_FORGED);
    CHECK("from elsewhere", ice_input(p.ice, NOW, &p.host, &elsewhere,
                                      answer(&p, &id, PWD, 0, raw)) == VERDICT_UNEXPECTED);
    CHECK("none of them counts", !ice_selected(p.ice, &path));
    CHECK("the true one", ice_input(p.ice, NOW + 5000, &p.host, &p.from,
                                    answer(&p, &id, PWD, 0, raw)) == VERDICT_TAKEN);
    CHECK("selects", ice_selected(p.ice, &path) && path.rtt_us == 5000);
    CHECK("a replay is nothing", ice_input(p.ice, NOW + 9000, &p.host, &p.from,
                                           answer(&p, &id, PWD, 0, raw)) == VERDICT_UNEXPECTED);
    CHECK("and keeps nothing alive", ice_selected(p.ice, &path) && path.heard_at == NOW + 5000);
    ice_free(p.ice);
}

TEST(an_error_fails_the_pair_and_487_changes_the_role)
{
    struct peer p;
    struct stun_id id;
    struct stun_msg m;
    uint8_t raw[200];

    peer_asked(&p);
    id = next_check(&p);
    CHECK("taken",
          ice_input(p.ice, NOW, &p.host, &p.from, answer(&p, &id, PWD, 487, raw)) == VERDICT_TAKEN);
    CHECK("the other role", !ice_is_controlling(p.ice));
    CHECK("asked again", ice_poll_output(p.ice, &p.out));
    stun_decode(&m, out_datagram(&p.out, 0));
    CHECK("as controlled", m.has & STUN_HAS_CONTROLLED && !(m.has & STUN_HAS_USE_CANDIDATE));
    CHECK("with another id", !stun_id_equal(&m.id, &id));
    CHECK("taken", ice_input(p.ice, NOW, &p.host, &p.from, answer(&p, &m.id, PWD, 400, raw)) ==
                       VERDICT_TAKEN);
    CHECK("given up", ice_all_pairs_failed(p.ice) && !ice_poll_output(p.ice, &p.out));
    ice_free(p.ice);
}

TEST(a_dead_stun_server_is_given_up)
{
    struct peer p;
    struct addr server = addr_of("203.0.113.1:3478");
    struct ice_event ev;
    size_t sent = 0;
    usec now = NOW;

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
    CHECK("in six seconds", now < NOW + 6 * SECOND);
    CHECK("then the end", ice_poll_event(p.ice, &ev) && ev.type == ICE_EVENT_GATHERED);
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
            err = ice_set_remote(ice, NOW, UFRAG, PWD);
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

    peer_asked(&p);
    alloc_fail_nth(1);
    ice_input(p.ice, NOW, &p.host, &p.from, request(&p, NO_FLAW, raw));
    while (ice_poll_output(p.ice, &p.out))
        continue;
    ice_tick(p.ice, NOW + SECOND);
    CHECK("none asked for", !alloc_has_failed());
    alloc_fail_nth(0);
    CHECK("and little held", sizeof(struct ice) <= 12 * 1024);
    ice_free(p.ice);
}

TESTS(TEST_ROW(requests_by_flaw), TEST_ROW(requests_by_place),
      TEST_ROW(answers_waiting_are_bounded), TEST_ROW(sources_learned_are_bounded),
      TEST_ROW(remote_candidates_by_address), TEST_ROW(link_local_goes_with_the_zone_of_its_socket),
      TEST_ROW(local_sockets_by_address), TEST_ROW(checks_to_the_unanswering_are_bounded_and_paced),
      TEST_ROW(credentials_by_length_and_alphabet), TEST_ROW(credentials_of_257_are_refused),
      TEST_ROW(answers_by_flaw), TEST_ROW(an_error_fails_the_pair_and_487_changes_the_role),
      TEST_ROW(a_dead_stun_server_is_given_up),
      TEST_ROW(a_new_agent_survives_every_failing_allocation), TEST_ROW(datagrams_need_no_memory))

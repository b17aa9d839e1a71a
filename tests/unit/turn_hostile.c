/* Servers that lie, answers of strangers, and messages nobody asked for. */
#include "core/turn/client.h"
#include "tests/check.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"

static const char username[] = "user", password[] = "secret", realm[] = "example.org";

static struct {
    struct turn *turn;
    uint64_t seed;
    struct rng rng;
    usec now;
    struct addr local, server, peer;
    struct stun_msg asked; /* the last request, in buf */
    uint8_t buf[2048];
    uint8_t raw[2200];
    struct wr answer;
} s;

static void begin(uint8_t stream)
{
    struct turn_config cfg = { .username = username, .password = password, .stream = stream };

    s.seed = 1;
    s.rng = test_rng(&s.seed);
    s.now = 1000 * SECOND;
    addr_parse(&s.local, "10.0.0.2:5000");
    addr_parse(&s.server, "203.0.113.1:3478");
    addr_parse(&s.peer, "198.51.100.7:6000");
    cfg.local = s.local;
    cfg.server = s.server;
    CHECK("made", turn_new(&s.turn, &cfg, &s.rng) == ERR_OK);
    turn_start(s.turn, s.now);
}

static bool next_request(void)
{
    struct out out;

    out_init(&out, s.buf, sizeof s.buf);
    return turn_poll_output(s.turn, s.now, &out) &&
           stun_decode(&s.asked, out_datagram(&out, 0)) == VERDICT_TAKEN;
}

static struct wr *reply(enum stun_class class)
{
    s.answer = wr_of(s.raw, sizeof s.raw);
    stun_encode_header(&s.answer, class, s.asked.method, &s.asked.id);
    return &s.answer;
}

static void sign(void)
{
    stun_add_integrity(&s.answer, bytes_of(s.turn->key, sizeof s.turn->key));
}

static enum verdict give(void)
{
    if (s.turn->cfg.stream)
        return turn_input_stream(s.turn, s.now, wr_written(&s.answer));
    return turn_input(s.turn, s.now, &s.server, wr_written(&s.answer));
}

static enum verdict challenge(uint16_t code, const char *in_realm, const char *nonce)
{
    stun_add_error(reply(STUN_ERROR), code, "");
    stun_add_bytes(&s.answer, STUN_ATTR_REALM, bytes_of_string(in_realm));
    stun_add_bytes(&s.answer, STUN_ATTR_NONCE, bytes_of_string(nonce));
    return give();
}

static enum verdict allocated(const char *relayed, uint32_t lifetime_s)
{
    struct addr a = { 0 };

    reply(STUN_SUCCESS);
    if (addr_parse(&a, relayed))
        stun_add_xor_addr(&s.answer, STUN_ATTR_XOR_RELAYED_ADDRESS, &a);
    stun_add_xor_mapped(&s.answer, &s.local);
    stun_add_u32(&s.answer, STUN_ATTR_LIFETIME, lifetime_s);
    if (s.asked.has & STUN_HAS_INTEGRITY)
        sign();
    return give();
}

static void become_live(uint8_t stream)
{
    begin(stream);
    CHECK("asks", next_request() && !(s.asked.has & STUN_HAS_USERNAME));
    CHECK("challenged", challenge(401, realm, "nonce1") == VERDICT_TAKEN);
    CHECK("asks again, signed", next_request() && s.asked.has & STUN_HAS_INTEGRITY);
    allocated("203.0.113.1:50000", 600);
    CHECK("live", turn_is_live(s.turn));
}

static void end(void)
{
    turn_free(s.turn);
}

TEST(the_key_is_md5_of_name_realm_and_password)
{
    uint8_t raw[16];

    /* RFC 5769 §2.4 has this user and realm with the prepared password; its key is in that text. */
    begin(0);
    memcpy(s.turn->username,
           "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9", 19);
    memcpy(s.turn->password, "TheMatrIX", 10);
    next_request();
    challenge(401, realm, "f//499k954d6OL34oL9FSTvy64sA");
    CHECK("as in the RFC",
          bytes_equal(bytes_of(s.turn->key, 16),
                      hex_decode("e8ca7ad59d5eb0518e312911d2dab2a9", raw, sizeof raw)));
    end();
}

static const struct {
    const char *claim, *relayed;
    uint32_t lifetime_s;
    bool is_live;
} grants[] = {
    { "as it should be", "203.0.113.1:50000", 600, true },
    { "a relay behind another address", "198.51.100.1:50000", 600, true },
    { "a relay in a private network", "10.1.1.1:50000", 600, true },
    { "none", "", 600, false },
    { "nobody", "0.0.0.0:50000", 600, false },
    { "a group", "239.1.1.1:50000", 600, false },
    { "everybody", "255.255.255.255:50000", 600, false },
    { "this machine", "127.0.0.1:50000", 600, false },
    { "this link", "169.254.1.1:50000", 600, false },
    { "port 0", "203.0.113.1:0", 600, false },
    { "another family", "[2001:db8::1]:50000", 600, false },
    { "for no time", "203.0.113.1:50000", 0, false },
};

TEST(relayed_addresses_that_cannot_be)
{
    for (size_t i = 0; i < COUNT(grants); i++) {
        struct turn_event ev;

        begin(0);
        next_request();
        CHECK(grants[i].claim, allocated(grants[i].relayed, grants[i].lifetime_s) == VERDICT_TAKEN);
        CHECK(grants[i].claim, turn_is_live(s.turn) == grants[i].is_live);
        CHECK(grants[i].claim, turn_poll_event(s.turn, &ev));
        CHECK(grants[i].claim,
              ev.type == (grants[i].is_live ? TURN_EVENT_ALLOCATED : TURN_EVENT_FAILED) &&
                  ev.code == 0);
        CHECK(grants[i].claim, !turn_poll_event(s.turn, &ev));
        end();
    }
}

TEST(a_loopback_server_may_relay_at_loopback)
{
    begin(0);
    end();
    addr_parse(&s.server, "127.0.0.1:3478");
    CHECK("made", turn_new(&s.turn, &(struct turn_config){ .local = s.local, .server = s.server },
                           &s.rng) == ERR_OK);
    turn_start(s.turn, s.now);
    next_request();
    allocated("127.0.0.1:50000", 600);
    CHECK("live", turn_is_live(s.turn));
    addr_parse(&s.peer, "127.0.0.1:9");
    CHECK("and reach what is there", turn_permit(s.turn, s.now, &s.peer) == ERR_OK);
    end();
}

TEST(only_the_server_is_heard)
{
    static const char *const strangers[] = { "203.0.113.1:3479", "203.0.113.2:3478",
                                             "[2001:db8::1]:3478" };

    become_live(0);
    turn_permit(s.turn, s.now, &s.peer);
    next_request();
    reply(STUN_SUCCESS);
    sign();
    for (size_t i = 0; i < COUNT(strangers); i++) {
        struct addr from;

        addr_parse(&from, strangers[i]);
        CHECK(strangers[i],
              turn_input(s.turn, s.now, &from, wr_written(&s.answer)) == VERDICT_FOREIGN);
    }
    CHECK("not done yet", s.turn->grants[0].state == TURN_GRANT_ASKED);
    CHECK("the server", give() == VERDICT_TAKEN && s.turn->grants[0].state == TURN_GRANT_HELD);
    CHECK("once", give() == VERDICT_UNEXPECTED);
    CHECK("counted", turn_verdicts(s.turn)->count[VERDICT_FOREIGN] == COUNT(strangers));
    end();
}

TEST(what_is_not_ours_is_foreign)
{
    static const struct {
        const char *claim, *hex;
        enum verdict verdict;
    } rows[] = {
        { "nothing", "", VERDICT_FOREIGN },
        { "DTLS", "16fefd", VERDICT_FOREIGN },
        { "RTP", "8000", VERDICT_FOREIGN },
        { "a reserved channel", "5000 0001 61000000", VERDICT_FOREIGN },
        { "STUN's Binding", "0101 0000 2112a442 0102030405060708090a0b0c", VERDICT_FOREIGN },
        { "STUN without the cookie", "0103 0000 2112a443 010203040506070809", VERDICT_FOREIGN },
        { "an answer to nothing", "0103 0000 2112a442 0102030405060708090a0b0c",
          VERDICT_UNEXPECTED },
        { "a request", "0003 0000 2112a442 0102030405060708090a0b0c", VERDICT_UNEXPECTED },
        { "an unbound channel", "4007 0001 61000000", VERDICT_UNEXPECTED },
        { "a channel's head cut short", "4000 00", VERDICT_MALFORMED },
        { "a channel's data cut short", "4000 0005 61626364", VERDICT_MALFORMED },
        { "a Data indication without a peer",
          "0017 0008 2112a442 0102030405060708090a0b0c"
          "00130001 61000000",
          VERDICT_UNEXPECTED },
        { "one of a stranger's",
          "0017 0014 2112a442 0102030405060708090a0b0c"
          "00120008 00013e82 e112a643 00130001 61000000",
          VERDICT_UNEXPECTED },
    };

    become_live(0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t raw[64];
        struct bytes data;
        struct addr from;

        CHECK(rows[i].claim,
              turn_input(s.turn, s.now, &s.server, hex_decode(rows[i].hex, raw, sizeof raw)) ==
                  rows[i].verdict);
        CHECK("no data", !turn_poll_data(s.turn, &from, &data));
    }
    CHECK("still live", turn_is_live(s.turn));
    end();
}

/* The server may use a channel as soon as it has bound it, and its answer may be lost. */
TEST(a_channel_is_heard_before_its_answer_and_not_after_a_refusal)
{
    static const uint8_t message[] = { 0x40, 0, 0, 2, 'h', 'i' };
    struct bytes dgram = bytes_of(message, sizeof message), data;
    struct addr from;

    become_live(0);
    turn_bind(s.turn, s.now, &s.peer);
    next_request();
    next_request();
    CHECK("the bind", s.asked.method == STUN_CHANNEL_BIND && s.asked.channel == 0x4000);
    CHECK("heard", turn_input(s.turn, s.now, &s.server, dgram) == VERDICT_TAKEN);
    CHECK("from the peer", turn_poll_data(s.turn, &from, &data) && addr_equal(&from, &s.peer) &&
                               bytes_equal(data, bytes_of("hi", 2)));
    stun_add_error(reply(STUN_ERROR), 400, "");
    sign();
    give();
    CHECK("no longer", turn_input(s.turn, s.now, &s.server, dgram) == VERDICT_UNEXPECTED);
    end();
}

TEST(only_the_servers_own_indications_carry_data)
{
    become_live(0);
    turn_permit(s.turn, s.now, &s.peer);
    s.answer = wr_of(s.raw, sizeof s.raw);
    stun_encode_header(&s.answer, STUN_INDICATION, STUN_SEND, &s.asked.id);
    stun_add_xor_addr(&s.answer, STUN_ATTR_XOR_PEER_ADDRESS, &s.peer);
    stun_add_bytes(&s.answer, STUN_ATTR_DATA, bytes_of("data", 4));
    CHECK("Send is for us to send", give() == VERDICT_UNEXPECTED);
    s.answer = wr_of(s.raw, sizeof s.raw);
    stun_encode_header(&s.answer, STUN_INDICATION, STUN_DATA, &s.asked.id);
    stun_add_xor_addr(&s.answer, STUN_ATTR_XOR_PEER_ADDRESS, &s.peer);
    CHECK("a peer without data (ICMP) is nothing", give() == VERDICT_UNEXPECTED);
    end();
}

TEST(stopping_while_a_signed_request_is_on_its_way)
{
    begin(0);
    next_request();
    challenge(401, realm, "nonce");
    next_request();
    turn_stop(s.turn, s.now);
    CHECK("it may have been granted",
          next_request() && s.asked.method == STUN_REFRESH && s.asked.has & STUN_HAS_INTEGRITY &&
              s.asked.has & STUN_HAS_LIFETIME && s.asked.lifetime_s == 0);
    CHECK("then silence", !next_request() && turn_next_timeout(s.turn) == USEC_NEVER);
    end();
}

/* Whoever can read the wire knows the transaction, but not the key. */
TEST(forged_answers_change_nothing)
{
    static const uint16_t codes[] = { 0, 300, 400, 401, 403, 437, 441, 486, 500, 508 };

    for (size_t i = 0; i < COUNT(codes); i++) {
        struct turn_event ev;

        become_live(0);
        s.now += 300 * SECOND;
        turn_tick(s.turn, s.now);
        CHECK("refreshes", next_request() && s.asked.method == STUN_REFRESH);
        reply(codes[i] ? STUN_ERROR : STUN_SUCCESS);
        if (codes[i])
            stun_add_error(&s.answer, codes[i], "");
        CHECK("unsigned", give() == VERDICT_FORGED);
        stun_add_integrity(&s.answer, bytes_of_string("not the key"));
        CHECK("badly signed", give() == VERDICT_FORGED);
        if (codes[i] == 401)
            CHECK("another realm", challenge(401, "other.org", "x") == VERDICT_FORGED);
        CHECK("live", turn_is_live(s.turn));
        s.now += 100 * MILLISECOND;
        turn_tick(s.turn, s.now);
        CHECK("asks on", next_request() && s.asked.method == STUN_REFRESH);
        CHECK("nothing but the allocation",
              turn_poll_event(s.turn, &ev) && !turn_poll_event(s.turn, &ev));
        end();
    }
}

TEST(what_nobody_signed_is_the_reason_given_in_the_end)
{
    struct turn_event ev;

    become_live(0);
    turn_poll_event(s.turn, &ev);
    while (turn_is_live(s.turn)) {
        s.now = turn_next_timeout(s.turn);
        turn_tick(s.turn, s.now);
        while (next_request())
            if (s.asked.class == STUN_REQUEST) {
                stun_add_error(reply(STUN_ERROR), 437, "");
                give();
            }
    }
    CHECK("437", turn_poll_event(s.turn, &ev) && ev.type == TURN_EVENT_FAILED && ev.code == 437);
    CHECK("when it had run out", s.now == 1600 * SECOND);
    end();
}

TEST(signed_refusals_are_believed)
{
    static const uint16_t codes[] = { 400, 401, 403, 437, 441, 500, 508 };

    for (size_t i = 0; i < COUNT(codes); i++) {
        struct turn_event ev;

        become_live(0);
        turn_poll_event(s.turn, &ev);
        s.now += 300 * SECOND;
        turn_tick(s.turn, s.now);
        next_request();
        stun_add_error(reply(STUN_ERROR), codes[i], "");
        sign();
        CHECK("taken", give() == VERDICT_TAKEN && !turn_is_live(s.turn));
        CHECK("told", turn_poll_event(s.turn, &ev) && ev.code == codes[i]);
        end();
    }
}

TEST(over_a_stream_no_error_is_slipped_in)
{
    struct turn_event ev;

    become_live(1);
    turn_poll_event(s.turn, &ev);
    s.now += 300 * SECOND;
    turn_tick(s.turn, s.now);
    next_request();
    stun_add_error(reply(STUN_ERROR), 437, "");
    give();
    CHECK("so it counts", turn_poll_event(s.turn, &ev) && ev.code == 437);
    end();
}

TEST(endless_challenges_end)
{
    static const uint16_t codes[] = { 401, 438 };

    for (size_t i = 0; i < COUNT(codes); i++) {
        char name[] = "realm-a";
        struct turn_event ev;
        unsigned asked = 0;

        begin(0);
        next_request();
        challenge(401, realm, "first");
        for (; next_request() && asked < 100; asked++) {
            name[6]++;
            challenge(codes[i], codes[i] == 401 ? name : realm, name);
        }
        CHECK("after few", asked == TURN_TRIES_MAX);
        CHECK("told",
              turn_poll_event(s.turn, &ev) && ev.type == TURN_EVENT_FAILED && ev.code == codes[i]);
        end();
    }
}

TEST(challenges_that_bring_nothing)
{
    static const struct {
        const char *claim, *nonce;
        bool has_realm;
    } rows[] = { { "no nonce", NULL, true },
                 { "an empty one", "", true },
                 { "no realm", "x", false } };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct turn_event ev;

        begin(0);
        next_request();
        stun_add_error(reply(STUN_ERROR), 401, "");
        if (rows[i].has_realm)
            stun_add_bytes(&s.answer, STUN_ATTR_REALM, bytes_of_string(realm));
        if (rows[i].nonce)
            stun_add_bytes(&s.answer, STUN_ATTR_NONCE, bytes_of_string(rows[i].nonce));
        give();
        CHECK(rows[i].claim, turn_poll_event(s.turn, &ev) && ev.code == 401);
        end();
    }
}

TEST(realm_and_nonce_of_the_greatest_length)
{
    char text[TURN_TEXT_MAX + 1];

    memset(text, 'r', sizeof text);
    text[TURN_TEXT_MAX] = '\0';
    begin(0);
    next_request();
    CHECK("taken", challenge(401, text, text) == VERDICT_TAKEN);
    CHECK("and said back", next_request() && s.asked.nonce.len == TURN_TEXT_MAX);
    CHECK("within a datagram", s.asked.whole.len < 1700);
    end();
}

TEST(answers_that_make_no_sense)
{
    begin(0);
    next_request();
    s.answer = wr_of(s.raw, sizeof s.raw);
    stun_encode_header(&s.answer, STUN_SUCCESS, STUN_REFRESH, &s.asked.id);
    CHECK("of another method", give() == VERDICT_UNEXPECTED);
    CHECK("an error without a code", (reply(STUN_ERROR), give()) == VERDICT_MALFORMED);
    stun_add_bytes(reply(STUN_SUCCESS), (enum stun_attr)0x7f00, bytes_of("", 0));
    CHECK("with what we must understand", give() == VERDICT_MALFORMED);
    CHECK("438 to what was not signed",
          challenge(438, realm, "x") == VERDICT_TAKEN && !next_request());
    end();
    become_live(0);
    turn_check(s.turn, s.now);
    turn_tick(s.turn, s.now);
    next_request();
    stun_add_u32(reply(STUN_SUCCESS), STUN_ATTR_LIFETIME, 0);
    sign();
    CHECK("refreshed for no time", give() == VERDICT_TAKEN && !turn_is_live(s.turn));
    end();
}

TEST(every_truncation_of_an_answer_changes_nothing)
{
    size_t whole;

    begin(0);
    next_request();
    challenge(401, realm, "nonce");
    next_request();
    allocated("203.0.113.1:50000", 600);
    whole = s.answer.len;
    end();

    begin(0);
    next_request();
    challenge(401, realm, "nonce");
    next_request();
    for (size_t len = 0; len < whole; len++) {
        uint8_t copy[256];

        memcpy(copy, s.raw, len);
        (void)turn_input(s.turn, s.now, &s.server, bytes_of(copy, len));
        CHECK("cut short", !turn_is_live(s.turn));
    }
    CHECK("the whole", allocated("203.0.113.1:50000", 600) == VERDICT_TAKEN);
    CHECK("live", turn_is_live(s.turn));
    end();
}

TESTS(TEST_ROW(the_key_is_md5_of_name_realm_and_password),
      TEST_ROW(relayed_addresses_that_cannot_be), TEST_ROW(a_loopback_server_may_relay_at_loopback),
      TEST_ROW(only_the_server_is_heard), TEST_ROW(what_is_not_ours_is_foreign),
      TEST_ROW(a_channel_is_heard_before_its_answer_and_not_after_a_refusal),
      TEST_ROW(only_the_servers_own_indications_carry_data),
      TEST_ROW(stopping_while_a_signed_request_is_on_its_way),
      TEST_ROW(forged_answers_change_nothing),
      TEST_ROW(what_nobody_signed_is_the_reason_given_in_the_end),
      TEST_ROW(signed_refusals_are_believed), TEST_ROW(over_a_stream_no_error_is_slipped_in),
      TEST_ROW(endless_challenges_end), TEST_ROW(challenges_that_bring_nothing),
      TEST_ROW(realm_and_nonce_of_the_greatest_length), TEST_ROW(answers_that_make_no_sense),
      TEST_ROW(every_truncation_of_an_answer_changes_nothing))

/* Data in checks and their answers: where it is carried, and whom it is taken from. */
#include "core/ice/agent.h"
#include "tests/check.h"
#include "tests/support/ice_peer.h"

static const struct ice_config controlled = { .controlling = false, .ufrag = "ours1234" };

static const uint8_t flight[900] = { 22, 254, 253, 1, 2, 3 };
static const uint8_t acks[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static const struct {
    const char *claim;
    struct ice_sped sped;
} rows[] = {
    { "off", { .is_on = false } },
    { "both empty", { .is_on = true, .has_data = true } },
    { "a datagram and acks",
      { .is_on = true,
        .has_data = true,
        .data = { flight, sizeof flight },
        .acks = { acks, sizeof acks } } },
    { "an odd length", { .is_on = true, .has_data = true, .data = { flight, 871 } } },
    { "acks alone", { .is_on = true, .acks = { acks, sizeof acks } } },
};

static bool is_carried(const struct stun_msg *m, const struct ice_sped *sped)
{
    bool has_data = m->has & STUN_HAS_DTLS, has_acks = m->has & STUN_HAS_DTLS_ACKS;

    return has_acks == sped->is_on && has_data == (sped->is_on && sped->has_data) &&
           (!has_data || bytes_equal(m->dtls, sped->data)) &&
           (!has_acks || bytes_equal(m->dtls_acks, sped->acks));
}

/* The next datagram that goes out, as the peer reads it. */
static bool next_out(struct peer *p, struct stun_msg *m)
{
    return ice_poll_output(p->ice, &p->out) &&
           stun_decode(m, out_datagram(&p->out, 0)) == VERDICT_TAKEN;
}

TEST(requests_and_answers_carry_what_is_set)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct stun_msg m;
        uint8_t raw[700];

        peer_init_asked(&p);
        ice_set_sped(p.ice, &rows[i].sped);
        CHECK("a request", next_out(&p, &m) && m.class == STUN_REQUEST);
        CHECK(rows[i].claim, is_carried(&m, &rows[i].sped));
        CHECK("under the integrity", stun_has_integrity(&m, bytes_of_string(PEER_PWD)));
        CHECK("in a datagram that passes everywhere", m.whole.len <= 1200);
        CHECK("which is told", ice_has_sent_sped(p.ice) == rows[i].sped.is_on);
        ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
        CHECK("an answer", next_out(&p, &m) && m.class == STUN_SUCCESS);
        CHECK(rows[i].claim, is_carried(&m, &rows[i].sped));
        CHECK("under the integrity too", stun_has_integrity(&m, bytes_of_string(ice_pwd(p.ice))));
        CHECK("and told", ice_has_sent_sped(p.ice) == rows[i].sped.is_on);
        ice_free(p.ice);
    }
}

TEST(the_longest_names_and_a_full_datagram_fit)
{
    struct ice_sped sped = rows[2].sped;
    uint8_t many[64] = { 0 };
    struct peer p;
    struct stun_msg m;
    char theirs[33];

    memset(theirs, 'u', 32); /* longer than any that browsers make */
    theirs[32] = '\0';
    peer_init(&p, &controlled);
    sped.acks = bytes_of(many, sizeof many);
    ice_set_sped(p.ice, &sped);
    ice_set_remote(p.ice, PEER_NOW, theirs, PEER_PWD);
    ice_add_remote(p.ice, PEER_NOW,
                   &(struct ice_candidate){ .addr = p.from, .priority = 1, .type = ICE_HOST });
    CHECK("1200 bytes with a relay's head", next_out(&p, &m) && m.whole.len + 36 <= 1200);
    CHECK("all of it", is_carried(&m, &sped));
    ice_free(p.ice);
}

TEST(errors_and_questions_to_servers_carry_nothing)
{
    struct peer p;
    struct addr server = peer_addr("198.51.100.1:3478");
    struct stun_msg m;
    uint8_t raw[700];

    peer_init(&p, &controlled);
    ice_set_sped(p.ice, &rows[2].sped);
    ice_add_stun_server(p.ice, PEER_NOW, &server);
    CHECK("a question", next_out(&p, &m) && !(m.has & (STUN_HAS_DTLS | STUN_HAS_DTLS_ACKS)));
    CHECK("told so", !ice_has_sent_sped(p.ice));
    ice_input(p.ice, PEER_NOW, &p.host, &p.from, peer_request(&p, UNKNOWN_REQUIRED, raw));
    CHECK("a refusal", next_out(&p, &m) && m.class == STUN_ERROR &&
                           !(m.has & (STUN_HAS_DTLS | STUN_HAS_DTLS_ACKS)));
    CHECK("told so too", !ice_has_sent_sped(p.ice));
    ice_free(p.ice);
}

/* A request or an answer (id given) of the peer's, with data, under this password. */
static struct bytes carrier(struct peer *p, const struct stun_id *id, const char *key,
                            const struct ice_sped *sped, uint8_t raw[1500])
{
    struct wr w = wr_of(raw, 1500);
    struct stun_id fresh;

    stun_id_init(&fresh, &p->rng);
    stun_encode_header(&w, id ? STUN_SUCCESS : STUN_REQUEST, STUN_BINDING, id ? id : &fresh);
    if (id) {
        stun_add_xor_mapped(&w, &p->host);
    } else {
        stun_add_bytes(&w, STUN_ATTR_USERNAME, bytes_of_string("ours1234:" PEER_UFRAG));
        stun_add_u32(&w, STUN_ATTR_PRIORITY, 1000);
        stun_add_u64(&w, STUN_ATTR_ICE_CONTROLLED, 0);
    }
    if (sped->is_on && sped->has_data)
        stun_add_bytes(&w, STUN_ATTR_DTLS, sped->data);
    if (sped->is_on)
        stun_add_bytes(&w, STUN_ATTR_DTLS_ACKS, sped->acks);
    stun_add_integrity(&w, bytes_of_string(key));
    stun_add_fingerprint(&w);
    return wr_written(&w);
}

static bool is_got(const struct peer *p, const struct ice_sped *sped)
{
    struct ice_sped got = { 0 };

    return ice_get_sped(p->ice, &got) && got.is_on == sped->is_on &&
           got.has_data == (sped->is_on && sped->has_data) &&
           (!got.has_data || bytes_equal(got.data, sped->data)) &&
           (!got.is_on || bytes_equal(got.acks, sped->acks));
}

TEST(only_authentic_messages_bring_data)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer p;
        struct stun_msg m;
        struct ice_sped got;
        struct stun_id id;
        uint8_t raw[1500];
        struct bytes last;

        peer_init_asked(&p);
        CHECK("nothing before", !ice_get_sped(p.ice, &got));
        CHECK("asked", peer_next_check(&p, &m));
        id = m.id;
        ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                  carrier(&p, NULL, ice_pwd(p.ice), &rows[i].sped, raw));
        CHECK(rows[i].claim, is_got(&p, &rows[i].sped));
        ice_input(p.ice, PEER_NOW, &p.host, &p.from,
                  carrier(&p, NULL, "guess", &rows[i].sped, raw));
        CHECK("a forged request", !ice_get_sped(p.ice, &got));
        ice_input(p.ice, PEER_NOW, &p.host, &p.from, carrier(&p, &id, "guess", &rows[i].sped, raw));
        CHECK("a forged answer", !ice_get_sped(p.ice, &got));
        last = carrier(&p, &id, PEER_PWD, &rows[i].sped, raw);
        ice_input(p.ice, PEER_NOW, &p.host, &p.from, last);
        CHECK(rows[i].claim, is_got(&p, &rows[i].sped));
        ice_input(p.ice, PEER_NOW, &p.host, &p.from, last);
        CHECK("a replayed answer", !ice_get_sped(p.ice, &got));
        ice_free(p.ice);
    }
}

TEST(behind_the_integrity_nothing_counts)
{
    struct peer p;
    uint8_t raw[1500];
    struct wr w;
    struct stun_msg m;
    struct ice_sped got;
    struct ice_sped off = { .is_on = false };
    struct bytes good;

    peer_init_asked(&p);
    CHECK("asked", peer_next_check(&p, &m));
    good = carrier(&p, NULL, ice_pwd(p.ice), &off, raw);
    w = wr_of(raw, sizeof raw);
    wr_room(&w, good.len - 8); /* without the fingerprint */
    stun_add_bytes(&w, STUN_ATTR_DTLS, bytes_of(flight, 100));
    stun_add_bytes(&w, STUN_ATTR_DTLS_ACKS, bytes_of(acks, 8));
    stun_add_fingerprint(&w);
    CHECK("taken as a check",
          ice_input(p.ice, PEER_NOW, &p.host, &p.from, wr_written(&w)) == VERDICT_TAKEN);
    CHECK("without what was added", ice_get_sped(p.ice, &got) && !got.is_on && !got.has_data);
    ice_free(p.ice);
}

/* A path that works already carries what waits at the pace of resends, until it is acknowledged. */
TEST(what_waits_is_carried_soon_and_within_limits)
{
    struct peer p;
    struct stun_msg m;
    struct ice_sped empty = { .is_on = true, .has_data = true };
    usec now = PEER_NOW, at[8];
    uint8_t raw[200];
    size_t sent;

    peer_init_asked(&p);
    ice_set_sped(p.ice, &rows[2].sped);
    CHECK("asked", peer_next_check(&p, &m));
    now += 40 * MILLISECOND;
    ice_input(p.ice, now, &p.host, &p.from, peer_answer(&p, &m.id, PEER_PWD, 0, raw));
    CHECK("not yet", !peer_next_check(&p, &m));
    sent = peer_run(&p, &now, now + SECOND / 4, true, at, COUNT(at));
    CHECK("soon", sent >= 3 && at[0] == PEER_NOW + 60 * MILLISECOND);
    peer_run(&p, &now, now + 4 * SECOND, true, NULL, 0);
    sent = peer_run(&p, &now, now + 60 * SECOND, true, NULL, 0);
    CHECK("a peer who never acknowledges gets no flood", sent <= 16);
    ice_set_sped(p.ice, &empty);
    ice_set_sped(p.ice, &rows[2].sped);
    sent = peer_run(&p, &now, now + SECOND / 4, true, NULL, 0);
    CHECK("the next flight hurries again", sent >= 3);
    ice_set_sped(p.ice, &empty);
    sent = peer_run(&p, &now, now + 60 * SECOND, true, NULL, 0);
    CHECK("with nothing to carry it costs nothing", sent <= 16);
    ice_free(p.ice);
}

/* Whoever knows the password may write any source on its checks. */
TEST(answers_to_addresses_that_never_answer_are_soon_short)
{
    const struct ice_sped sped = { .is_on = true,
                                   .has_data = true,
                                   .data = { flight, sizeof flight } };
    size_t carried = 0, answers = 0;
    usec now = PEER_NOW;
    struct stun_msg m;
    struct peer p;
    uint8_t raw[700];

    peer_init_asked(&p);
    ice_set_sped(p.ice, &sped);
    for (unsigned i = 0; i < 2000; i++, now += MILLISECOND) {
        p.from = peer_addr("203.0.113.9:1");
        p.from.port = (uint16_t)(1 + i % 400);
        ice_input(p.ice, now, &p.host, &p.from, peer_request(&p, NO_FLAW, raw));
        while (next_out(&p, &m)) {
            if (m.class != STUN_SUCCESS)
                continue;
            answers++;
            carried += m.dtls.len > 0;
            CHECK("the ability is always shown", m.has & STUN_HAS_DTLS);
            CHECK("and told when carried", ice_has_sent_sped(p.ice) == (m.dtls.len > 0));
        }
    }
    CHECK("all were answered", answers == 2000);
    CHECK("few of them at length", carried > 20 && carried <= ICE_UNANSWERED_MAX / 2);
    ice_free(p.ice);
}

TESTS(TEST_ROW(answers_to_addresses_that_never_answer_are_soon_short),
      TEST_ROW(requests_and_answers_carry_what_is_set),
      TEST_ROW(the_longest_names_and_a_full_datagram_fit),
      TEST_ROW(errors_and_questions_to_servers_carry_nothing),
      TEST_ROW(only_authentic_messages_bring_data), TEST_ROW(behind_the_integrity_nothing_counts),
      TEST_ROW(what_waits_is_carried_soon_and_within_limits))

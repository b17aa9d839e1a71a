/* Pairing: the line, the proof, the tries. */
#include "core/token/invite.h"

#include "tests/check.h"
#include "tests/support/rng.h"

static struct invite example(void)
{
    uint64_t seed = 21;
    struct rng rng = test_rng(&seed);
    struct key *device = NULL;
    struct invite in = { .exp_s = 1800000300 };

    CHECK("key", key_new(&device, &rng) == ERR_OK);
    card_of_key(&in.card, device, 0);
    rng_fill(&rng, in.secret, sizeof in.secret);
    key_free(device);
    return in;
}

static bool is_same(const struct invite *a, const struct invite *b)
{
    return !strcmp(a->card.id, b->card.id) && !memcmp(a->card.ed25519, b->card.ed25519, 32) &&
           !memcmp(a->card.x25519, b->card.x25519, 32) && a->exp_s == b->exp_s &&
           !memcmp(a->secret, b->secret, sizeof a->secret) && !strcmp(a->broker, b->broker);
}

TEST(the_line_is_read_back)
{
    struct invite in = example(), out;
    char text[INVITE_TEXT_BYTES], padded[INVITE_TEXT_BYTES + 8];

    CHECK("written", invite_encode(&in, text) == ERR_OK);
    CHECK("fits a small QR code", strlen(text) <= 160);
    CHECK("begins with", strncmp(text, "hawser:hw1", 10) == 0);
    CHECK("read", invite_decode(&out, text) == ERR_OK && is_same(&in, &out));
    snprintf(padded, sizeof padded, " \t%s\r\n", text);
    CHECK("with spaces", invite_decode(&out, padded) == ERR_OK && is_same(&in, &out));
    text[7] = 'H';
    CHECK("the ID in any case", invite_decode(&out, text) == ERR_OK && is_same(&in, &out));
    invite_deinit(&out);
    CHECK("wiped", out.secret[0] == 0 && out.card.id[0] == 0);
}

TEST(a_broker_goes_along)
{
    struct invite in = example(), out;
    char text[INVITE_TEXT_BYTES];

    snprintf(in.broker, sizeof in.broker, "mqtts://broker.example.org:8883");
    CHECK("written", invite_encode(&in, text) == ERR_OK);
    CHECK("read", invite_decode(&out, text) == ERR_OK && is_same(&in, &out));
    memset(in.broker, 'b', sizeof in.broker - 1);
    CHECK("the longest", !invite_encode(&in, text) && !invite_decode(&out, text));
    CHECK("the same", is_same(&in, &out));
    in.broker[3] = '\n';
    CHECK("no line ends inside", !invite_encode(&in, text) && invite_decode(&out, text));
    in.broker[sizeof in.broker - 1] = 'b';
    CHECK("without its end", invite_encode(&in, text) == ERR_INVALID);
}

TEST(what_is_no_invite)
{
    static const char *const texts[] = { "",
                                         "hawser:",
                                         "hawser:/",
                                         "http://example.org/",
                                         "hw1eh7ddx5bksrgcytl7bkai36se4re",
                                         "hawser:hw1eh7ddx5bksrgcytl7bkai36se4re/",
                                         "hawser:hw1eh7ddx5bksrgcytl7bkai36se4re/AQ" };
    struct invite in = example(), out = { .exp_s = 77 };
    char text[INVITE_TEXT_BYTES];
    size_t len;

    for (size_t i = 0; i < COUNT(texts); i++)
        CHECK(texts[i], invite_decode(&out, texts[i]) == ERR_INVALID && out.exp_s == 77);
    CHECK("written", invite_encode(&in, text) == ERR_OK);
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char was = text[i];

        text[i] = '\0';
        CHECK("cut", invite_decode(&out, text) == ERR_INVALID);
        text[i] = was;
    }
    for (size_t i = 8; i < 39; i++) {
        char was = text[i];

        text[i] = was == 'a' ? 'b' : 'a';
        CHECK("mistyped ID", invite_decode(&out, text) == ERR_INVALID);
        text[i] = was;
    }
    memcpy(in.card.id, "hw1eh7ddx5bksrgcytl7bkai36se4re", ID_BYTES);
    CHECK("another key's ID", invite_encode(&in, text) == ERR_INVALID);
}

static uint64_t chance;
static struct rng rng;
static const uint8_t app[ID_PUBLIC_BYTES] = { 1 }, other[ID_PUBLIC_BYTES] = { 2 };
static const uint8_t sid[ENVELOPE_SID_BYTES] = { 3 };
static const struct pairing_claim claim = { app, "hw1eh7ddx5bksrgcytl7bkai36se4re", sid };
static const struct pairing_claim of_other = { other, "hw1eh7ddx5bksrgcytl7bkai36se4re", sid };

static void open_pairing(struct pairing *p, uint8_t proof[INVITE_PROOF_BYTES])
{
    rng = test_rng(&chance);
    pairing_start(p, 0, &rng);
    CHECK("proof", pairing_proof(proof, p->secret, &claim) == ERR_OK);
}

TEST(who_knows_the_secret_is_paired)
{
    struct pairing p;
    uint8_t proof[INVITE_PROOF_BYTES], theirs[INVITE_PROOF_BYTES];

    open_pairing(&p, proof);
    CHECK("theirs", pairing_proof(theirs, p.secret, &of_other) == ERR_OK);
    CHECK("right", pairing_check(&p, SECOND, &claim, proof) == ERR_OK);
    CHECK("again, if the answer was lost", pairing_check(&p, 2 * SECOND, &claim, proof) == ERR_OK);
    CHECK("nobody else, even with the secret",
          pairing_check(&p, 2 * SECOND, &of_other, theirs) == ERR_WRONG_STATE);
    CHECK("not for ever", pairing_check(&p, 5 * MINUTE, &claim, proof) == ERR_EXPIRED);
    CHECK("wiped", p.secret[0] == 0 && p.state == PAIRING_CLOSED);
    CHECK("closed", pairing_check(&p, 5 * MINUTE, &claim, proof) == ERR_WRONG_STATE);
}

TEST(five_tries)
{
    struct pairing p;
    uint8_t proof[INVITE_PROOF_BYTES], wrong[INVITE_PROOF_BYTES] = { 0 };

    open_pairing(&p, proof);
    for (int i = 0; i < PAIRING_TRIES - 1; i++)
        CHECK("wrong", pairing_check(&p, SECOND, &claim, wrong) == ERR_AUTH);
    CHECK("the last", pairing_check(&p, SECOND, &claim, wrong) == ERR_LIMIT);
    CHECK("too late", pairing_check(&p, SECOND, &claim, proof) == ERR_WRONG_STATE);
    open_pairing(&p, proof);
    for (int i = 0; i < PAIRING_TRIES - 1; i++)
        CHECK("wrong", pairing_check(&p, SECOND, &claim, wrong) == ERR_AUTH);
    CHECK("right in the end", pairing_check(&p, SECOND, &claim, proof) == ERR_OK);
}

TEST(five_minutes)
{
    struct pairing p;
    uint8_t proof[INVITE_PROOF_BYTES];

    open_pairing(&p, proof);
    CHECK("just in time", pairing_check(&p, 5 * MINUTE - 1, &claim, proof) == ERR_OK);
    open_pairing(&p, proof);
    CHECK("too late", pairing_check(&p, 5 * MINUTE, &claim, proof) == ERR_EXPIRED);
    pairing_init(&p);
    CHECK("never opened", pairing_check(&p, 0, &claim, proof) == ERR_WRONG_STATE);
}

TEST(a_proof_is_for_one_app_device_and_session)
{
    static const uint8_t other_sid[ENVELOPE_SID_BYTES] = { 4 };
    const struct pairing_claim rows[] = {
        of_other,
        { app, "hw1eh7ddx5bksrgcytl7bkai36se4rf", sid },
        { app, claim.device, other_sid },
    };
    struct pairing p;
    uint8_t proof[INVITE_PROOF_BYTES];

    open_pairing(&p, proof);
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK("another", pairing_check(&p, SECOND, &rows[i], proof) == ERR_AUTH);
    for (size_t i = 0; i < COUNT(proof); i++) {
        pairing_deinit(&p);
        open_pairing(&p, proof);
        proof[i] ^= 1;
        CHECK("one bit", pairing_check(&p, SECOND, &claim, proof) == ERR_AUTH);
    }
}

TESTS(TEST_ROW(the_line_is_read_back), TEST_ROW(a_broker_goes_along), TEST_ROW(what_is_no_invite),
      TEST_ROW(who_knows_the_secret_is_paired), TEST_ROW(five_tries), TEST_ROW(five_minutes),
      TEST_ROW(a_proof_is_for_one_app_device_and_session))

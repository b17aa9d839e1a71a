#include "core/token/envelope.h"

#include <stdlib.h>

#include "core/token/jwe.h"
#include "core/token/jws.h"
#include "core/token/replay.h"
#include "tests/check.h"
#include "tests/support/claims.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

static uint64_t seed = 7;
static struct rng rng;
static struct key *app, *device, *stranger;

static void make_keys(void)
{
    rng = test_rng(&seed);
    if (!app)
        CHECK("keys", !key_new(&app, &rng) && !key_new(&device, &rng) && !key_new(&stranger, &rng));
}

static struct bytes text_of(const char *text)
{
    return bytes_of_string(text);
}

/* An offer of the app to the device; the caller's to json_decref() its body. */
static struct envelope offer(void)
{
    struct envelope e = {
        .type = ENVELOPE_OFFER,
        .seq = 1,
        .iat_ms = 1800000000123,
        .feature_count = 2,
        .features = { "sped", "snap" },
        .has_card = true,
        .body = json_pack("{s:s, s:[i, i]}", "ufrag", "abcd", "list", 1, 2),
    };

    memcpy(e.to, key_id(device), sizeof e.to);
    memcpy(e.sid, "0123456789abcdef", sizeof e.sid);
    return e;
}

TEST(what_is_sealed_is_what_is_opened)
{
    struct envelope in, out;
    char *text;

    make_keys();
    in = offer();
    for (int i = 0; i < ENVELOPE_TYPES; i++) {
        in.type = (enum envelope_type)i;
        in.has_card = i % 2 == 0;
        CHECK("sealed", envelope_seal(app, key_x25519(device), &rng, &in, &text) == ERR_OK);
        CHECK("opened", envelope_open(device, text_of(text), &out) == ERR_OK);
        CHECK("type", out.type == in.type && out.version == ENVELOPE_VERSION);
        CHECK("numbers", out.seq == 1 && out.iat_ms == 1800000000123);
        CHECK("names", !strcmp(out.from, key_id(app)) && !strcmp(out.to, key_id(device)));
        CHECK("session", memcmp(out.sid, in.sid, sizeof in.sid) == 0);
        CHECK("features", out.feature_count == 2 && envelope_has_feature(&out, "snap") &&
                              !envelope_has_feature(&out, "sna"));
        CHECK("body", json_equal(out.body, in.body));
        CHECK("the sender's key", !memcmp(out.card.ed25519, key_public(app), ID_PUBLIC_BYTES) &&
                                      !strcmp(out.card.id, key_id(app)));
        CHECK("its card", out.has_card == in.has_card);
        CHECK("to answer with", !in.has_card || !memcmp(out.card.x25519, key_x25519(app), 32));
        envelope_deinit(&out);
        free(text);
    }
    json_decref(in.body);
}

TEST(every_character_counts)
{
    struct envelope in, out;
    char *text;
    size_t len;

    make_keys();
    in = offer();
    CHECK("sealed", envelope_seal(app, key_x25519(device), &rng, &in, &text) == ERR_OK);
    len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        CHECK("changed", envelope_open(device, text_of(text), &out) != ERR_OK && !out.body);
        text[i] = '=';
        CHECK("foreign", envelope_open(device, text_of(text), &out) != ERR_OK && !out.body);
        text[i] = was;
        CHECK("cut", envelope_open(device, bytes_of(text, i), &out) != ERR_OK && !out.body);
    }
    CHECK("unharmed", envelope_open(device, text_of(text), &out) == ERR_OK);
    envelope_deinit(&out);
    CHECK("not for others", envelope_open(stranger, text_of(text), &out) == ERR_AUTH);
    CHECK("not for the sender", envelope_open(app, text_of(text), &out) == ERR_AUTH);
    free(text);
    json_decref(in.body);
}

/* Seals claims as they are, signed by `signer`. */
static int open_claims(struct envelope *out, const struct key *signer, const char *typ,
                       json_t *claims)
{
    char *inner, *text;
    int err;

    CHECK("signed", jws_encode_json(signer, typ, JWS_KEY_INSIDE, claims, &inner) == ERR_OK);
    CHECK("sealed", jwe_encode(key_x25519(device), &rng, text_of(inner), &text) == ERR_OK);
    err = envelope_open(device, text_of(text), out);
    free(inner);
    free(text);
    return err;
}

static const struct {
    const char *claim, *member, *json; /* json NULL: the member is left out */
    int err;
} claim_rows[] = {
    { "as usual", "seq", "7", ERR_OK },
    { "a member of later versions", "later", "{\"a\":1}", ERR_OK },
    { "a later version", "v", "2", ERR_OK },
    { "more features than are listed", "feat",
      "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\","
      "\"14\",\"15\",\"16\",\"17\",\"a feature with a very long name indeed\"]",
      ERR_OK },
    { "no time", "iat", "0", ERR_OK },
    { "version 0", "v", "0", ERR_INVALID },
    { "no version", "v", NULL, ERR_INVALID },
    { "a version in words", "v", "\"1\"", ERR_INVALID },
    { "features are a list", "feat", "\"sped\"", ERR_INVALID },
    { "of strings", "feat", "[1]", ERR_INVALID },
    { "no features", "feat", NULL, ERR_INVALID },
    { "an unknown type", "typ", "\"knock\"", ERR_INVALID },
    { "no type", "typ", NULL, ERR_INVALID },
    { "a negative count", "seq", "-1", ERR_INVALID },
    { "a count beyond 32 bits", "seq", "4294967296", ERR_INVALID },
    { "a fraction", "seq", "1.5", ERR_INVALID },
    { "a time beyond 53 bits", "iat", "9007199254740992", ERR_INVALID },
    { "no session", "sid", NULL, ERR_INVALID },
    { "a session cut short", "sid", "\"MDEyMzQ1Njc4OWFiY2RlZ\"", ERR_INVALID },
    { "a session too long", "sid", "\"MDEyMzQ1Njc4OWFiY2RlZgA\"", ERR_INVALID },
    { "no body", "body", NULL, ERR_INVALID },
    { "a body that is no object", "body", "[]", ERR_INVALID },
    { "no receiver", "to", NULL, ERR_INVALID },
    { "another receiver", "to", "\"hw1eh7ddx5bksrgcytl7bkai36se4re\"", ERR_AUTH },
    { "no sender", "from", NULL, ERR_INVALID },
    { "another sender", "from", "\"hw1eh7ddx5bksrgcytl7bkai36se4re\"", ERR_AUTH },
    { "a sender beyond the field", "from", "\"hw1eh7ddx5bksrgcytl7bkai36se4reeee\"", ERR_INVALID },
    { "a card that is none", "card", "\"x\"", ERR_INVALID },
    { "a card that is no text", "card", "{}", ERR_INVALID },
};

static json_t *usual_claims(void)
{
    return json_pack("{s:i, s:[s], s:s, s:s, s:s, s:s, s:i, s:i, s:{}}", "v", 1, "feat", "sped",
                     "typ", "offer", "from", key_id(app), "to", key_id(device), "sid",
                     "MDEyMzQ1Njc4OWFiY2RlZg", "seq", 1, "iat", 5, "body");
}

TEST(claims_are_exactly_so)
{
    make_keys();
    for (size_t i = 0; i < COUNT(claim_rows); i++) {
        struct envelope out;
        json_t *claims = usual_claims();

        claims_change(claims, claim_rows[i].member, claim_rows[i].json);
        CHECK(claim_rows[i].claim,
              open_claims(&out, app, "hawser-msg", claims) == claim_rows[i].err);
        envelope_deinit(&out);
        json_decref(claims);
    }
}

TEST(nobody_speaks_for_another)
{
    struct envelope out;
    json_t *claims;
    char *card;

    make_keys();
    claims = usual_claims();
    CHECK("signed by a stranger", open_claims(&out, stranger, "hawser-msg", claims) == ERR_AUTH);
    CHECK("another kind of text", open_claims(&out, app, "hawser-login", claims) == ERR_INVALID);
    CHECK("card", card_encode(stranger, 1, &card) == ERR_OK);
    json_object_set_new(claims, "card", json_string(card));
    CHECK("with a stranger's card", open_claims(&out, app, "hawser-msg", claims) == ERR_AUTH);
    json_decref(claims);
    free(card);
}

TEST(what_cannot_be_sealed)
{
    struct envelope e;
    char *text, long_text[ENVELOPE_BODY_MAX] = { 0 };
    uint8_t zero[32] = { 0 };

    make_keys();
    e = offer();
    CHECK("to a key that is none", envelope_seal(app, zero, &rng, &e, &text) == ERR_AUTH && !text);
    memset(long_text, 'x', sizeof long_text - 1);
    json_object_set_new(e.body, "x", json_string(long_text));
    CHECK("too long", envelope_seal(app, key_x25519(device), &rng, &e, &text) == ERR_LIMIT);
    long_text[ENVELOPE_BODY_MAX - 100] = 0;
    json_object_set_new(e.body, "x", json_string(long_text));
    e.feature_count = ENVELOPE_FEATURES_MAX;
    for (size_t i = 0; i < ENVELOPE_FEATURES_MAX; i++)
        memcpy(e.features[i], "12345678901234567890123", ENVELOPE_FEATURE_MAX);
    CHECK("just not", envelope_seal(app, key_x25519(device), &rng, &e, &text) == ERR_OK);
    CHECK("within the broker's limit", strlen(text) <= ENVELOPE_TEXT_MAX);
    free(text);
    e.to[5] ^= 1;
    CHECK("to no ID", envelope_seal(app, key_x25519(device), &rng, &e, &text) == ERR_INVALID);
    json_decref(e.body);
    e = (struct envelope){ .body = NULL };
    CHECK("nothing", envelope_seal(app, key_x25519(device), &rng, &e, &text) == ERR_INVALID);
}

TEST(a_replayed_offer_costs_one_look_up)
{
    struct envelope in, out;
    struct replay *memory;
    uint8_t digest[ENVELOPE_DIGEST_BYTES];
    char *text;

    make_keys();
    in = offer();
    CHECK("memory", replay_new(&memory, 16, MINUTE) == ERR_OK);
    CHECK("sealed", envelope_seal(app, key_x25519(device), &rng, &in, &text) == ERR_OK);
    CHECK("digest", envelope_digest(text_of(text), digest) == ERR_OK);
    CHECK("new", !replay_find(memory, 0, digest));
    CHECK("good", envelope_open(device, text_of(text), &out) == ERR_OK);
    CHECK("kept", replay_add(memory, 0, digest));
    CHECK("known without being opened", replay_find(memory, SECOND, digest));
    envelope_deinit(&out);
    replay_free(memory);
    free(text);
    json_decref(in.body);
}

TEST(every_allocation_may_fail)
{
    make_keys();
    ALLOC_FAIL_EACH {
        struct envelope in, out = { .body = NULL };
        char *text = NULL;
        int err;

        alloc_pause();
        in = offer();
        alloc_resume();
        err = envelope_seal(app, key_x25519(device), &rng, &in, &text);
        CHECK("a text or none", (err == ERR_OK) == (text != NULL));
        if (!err)
            err = envelope_open(device, text_of(text), &out);
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        envelope_deinit(&out);
        free(text);
        json_decref(in.body);
    }
}

/* Last: the keys serve all of the above, and the leak sanitizer counts. */
TEST(keys_are_given_back)
{
    key_free(app);
    key_free(device);
    key_free(stranger);
}

TESTS(TEST_ROW(what_is_sealed_is_what_is_opened), TEST_ROW(every_character_counts),
      TEST_ROW(claims_are_exactly_so), TEST_ROW(nobody_speaks_for_another),
      TEST_ROW(what_cannot_be_sealed), TEST_ROW(a_replayed_offer_costs_one_look_up),
      TEST_ROW(every_allocation_may_fail), TEST_ROW(keys_are_given_back))

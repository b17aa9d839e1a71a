/* Keys, signatures and sealing: the RFCs' vectors, and what must be refused. */
#include <stdlib.h>

#include "core/token/base64url.h"
#include "core/token/card.h"
#include "core/token/jwe.h"
#include "core/token/jws.h"
#include "core/token/x25519.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"

/* RFC 8037 §A.1 */
#define JWK                                                                        \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7Mmk" \
    "ZcDusAxyuf2A\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

/* RFC 8037 §A.4 */
#define SIGNED_PART "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define JWS                                                                        \
    SIGNED_PART ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5" \
                "BhVsPt9g7sVvpAr_MuM0KAg"

/* Sealed to the same key by another implementation (python's cryptography), with spaces in the
 * header and the ephemeral key of RFC 8037 §A.6. */
#define JWE                                                                                  \
    "eyJhbGciOiAiRUNESC1FUyIsICJlbmMiOiAiQTI1NkdDTSIsICJlcGsiOiB7Imt0eSI6ICJPS1AiLCAiY3J2Ij" \
    "ogIlgyNTUxOSIsICJ4IjogImhTRHdDWWt3cDFSMGkzM2N0RDczV2cyX09nMG1PQnIwNjZTcGpxcWJUbW8ifSwg" \
    "ImFwdiI6ICJOT3AwZ3lOOXhUbnIwd2ctREN1U2g0S01FVkl5OG9Cb1hfMERhQldLcHhBIn0..AAECAwQFBgcIC" \
    "QoL.VyUQhVBRzhj8slEI_9vhX-YN9o6jdCvx94-WdFVCABQ.eppANQi6GnHWglQIcCexeA"

static struct bytes text_of(const char *text)
{
    return bytes_of_string(text);
}

static struct key *rfc_key(void)
{
    struct key *k = NULL;

    CHECK("the RFC's key is read", key_decode(&k, text_of(JWK)) == ERR_OK);
    return k;
}

TEST(a_key_is_kept_as_jwk)
{
    struct key *k = rfc_key(), *again;
    char *text;
    uint8_t x25519[32];

    CHECK("written", key_encode(k, &text) == ERR_OK);
    CHECK("read", key_decode(&again, text_of(text)) == ERR_OK);
    CHECK("the same", strcmp(key_id(k), key_id(again)) == 0);
    hex_decode("34ea7483237dc539ebd3083e0c2b9287828c115232f280685ffd0368158aa710", x25519, 32);
    CHECK("the X25519 key others derive", memcmp(key_x25519(k), x25519, 32) == 0);
    key_text_free(text);
    key_free(again);
    key_free(k);
}

static const struct {
    const char *claim, *text;
    int err;
} key_rows[] = {
    { "empty", "", ERR_INVALID },
    { "no JSON", "secret", ERR_INVALID },
    { "an array", "[]", ERR_INVALID },
    { "no members", "{}", ERR_INVALID },
    { "no private part",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
      ERR_INVALID },
    { "another curve",
      "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
      "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
      ERR_INVALID },
    { "x of another key",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\","
      "\"x\":\"12qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
      ERR_AUTH },
};

TEST(a_key_that_is_none)
{
    for (size_t i = 0; i < COUNT(key_rows); i++) {
        struct key *k = NULL;

        CHECK(key_rows[i].claim, key_decode(&k, text_of(key_rows[i].text)) == key_rows[i].err);
        CHECK(key_rows[i].claim, k == NULL);
    }
}

TEST(rfc_8037_signature)
{
    struct key *k = rfc_key();
    uint8_t signature[64];
    char text[BASE64URL_LEN(64)];
    struct wr w = wr_of(text, sizeof text);
    struct jws j;

    CHECK("signs", key_sign(k, text_of(SIGNED_PART), signature) == ERR_OK);
    base64url_encode(&w, bytes_of(signature, sizeof signature));
    CHECK("as in the RFC", bytes_equal(wr_written(&w), text_of(&JWS[sizeof SIGNED_PART])));
    CHECK("verifies", jws_decode(&j, text_of(JWS), NULL, key_public(k)) == ERR_OK);
    CHECK("the payload",
          bytes_equal(bytes_of(j.payload, j.payload_len), text_of("Example of Ed25519 signing")));
    jws_deinit(&j);
    CHECK("not without a key", jws_decode(&j, text_of(JWS), NULL, NULL) == ERR_INVALID);
    CHECK("not as something typed",
          jws_decode(&j, text_of(JWS), "x", key_public(k)) == ERR_INVALID);
    CHECK("not with another key", jws_decode(&j, text_of(JWS), NULL, key_x25519(k)) == ERR_AUTH);
    key_free(k);
}

/* Signs whatever header one likes: what a lenient library might have produced. */
static char *sign_as_is(const struct key *k, const char *header, const char *payload)
{
    char *text = malloc(2048);
    struct wr w = wr_of(text, 2048);
    uint8_t signature[64];

    base64url_encode(&w, text_of(header));
    wr_u8(&w, '.');
    base64url_encode(&w, text_of(payload));
    CHECK("signed", key_sign(k, wr_written(&w), signature) == ERR_OK);
    wr_u8(&w, '.');
    base64url_encode(&w, bytes_of(signature, sizeof signature));
    wr_u8(&w, 0);
    CHECK("fits", w.ok);
    return text;
}

#define OWN_KEY \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"

static const struct {
    const char *claim, *header;
    int err;
} header_rows[] = {
    { "the usual one", "{\"alg\":\"EdDSA\",\"typ\":\"t\"}", ERR_OK },
    { "members in any order", "{\"typ\":\"t\",\"alg\":\"EdDSA\"}", ERR_OK },
    { "with the key", "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"jwk\":" OWN_KEY "}", ERR_OK },
    { "no algorithm", "{\"typ\":\"t\"}", ERR_INVALID },
    { "none", "{\"alg\":\"none\",\"typ\":\"t\"}", ERR_INVALID },
    { "another algorithm", "{\"alg\":\"HS256\",\"typ\":\"t\"}", ERR_INVALID },
    { "another spelling", "{\"alg\":\"EDDSA\",\"typ\":\"t\"}", ERR_INVALID },
    { "the algorithm as a number", "{\"alg\":1,\"typ\":\"t\"}", ERR_INVALID },
    { "two algorithms", "{\"alg\":\"none\",\"alg\":\"EdDSA\",\"typ\":\"t\"}", ERR_INVALID },
    { "no type", "{\"alg\":\"EdDSA\"}", ERR_INVALID },
    { "another type", "{\"alg\":\"EdDSA\",\"typ\":\"u\"}", ERR_INVALID },
    { "critical", "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"crit\":[\"exp\"],\"exp\":1}", ERR_INVALID },
    { "unencoded payload", "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"b64\":false}", ERR_INVALID },
    { "a key to be fetched", "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"jku\":\"http://x\"}",
      ERR_INVALID },
    { "an encryption key",
      "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
      "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}}",
      ERR_INVALID },
    { "a private key",
      "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
      "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"d\":\"\"}}",
      ERR_INVALID },
    { "another key",
      "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
      "\"NOp0gyN9xTnr0wg-DCuSh4KMEVIy8oBoX_0DaBWKpxA\"}}",
      ERR_AUTH },
    { "no object", "[]", ERR_INVALID },
    { "nested beyond reason",
      "{\"alg\":\"EdDSA\",\"typ\":\"t\",\"x\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
      ERR_INVALID },
};

TEST(headers_are_exactly_so)
{
    struct key *k = rfc_key();

    for (size_t i = 0; i < COUNT(header_rows); i++) {
        char *text = sign_as_is(k, header_rows[i].header, "{}");
        struct jws j;

        CHECK(header_rows[i].claim,
              jws_decode(&j, text_of(text), "t", key_public(k)) == header_rows[i].err);
        jws_deinit(&j);
        free(text);
    }
    key_free(k);
}

TEST(every_cut_and_every_change_of_a_signed_text_is_refused)
{
    struct key *k = rfc_key();
    char text[] = JWS;
    struct jws j;

    for (size_t len = 0; len < sizeof JWS - 1; len++)
        CHECK("cut", jws_decode(&j, bytes_of(JWS, len), NULL, key_public(k)) != ERR_OK);
    for (size_t i = 0; i < sizeof JWS - 1; i++) {
        text[i] = JWS[i] == 'A' ? 'B' : 'A';
        CHECK("changed", jws_decode(&j, text_of(text), NULL, key_public(k)) != ERR_OK);
        text[i] = JWS[i];
    }
    CHECK("longer", jws_decode(&j, text_of(JWS "."), NULL, key_public(k)) == ERR_INVALID);
    key_free(k);
}

/* RFC 7518 appendix C */
TEST(rfc_7518_key_derivation)
{
    uint8_t z[32], out[16];
    char text[BASE64URL_LEN(16)];
    struct wr w = wr_of(text, sizeof text);

    hex_decode("9e56d91d817135d372834283bf84269c fb316ea3da806a48f6daa7798cfe90c4", z, sizeof z);
    CHECK("derives", jwe_concat_kdf(out, sizeof out, bytes_of(z, sizeof z), text_of("A128GCM"),
                                    text_of("Alice"), text_of("Bob")) == ERR_OK);
    base64url_encode(&w, bytes_of(out, sizeof out));
    CHECK("as in the RFC", bytes_equal(wr_written(&w), text_of("VqqN6vgjbSBcIijNcacQGg")));
}

/* RFC 8037 §A.6 */
TEST(rfc_8037_agreement)
{
    uint8_t ephemeral[32], bob[32], epk[32], z[32], wanted[32];

    hex_decode("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", ephemeral, 32);
    CHECK("epk", x25519_public(epk, ephemeral) == ERR_OK);
    CHECK("Bob",
          base64url_decode_exact(bob, 32, text_of("3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08")));
    CHECK("the RFC's epk",
          base64url_decode_exact(wanted, 32,
                                 text_of("hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo")) &&
              memcmp(epk, wanted, 32) == 0);
    hex_decode("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", wanted, 32);
    CHECK("agrees", x25519_agree(z, ephemeral, bob) == ERR_OK);
    CHECK("on the RFC's secret", memcmp(z, wanted, 32) == 0);
    memset(bob, 0, sizeof bob);
    CHECK("never on zero", x25519_agree(z, ephemeral, bob) == ERR_AUTH);
}

TEST(sealed_by_another_implementation)
{
    struct key *k = rfc_key();
    uint8_t *plain;
    size_t len;

    CHECK("opens", jwe_decode(k, text_of(JWE), &plain, &len) == ERR_OK);
    CHECK("says", bytes_equal(bytes_of(plain, len), text_of("sealed by another implementation")));
    jwe_plain_free(plain, len);
    key_free(k);
}

TEST(every_cut_and_every_change_of_a_sealed_text_is_refused)
{
    struct key *k = rfc_key();
    char text[] = JWE;
    uint8_t *plain;
    size_t len;

    for (size_t cut = 0; cut < sizeof JWE - 1; cut++)
        CHECK("cut", jwe_decode(k, bytes_of(JWE, cut), &plain, &len) != ERR_OK && !plain);
    for (size_t i = 0; i < sizeof JWE - 1; i++) {
        text[i] = JWE[i] == 'A' ? 'B' : 'A';
        CHECK("changed", jwe_decode(k, text_of(text), &plain, &len) != ERR_OK && !plain);
        text[i] = JWE[i];
    }
    key_free(k);
}

static const size_t plain_rows[] = { 0, 1, 15, 16, 17, 1000, JWE_PLAIN_MAX };

TEST(what_is_sealed_opens_for_its_receiver_alone)
{
    uint64_t state = 1;
    struct rng rng = test_rng(&state);
    struct key *to = NULL, *other = NULL;
    static uint8_t plain[JWE_PLAIN_MAX + 1], *out;
    char *text;
    size_t len;

    CHECK("keys", key_new(&to, &rng) == ERR_OK && key_new(&other, &rng) == ERR_OK);
    rng_fill(&rng, plain, sizeof plain);
    for (size_t i = 0; i < COUNT(plain_rows); i++) {
        struct bytes in = bytes_of(plain, plain_rows[i]);

        CHECK("sealed", jwe_encode(key_x25519(to), &rng, in, &text) == ERR_OK);
        CHECK("within the limit", strlen(text) <= JWE_TEXT_MAX);
        CHECK("opened", jwe_decode(to, text_of(text), &out, &len) == ERR_OK);
        CHECK("the same", bytes_equal(in, bytes_of(out, len)));
        jwe_plain_free(out, len);
        CHECK("by no other", jwe_decode(other, text_of(text), &out, &len) == ERR_AUTH && !out);
        free(text);
    }
    CHECK("too long",
          jwe_encode(key_x25519(to), &rng, bytes_of(plain, sizeof plain), &text) == ERR_LIMIT &&
              !text);
    key_free(to);
    key_free(other);
}

TEST(a_card_names_its_own_key)
{
    uint64_t state = 2;
    struct rng rng = test_rng(&state);
    struct key *k = NULL, *other = NULL;
    struct card c, own;
    char *text, claims[256];

    CHECK("keys", key_new(&k, &rng) == ERR_OK && key_new(&other, &rng) == ERR_OK);
    CHECK("written", card_encode(k, 1800000000, &text) == ERR_OK);
    CHECK("short enough", strlen(text) <= CARD_TEXT_MAX);
    CHECK("read", card_decode(&c, text_of(text)) == ERR_OK);
    card_of_key(&own, k, 1800000000);
    CHECK("the same", strcmp(c.id, own.id) == 0 && memcmp(c.ed25519, own.ed25519, 32) == 0 &&
                          memcmp(c.x25519, own.x25519, 32) == 0 && c.iat_s == own.iat_s);
    free(text);
    snprintf(claims, sizeof claims,
             "{\"id\":\"%s\",\"x25519\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":"
             "\"NOp0gyN9xTnr0wg-DCuSh4KMEVIy8oBoX_0DaBWKpxA\"},\"iat\":1}",
             key_id(k));
    CHECK("signed", jws_encode(other, "hawser-card", JWS_KEY_INSIDE, text_of(claims), &text) == 0);
    CHECK("nobody speaks for another's ID", card_decode(&c, text_of(text)) == ERR_AUTH);
    free(text);
    key_free(k);
    key_free(other);
}

TEST(every_allocation_may_fail)
{
    ALLOC_FAIL_EACH {
        uint64_t state = 3;
        struct rng rng = test_rng(&state);
        struct key *k = NULL, *again = NULL;
        char *jwk = NULL, *card = NULL, *sealed = NULL;
        uint8_t *plain = NULL;
        size_t len = 0;
        struct card c;
        int err = key_new(&k, &rng);

        if (!err)
            err = key_encode(k, &jwk);
        if (!err)
            err = key_decode(&again, text_of(jwk));
        if (!err)
            err = card_encode(k, 1, &card);
        if (!err)
            err = card_decode(&c, text_of(card));
        if (!err)
            err = jwe_encode(key_x25519(k), &rng, text_of("secret"), &sealed);
        if (!err)
            err = jwe_decode(again, text_of(sealed), &plain, &len);
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        jwe_plain_free(plain, len);
        free(sealed);
        free(card);
        key_text_free(jwk);
        key_free(again);
        key_free(k);
    }
}

TESTS(TEST_ROW(a_key_is_kept_as_jwk), TEST_ROW(a_key_that_is_none), TEST_ROW(rfc_8037_signature),
      TEST_ROW(headers_are_exactly_so),
      TEST_ROW(every_cut_and_every_change_of_a_signed_text_is_refused),
      TEST_ROW(rfc_7518_key_derivation), TEST_ROW(rfc_8037_agreement),
      TEST_ROW(sealed_by_another_implementation),
      TEST_ROW(every_cut_and_every_change_of_a_sealed_text_is_refused),
      TEST_ROW(what_is_sealed_opens_for_its_receiver_alone), TEST_ROW(a_card_names_its_own_key),
      TEST_ROW(every_allocation_may_fail))

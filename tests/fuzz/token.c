/* Every decoder of core/token on the same bytes; the first byte chooses which. What is opened must
 * have come from its key, so half of the inputs are signed or sealed here first. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/token/broker_login.h"
#include "core/token/claims.h"
#include "core/token/envelope.h"
#include "core/token/grant.h"
#include "core/token/invite.h"
#include "core/token/jwe.h"
#include "core/token/jws.h"
#include "tests/support/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct key *key;
static uint64_t seed = 1;
static struct rng rng;

static void on_text(const char *text)
{
    char id[ID_BYTES], pretty[ID_PRETTY_BYTES], again[INVITE_TEXT_BYTES];
    struct invite invite;

    if (id_decode(id, text)) {
        assert(id_is_canonical(id) && id_kind_of(text) == ID_KEY);
        assert(id_decode(id, id_encode_pretty(pretty, id)));
    }
    if (invite_decode(&invite, text) == ERR_OK)
        assert(invite_encode(&invite, again) == ERR_OK && invite_decode(&invite, again) == ERR_OK);
}

static void on_claims(struct bytes text)
{
    json_t *claims = NULL, *again = NULL;
    char *out;

    if (claims_decode(&claims, text) == ERR_OK) {
        assert(claims_encode(claims, &out) == ERR_OK);
        assert(claims_decode(&again, bytes_of_string(out)) == ERR_OK);
        assert(json_equal(claims, again));
        free(out);
    }
    json_decref(claims);
    json_decref(again);
}

static void on_token(struct bytes text)
{
    static const char *const audiences[] = { "a" };
    struct login_check login = { audiences, 1, 1800000000, 300 };
    struct key *other = NULL;
    struct card card;
    struct jws jws;
    uint8_t *plain;
    size_t len;

    if (jws_decode(&jws, text, NULL, NULL) == ERR_OK)
        jws_deinit(&jws);
    if (jwe_decode(key, text, &plain, &len) == ERR_OK)
        jwe_plain_free(plain, len);
    card_decode(&card, text);
    login_verify(key_id(key), text, &login);
    if (key_decode(&other, text) == ERR_OK)
        key_free(other);
}

/* As if the holder of the key had signed these claims as this kind of text. */
static char *sign(const char *typ, struct bytes claims)
{
    char *text;
    int err = jws_encode(key, typ, JWS_KEY_INSIDE, claims, &text);

    assert(err == ERR_OK || err == ERR_LIMIT);
    return text;
}

static void on_message(struct bytes claims)
{
    char *inner = sign("hawser-msg", claims), *outer = NULL;
    struct envelope e = { .body = NULL };

    if (inner && jwe_encode(key_x25519(key), &rng, bytes_of_string(inner), &outer) == ERR_OK)
        if (envelope_open(key, bytes_of_string(outer), &e) == ERR_OK)
            assert(json_is_object(e.body) && !strcmp(e.from, key_id(key)));
    envelope_deinit(&e);
    free(outer);
    free(inner);
}

static void on_grant(struct bytes claims)
{
    char *text = sign("hawser-grant", claims);
    json_t *chain = text ? json_pack("[s]", text) : NULL;
    struct grant_check check = { .device = key_public(key), .holder = key_public(key) };
    struct grant_rights rights;
    struct grant last;

    if (chain && grant_chain_verify(&rights, chain, &check) == ERR_OK)
        assert(grant_chain_peek(&last, chain) == ERR_OK && last.channels == rights.channels);
    json_decref(chain);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes rest = bytes_of(data + (len > 0), len - (len > 0));
    char text[INVITE_TEXT_BYTES + 8];

    if (!key) {
        rng = test_rng(&seed);
        assert(key_new(&key, &rng) == ERR_OK);
    }
    if (len == 0 || len > 20000)
        return 0;
    switch (data[0] % 5) {
    case 0:
        memcpy(text, rest.data, rest.len < sizeof text ? rest.len : sizeof text - 1);
        text[rest.len < sizeof text ? rest.len : sizeof text - 1] = '\0';
        on_text(text);
        break;
    case 1:
        on_claims(rest);
        break;
    case 2:
        on_token(rest);
        break;
    case 3:
        on_message(rest);
        break;
    default:
        on_grant(rest);
    }
    return 0;
}

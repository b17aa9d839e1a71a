#include "core/token/grant.h"

#include <stdlib.h>

#include "core/token/base64url.h"
#include "core/token/claims.h"
#include "core/token/jws.h"

#define TYP      "hawser-grant"
#define CHANNELS 8
#define ROLE_MAX 8

static const char *const role_names[GRANT_ROLES] = {
    [GRANT_GUEST] = "guest",
    [GRANT_USER] = "user",
    [GRANT_OWNER] = "owner",
};

const char *grant_role_string(enum grant_role role)
{
    return (unsigned)role < GRANT_ROLES ? role_names[role] : NULL;
}

static json_t *channels_new(uint8_t channels)
{
    json_t *list = json_array();

    for (int i = 0; list && i < CHANNELS; i++)
        if (channels >> i & 1 && json_array_append_new(list, json_integer(i)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

static bool is_consistent(const struct grant *g)
{
    return (unsigned)g->role < GRANT_ROLES && g->iat_s >= 0 && g->iat_s <= CLAIMS_INT_MAX &&
           (g->exp_s == GRANT_NEVER ? g->role == GRANT_OWNER
                                    : g->exp_s >= 0 && g->exp_s <= CLAIMS_INT_MAX);
}

int grant_sign(const struct key *issuer, const struct grant *g, char **text)
{
    json_t *claims;
    int err;

    *text = NULL;
    if (!is_consistent(g) || !id_is_canonical(g->device))
        return ERR_INVALID;
    claims = json_pack("{s:s, s:s, s:{s:o}, s:o, s:s, s:I}", "iss", key_id(issuer), "sub",
                       g->device, "cnf", "jwk", claims_jwk_new("Ed25519", g->holder), "ch",
                       channels_new(g->channels), "role", role_names[g->role], "iat",
                       (json_int_t)g->iat_s);
    err = claims ? ERR_OK : ERR_NOMEM;
    if (!err && g->exp_s != GRANT_NEVER &&
        json_object_set_new(claims, "exp", json_integer(g->exp_s)) != 0)
        err = ERR_NOMEM;
    if (!err)
        err = jws_encode_json(issuer, TYP, JWS_KEY_KNOWN, claims, text);
    json_decref(claims);
    return err;
}

static bool read_channels(const json_t *claims, uint8_t *channels)
{
    const json_t *list = json_object_get(claims, "ch");

    *channels = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *number = json_array_get(list, i);
        json_int_t channel = json_integer_value(number);

        if (!json_is_integer(number) || channel < 0 || channel >= CHANNELS)
            return false;
        *channels |= (uint8_t)(1u << channel);
    }
    return json_is_array(list);
}

static bool read_role(const json_t *claims, enum grant_role *role)
{
    const char *name = claims_get_string(claims, "role", ROLE_MAX);

    for (int i = 0; name && i < GRANT_ROLES; i++)
        if (strcmp(name, role_names[i]) == 0) {
            *role = (enum grant_role)i;
            return true;
        }
    return false;
}

static bool read_claims(const json_t *claims, struct grant *g)
{
    g->exp_s = GRANT_NEVER;
    return claims_copy_string(claims, "iss", g->issuer, sizeof g->issuer) &&
           claims_copy_string(claims, "sub", g->device, sizeof g->device) &&
           claims_get_jwk(json_object_get(claims, "cnf"), "jwk", "Ed25519", g->holder) &&
           read_channels(claims, &g->channels) && read_role(claims, &g->role) &&
           claims_get_int(claims, "iat", CLAIMS_INT_MAX, &g->iat_s) &&
           (!json_object_get(claims, "exp") ||
            claims_get_int(claims, "exp", CLAIMS_INT_MAX, &g->exp_s)) &&
           is_consistent(g);
}

int grant_decode(struct grant *out, struct bytes text, const uint8_t ed25519[ID_PUBLIC_BYTES])
{
    uint8_t signer[ID_PUBLIC_BYTES];
    json_t *claims = NULL;
    struct grant g;
    int err = ERR_INVALID;

    if (text.len <= GRANT_TEXT_MAX)
        err = jws_decode_json(&claims, signer, text, TYP, ed25519);
    if (!err && !read_claims(claims, &g))
        err = ERR_INVALID;
    if (!err && !id_matches_key(g.issuer, ed25519))
        err = ERR_AUTH;
    if (!err)
        *out = g;
    json_decref(claims);
    return err;
}

/* The claims of a text whose signature nobody has checked. */
static int peek(struct grant *out, struct bytes text)
{
    uint8_t payload[GRANT_TEXT_MAX];
    struct wr w = wr_of(payload, sizeof payload);
    const uint8_t *from = memchr(text.data, '.', text.len), *to;
    json_t *claims = NULL;
    size_t left = from ? text.len - (size_t)(from - text.data) - 1 : 0;
    int err = ERR_INVALID;

    to = from ? memchr(from + 1, '.', left) : NULL;
    if (to && base64url_decode(&w, bytes_of(from + 1, (size_t)(to - from) - 1)))
        err = claims_decode(&claims, wr_written(&w));
    if (!err && !read_claims(claims, out))
        err = ERR_INVALID;
    json_decref(claims);
    return err;
}

/* The i-th text; empty if there is none. */
static struct bytes chain_get(const json_t *chain, size_t i)
{
    const json_t *link = json_array_get(chain, i);

    return json_is_string(link) ? bytes_of(json_string_value(link), json_string_length(link))
                                : bytes_of("", 0);
}

static bool is_chain(const json_t *chain)
{
    return json_array_size(chain) >= 1 && json_array_size(chain) <= GRANT_CHAIN_MAX;
}

int grant_chain_peek(struct grant *out, const json_t *chain)
{
    struct grant g;
    int err =
        is_chain(chain) ? peek(&g, chain_get(chain, json_array_size(chain) - 1)) : ERR_INVALID;

    if (!err)
        *out = g;
    return err;
}

/* Whose signature the first link must bear: the device's or that of a trusted issuer it names. */
static const uint8_t *find_root(const struct grant_check *c, const char *issuer)
{
    if (id_matches_key(issuer, c->device))
        return c->device;
    for (size_t i = 0; i < c->trusted_count; i++)
        if (id_matches_key(issuer, c->trusted[i]))
            return c->trusted[i];
    return NULL;
}

static bool is_within(const struct grant *child, const struct grant *parent)
{
    return parent->role == GRANT_OWNER && child->role <= parent->role &&
           (child->channels & ~parent->channels) == 0 && child->exp_s <= parent->exp_s;
}

/* Reads the links and checks each against the one before; returns how many in *count. */
static int read_chain(struct grant links[GRANT_CHAIN_MAX], size_t *count, const json_t *chain,
                      const struct grant_check *c)
{
    const uint8_t *signer;
    int err = is_chain(chain) ? peek(&links[0], chain_get(chain, 0)) : ERR_INVALID;

    if (err)
        return err;
    signer = find_root(c, links[0].issuer);
    if (!signer)
        return ERR_AUTH;
    *count = json_array_size(chain);
    for (size_t i = 0; i < *count; i++) {
        err = grant_decode(&links[i], chain_get(chain, i), signer);
        if (err)
            return err;
        if (!id_matches_key(links[i].device, c->device) ||
            (i > 0 && !is_within(&links[i], &links[i - 1])))
            return ERR_AUTH;
        signer = links[i].holder;
    }
    return memcmp(signer, c->holder, ID_PUBLIC_BYTES) == 0 ? ERR_OK : ERR_AUTH;
}

static bool is_expired(const struct grant *g, struct token_time now)
{
    return g->exp_s != GRANT_NEVER && now.s > g->exp_s && now.s - g->exp_s > TOKEN_SKEW_S &&
           (now.is_trusted || g->role != GRANT_OWNER);
}

int grant_chain_verify(struct grant_rights *out, const json_t *chain, const struct grant_check *c)
{
    struct grant links[GRANT_CHAIN_MAX];
    struct grant_rights r;
    struct token_time now = c->now;
    size_t count = 0;
    int err = read_chain(links, &count, chain, c);

    if (err)
        return err;
    r = (struct grant_rights){
        .channels = links[count - 1].channels,
        .role = links[count - 1].role,
        .exp_s = links[count - 1].exp_s, /* the earliest: each is within its parent */
    };
    for (size_t i = 0; i < count; i++)
        r.iat_s = links[i].iat_s > r.iat_s ? links[i].iat_s : r.iat_s;
    /* Who signed knew it to be this late, or lies to its own disadvantage. */
    if (!now.is_trusted && r.iat_s > now.s)
        now.s = r.iat_s;
    for (size_t i = 0; i < count; i++)
        if (is_expired(&links[i], now))
            return ERR_EXPIRED;
    *out = r;
    return ERR_OK;
}

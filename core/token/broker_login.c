#include "core/token/broker_login.h"

#include "core/token/claims.h"
#include "core/token/jws.h"

#define TYP "hawser-login"

int login_make(const struct key *k, const char *audience, int64_t now_s, char **text)
{
    size_t len = strnlen(audience, LOGIN_AUDIENCE_MAX + 1);
    json_t *claims;
    int err;

    *text = NULL;
    if (len == 0 || len > LOGIN_AUDIENCE_MAX || now_s < 0 || now_s > CLAIMS_INT_MAX)
        return ERR_INVALID;
    claims = json_pack("{s:s, s:I}", "aud", audience, "iat", (json_int_t)now_s);
    err = claims ? jws_encode_json(k, TYP, JWS_KEY_INSIDE, claims, text) : ERR_NOMEM;
    json_decref(claims);
    return err;
}

static bool is_audience(const struct login_check *c, const char *name)
{
    for (size_t i = 0; i < c->audience_count; i++)
        if (strcmp(c->audiences[i], name) == 0)
            return true;
    return false;
}

static int check_time(const json_t *claims, const struct login_check *c)
{
    int64_t iat_s, exp_s = INT64_MAX;

    if (!claims_get_int(claims, "iat", CLAIMS_INT_MAX, &iat_s) ||
        (json_object_get(claims, "exp") && !claims_get_int(claims, "exp", CLAIMS_INT_MAX, &exp_s)))
        return ERR_INVALID;
    return iat_s >= c->now_s - c->skew_s && iat_s <= c->now_s + c->skew_s && c->now_s <= exp_s
               ? ERR_OK
               : ERR_EXPIRED;
}

int login_verify(const char *username, struct bytes password, const struct login_check *c)
{
    uint8_t signer[ID_PUBLIC_BYTES];
    json_t *claims = NULL;
    const char *audience;
    int err = ERR_INVALID;

    if (password.len <= LOGIN_TEXT_MAX && id_is_canonical(username))
        err = jws_decode_json(&claims, signer, password, TYP, NULL);
    if (!err) {
        audience = claims_get_string(claims, "aud", LOGIN_AUDIENCE_MAX + 1);
        if (!audience)
            err = ERR_INVALID;
        else if (!id_matches_key(username, signer) || !is_audience(c, audience))
            err = ERR_AUTH;
        else
            err = check_time(claims, c);
    }
    json_decref(claims);
    return err;
}

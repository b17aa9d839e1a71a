/* broker_login.h: the password for the broker: a compact JWS (typ "hawser-login", header with the
 * public JWK) over {"aud": broker's name, "iat": s}. User name and MQTT client ID are the ID. It
 * proves the key to this broker, at this time: another broker cannot use it. */
#ifndef HAWSER_TOKEN_BROKER_LOGIN_H
#define HAWSER_TOKEN_BROKER_LOGIN_H

#include "core/token/clock.h"
#include "core/token/key.h"

#define LOGIN_TEXT_MAX     768
#define LOGIN_AUDIENCE_MAX 128 /* a name such as "broker.example.org", or host:port */

/* The text is the caller's to free(). ERR_INVALID, ERR_NOMEM, ERR_CRYPTO. */
int login_make(const struct key *k, const char *audience, int64_t now_s, char **text);

struct login_check {
    const char *const *audiences; /* this broker's names */
    size_t audience_count;
    int64_t now_s;
    int64_t skew_s; /* how far iat may be off, either way */
};

/* ERR_OK, ERR_INVALID (malformed), ERR_AUTH (signature, not this ID's key, or another broker's),
 * ERR_EXPIRED (iat too far off, or exp passed), ERR_NOMEM. */
int login_verify(const char *username, struct bytes password, const struct login_check *c);

#endif

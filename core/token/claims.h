/* claims.h: JSON as tokens carry it: parsed with limits, read member by member. */
#ifndef HAWSER_TOKEN_CLAIMS_H
#define HAWSER_TOKEN_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/bytes.h"
#include "core/token/id.h"

#define CLAIMS_DEPTH_MAX 12
#define CLAIMS_NAME_MAX  63
#define CLAIMS_INT_MAX   9007199254740991 /* 2^53 - 1: what every JSON library can hold */

/* Reads RFC 8259 text into jansson's values. The parser is ours because jansson's (2.14) writes
 * beyond its buffer when memory runs out at the end of a string. It is also stricter: an object
 * outside, no duplicate members, names of at most CLAIMS_NAME_MAX bytes, nested at most
 * CLAIMS_DEPTH_MAX deep, numbers are integers of 53 bits, no NUL inside a string. The object is the
 * caller's to json_decref(). ERR_INVALID, ERR_NOMEM. */
int claims_decode(json_t **out, struct bytes text);

/* Compact text with a NUL, the caller's to free(). Never by json_dumps(): when memory runs out, it
 * may leave something out and say nothing. ERR_NOMEM. */
int claims_encode(const json_t *claims, char **text);

/* NULL unless there is such a string of less than cap bytes. */
const char *claims_get_string(const json_t *claims, const char *name, size_t cap);

/* The same, copied with its NUL. */
bool claims_copy_string(const json_t *claims, const char *name, char *out, size_t cap);

/* False unless there is such an integer between 0 and max. */
bool claims_get_int(const json_t *claims, const char *name, int64_t max, int64_t *out);

/* Exactly len bytes as base64url. */
bool claims_get_bytes(const json_t *claims, const char *name, uint8_t *out, size_t len);

/* A string of these bytes as base64url, len <= 64. NULL: no memory. */
json_t *claims_bytes_new(const uint8_t *data, size_t len);

/* True if the object has no member but these. */
bool claims_has_only(const json_t *claims, const char *const *names, size_t count);

/* Public keys as JWK (RFC 8037 §2): {"kty":"OKP","crv":…,"x":…} and no other member. */
json_t *claims_jwk_new(const char *crv, const uint8_t key[ID_PUBLIC_BYTES]);
bool claims_get_jwk(const json_t *claims, const char *name, const char *crv,
                    uint8_t out[ID_PUBLIC_BYTES]);

#endif

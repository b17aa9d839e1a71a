#include "core/token/claims.h"

#include <stdlib.h>

#include "core/base/err.h"
#include "core/token/base64url.h"

#define BYTES_MAX 64

int claims_encode(const json_t *claims, char **text)
{
    size_t len = json_dumpb(claims, NULL, 0, JSON_COMPACT); /* 0: no memory */
    char *out = len ? malloc(len + 1) : NULL;

    if (out && json_dumpb(claims, out, len, JSON_COMPACT) != len) {
        free(out);
        out = NULL;
    }
    if (out)
        out[len] = '\0';
    *text = out;
    return out ? ERR_OK : ERR_NOMEM;
}

const char *claims_get_string(const json_t *claims, const char *name, size_t cap)
{
    const json_t *value = json_object_get(claims, name);

    return json_is_string(value) && json_string_length(value) < cap ? json_string_value(value)
                                                                    : NULL;
}

bool claims_copy_string(const json_t *claims, const char *name, char *out, size_t cap)
{
    const char *value = claims_get_string(claims, name, cap);

    if (value)
        memcpy(out, value, strlen(value) + 1);
    return value != NULL;
}

bool claims_get_int(const json_t *claims, const char *name, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(claims, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}

bool claims_get_bytes(const json_t *claims, const char *name, uint8_t *out, size_t len)
{
    const char *value = claims_get_string(claims, name, BASE64URL_LEN(len) + 1);

    return value && base64url_decode_exact(out, len, bytes_of_string(value));
}

json_t *claims_bytes_new(const uint8_t *data, size_t len)
{
    char text[BASE64URL_LEN(BYTES_MAX)];
    struct wr w = wr_of(text, sizeof text);

    base64url_encode(&w, bytes_of(data, len));
    return json_stringn(text, wr_written(&w).len);
}

bool claims_has_only(const json_t *claims, const char *const *names, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += json_object_get(claims, names[i]) != NULL;
    return found == json_object_size(claims);
}

json_t *claims_jwk_new(const char *crv, const uint8_t key[ID_PUBLIC_BYTES])
{
    return json_pack("{s:s, s:s, s:o}", "kty", "OKP", "crv", crv, "x",
                     claims_bytes_new(key, ID_PUBLIC_BYTES));
}

bool claims_get_jwk(const json_t *claims, const char *name, const char *crv,
                    uint8_t out[ID_PUBLIC_BYTES])
{
    static const char *const members[] = { "kty", "crv", "x" };
    const json_t *jwk = json_object_get(claims, name);
    const char *kty = claims_get_string(jwk, "kty", 4), *named = claims_get_string(jwk, "crv", 8);

    return kty && strcmp(kty, "OKP") == 0 && named && strcmp(named, crv) == 0 &&
           claims_has_only(jwk, members, COUNT(members)) &&
           claims_get_bytes(jwk, "x", out, ID_PUBLIC_BYTES);
}

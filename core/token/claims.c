#include "core/token/claims.h"

#include "core/base/err.h"
#include "core/token/base64url.h"

#define BYTES_MAX 64

/* Before jansson recurses: brackets outside strings, however mismatched. */
static bool is_shallow(struct bytes text)
{
    bool in_string = false;
    size_t depth = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '['))
            depth++;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > CLAIMS_DEPTH_MAX)
            return false;
    }
    return true;
}

int claims_decode(json_t **out, struct bytes text)
{
    json_error_t error = { .line = 0 };

    *out = NULL;
    if (!is_shallow(text))
        return ERR_INVALID;
    *out = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!*out) /* jansson names what is wrong with a text, but seldom that memory was short */
        return error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory
                   ? ERR_NOMEM
                   : ERR_INVALID;
    if (json_is_object(*out))
        return ERR_OK;
    json_decref(*out);
    *out = NULL;
    return ERR_INVALID;
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

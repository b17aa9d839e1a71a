#include "core/token/id.h"

#include <openssl/evp.h>
#include <string.h>

#include "core/base/err.h"

#define PREFIX       "hw1"
#define PREFIX_LEN   3
#define DIGEST_CHARS 26
#define CHECK_CHARS  2
#define CODE_CHARS   (DIGEST_CHARS + CHECK_CHARS)

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 §6 */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int value_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Multiplication by α = x in GF(2)[x] / (x⁵ + x² + 1). */
static uint8_t times_alpha(uint8_t a)
{
    return (uint8_t)((a << 1 ^ (a & 16 ? 0x25 : 0)) & 31);
}

/* Division by (x - α)(x - α²) = x² + (α + α²)x + α³; what remains are the check characters. */
static void find_check(const uint8_t values[DIGEST_CHARS], uint8_t check[CHECK_CHARS])
{
    uint8_t high = 0, low = 0; /* the remainder so far */

    for (size_t i = 0; i < DIGEST_CHARS; i++) {
        uint8_t feedback = values[i] ^ high;
        uint8_t a1 = times_alpha(feedback), a2 = times_alpha(a1), a3 = times_alpha(a2);

        high = low ^ a1 ^ a2;
        low = a3;
    }
    check[0] = high;
    check[1] = low;
}

static bool has_prefix(const char *compact)
{
    return strncmp(compact, PREFIX, PREFIX_LEN) == 0;
}

bool id_is_canonical(const char *text)
{
    uint8_t values[CODE_CHARS], check[CHECK_CHARS];

    if (strnlen(text, ID_BYTES) != ID_LEN || !has_prefix(text))
        return false;
    for (size_t i = 0; i < CODE_CHARS; i++) {
        int value = value_of(text[PREFIX_LEN + i]);

        if (value < 0)
            return false;
        values[i] = (uint8_t)value;
    }
    find_check(values, check);
    return check[0] == values[DIGEST_CHARS] && check[1] == values[DIGEST_CHARS + 1];
}

/* Without dashes, in lower case, cut to cap - 1 characters. */
static size_t make_compact(char *out, size_t cap, const char *text)
{
    size_t len = 0;

    for (; *text && len < cap - 1; text++)
        if (*text != '-')
            out[len++] = lower(*text);
    out[len] = '\0';
    return len;
}

bool id_decode(char out[ID_BYTES], const char *text)
{
    char compact[ID_BYTES + 1]; /* one more, so that too long stays too long */

    make_compact(compact, sizeof compact, text);
    if (!id_is_canonical(compact))
        return false;
    memcpy(out, compact, ID_BYTES);
    return true;
}

static bool is_alias(const char *text)
{
    size_t len = strnlen(text, ID_ALIAS_MAX + 1);

    for (size_t i = 0; i < len; i++) {
        char c = lower(text[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return len >= ID_ALIAS_MIN && len <= ID_ALIAS_MAX;
}

enum id_kind id_kind_of(const char *text)
{
    char canonical[ID_BYTES], start[PREFIX_LEN + 1];

    if (id_decode(canonical, text))
        return ID_KEY;
    make_compact(start, sizeof start, text);
    return !has_prefix(start) && is_alias(text) ? ID_ALIAS : ID_NONE;
}

const char *id_encode_pretty(char out[ID_PRETTY_BYTES], const char *id)
{
    char *at = out;

    for (size_t i = 0; i < ID_LEN; i++) {
        if (i >= PREFIX_LEN && (i - PREFIX_LEN) % 4 == 0)
            *at++ = '-';
        *at++ = id[i];
    }
    *at = '\0';
    return out;
}

int id_of_key(char out[ID_BYTES], const uint8_t ed25519[ID_PUBLIC_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE], values[DIGEST_CHARS], check[CHECK_CHARS];
    size_t bit = 0;

    if (!EVP_Digest(ed25519, ID_PUBLIC_BYTES, digest, NULL, EVP_sha256(), NULL))
        return ERR_CRYPTO;
    memcpy(out, PREFIX, PREFIX_LEN);
    for (size_t i = 0; i < DIGEST_CHARS; i++, bit += 5) {
        unsigned pair = (unsigned)digest[bit / 8] << 8 | digest[bit / 8 + 1];

        values[i] = (uint8_t)(pair >> (11 - bit % 8) & 31);
        out[PREFIX_LEN + i] = alphabet[values[i]];
    }
    find_check(values, check);
    out[ID_LEN - 2] = alphabet[check[0]];
    out[ID_LEN - 1] = alphabet[check[1]];
    out[ID_LEN] = '\0';
    return ERR_OK;
}

bool id_matches_key(const char *id, const uint8_t ed25519[ID_PUBLIC_BYTES])
{
    char own[ID_BYTES];

    return id_of_key(own, ed25519) == ERR_OK && strcmp(own, id) == 0;
}

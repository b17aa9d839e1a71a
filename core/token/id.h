/* id.h: the ID of an installation, which is a digest of its key.
 *
 *     hw1 | 26 characters: first 130 bits of SHA-256(raw Ed25519 public key) | 2 check characters
 *
 * The alphabet is that of RFC 4648 §6 in lower case. The check characters make the 28 a codeword of
 * the Reed-Solomon code over GF(32) with roots α and α² (x⁵ + x² + 1, length at most 31): distance
 * 3, so any two wrong characters and any exchange of two characters are noticed. Case and dashes
 * mean nothing on input; everything in this project compares and sends the canonical form. */
#ifndef HAWSER_TOKEN_ID_H
#define HAWSER_TOKEN_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_LEN          31
#define ID_BYTES        32 /* with NUL */
#define ID_PRETTY_BYTES 40 /* hw1-xxxx-xxxx-xxxx-xxxx-xxxx-xxxx-xxxx and NUL */
#define ID_ALIAS_MIN    6
#define ID_ALIAS_MAX    32
#define ID_PUBLIC_BYTES 32 /* a raw Ed25519 or X25519 public key */

enum id_kind {
    ID_NONE,  /* neither: mistyped, or something else */
    ID_KEY,   /* a well-formed ID with the right check characters */
    ID_ALIAS, /* a vendor's own ID, [A-Za-z0-9-]{6,32}, not beginning with hw1 */
};

enum id_kind id_kind_of(const char *text);

/* Writes the canonical form of an ID; false and *out untouched unless text is ID_KEY. */
bool id_decode(char out[ID_BYTES], const char *text);

/* True only for the canonical form itself: what a topic or a claim must contain. */
bool id_is_canonical(const char *text);

/* Groups of four with dashes, for people; id is canonical. Returns out. */
const char *id_encode_pretty(char out[ID_PRETTY_BYTES], const char *id);

/* ERR_CRYPTO. */
int id_of_key(char out[ID_BYTES], const uint8_t ed25519[ID_PUBLIC_BYTES]);

/* id is canonical. False also where OpenSSL fails. */
bool id_matches_key(const char *id, const uint8_t ed25519[ID_PUBLIC_BYTES]);

#endif

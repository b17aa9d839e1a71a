/* base64url.h: RFC 4648 §5 without padding, as RFC 7515 §2 wants it. The decoder is strict: only
 * the alphabet, no padding, spare bits zero, so a text has one decoding and bytes have one text. */
#ifndef HAWSER_TOKEN_BASE64URL_H
#define HAWSER_TOKEN_BASE64URL_H

#include "core/base/bytes.h"

#define BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

void base64url_encode(struct wr *out, struct bytes data);

/* False (and out->ok false) if text is malformed or out is too small. */
bool base64url_decode(struct wr *out, struct bytes text);

/* Text of exactly len bytes, neither less nor more. */
bool base64url_decode_exact(uint8_t *out, size_t len, struct bytes text);

#endif

/* hex.h: bytes as tests write them down. */
#ifndef HAWSER_TESTS_SUPPORT_HEX_H
#define HAWSER_TESTS_SUPPORT_HEX_H

#include "core/base/bytes.h"

/* Decodes hex digits, skipping white space, into out; anything else in the text, half a byte at its
 * end or too small a buffer is the test's mistake and stops it. */
struct bytes hex_decode(const char *hex, void *out, size_t cap);

#endif

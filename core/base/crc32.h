/* crc32.h: the CRC-32 of ITU-T V.42, which zlib computes too: STUN's FINGERPRINT (RFC 8489 §14.7)
 * and the acknowledgements of DTLS in checks are made of it. Reflected polynomial 0xedb88320, all
 * ones in, all ones out. */
#ifndef HAWSER_BASE_CRC32_H
#define HAWSER_BASE_CRC32_H

#include "core/base/bytes.h"

/* Continues `crc`, the value over all bytes before these; 0 to begin. */
uint32_t crc32_ieee(uint32_t crc, struct bytes b);

#endif

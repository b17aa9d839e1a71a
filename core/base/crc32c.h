/* crc32c.h: the CRC-32C of RFC 3720 §B.4, which protects SCTP packets (RFC 9260 §6.8).
 *
 * Reflected polynomial 0x82f63b78, all ones in, all ones out. By the processor's instruction where
 * it has one (x86-64 with SSE 4.2 and PCLMUL), otherwise by a table, byte for byte. */
#ifndef HAWSER_BASE_CRC32C_H
#define HAWSER_BASE_CRC32C_H

#include "core/base/bytes.h"

/* Continues `crc`, the value over all bytes before these; 0 to begin. */
uint32_t crc32c(uint32_t crc, struct bytes b);

/* The same by the table alone: what crc32c() is tested against. */
uint32_t crc32c_by_table(uint32_t crc, struct bytes b);

#endif

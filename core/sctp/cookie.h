/* cookie.h: the state cookie of INIT ACK (RFC 9260 §5.1.3), all that the answering side remembers
 * of an INIT until COOKIE ECHO brings it back.
 *
 *     | version 1 | extensions 1 | ports 2+2 | made at 8 | tags, TSNs, a_rwnd, streams, tie tags |
 *     | HMAC-SHA-256 over all of that, by a key that never leaves this association |       */
#ifndef HAWSER_SCTP_COOKIE_H
#define HAWSER_SCTP_COOKIE_H

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/usec.h"

enum { COOKIE_KEY_LEN = 32, COOKIE_MAC_LEN = 32, COOKIE_LEN = 80 };

struct cookie {
    usec made_at;
    uint16_t local_port, remote_port;
    uint32_t local_tag, peer_tag;
    uint32_t local_tsn, peer_tsn; /* initial ones */
    uint32_t peer_rwnd;
    uint16_t peer_out_streams, peer_in_streams;
    uint32_t local_tie, peer_tie; /* tags of the association there already was, or 0 */
    uint8_t peer_extensions;      /* bits of enum init_extension */
};

/* ERR_CRYPTO. Deterministic: the same fields give the same bytes. */
int cookie_encode(uint8_t out[COOKIE_LEN], const struct cookie *c,
                  const uint8_t key[COOKIE_KEY_LEN]);

/* False unless cookie_encode() made it with this key. Says nothing about its age. */
bool cookie_decode(struct cookie *out, struct bytes in, const uint8_t key[COOKIE_KEY_LEN]);

#endif

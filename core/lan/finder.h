/* finder.h: the app's side: probes for one device until somebody who knows its secret replies.
 *
 *     rounds at 0, 0.1, 0.3, 1 and 2 s, then every 3 s; LAN_ROUNDS_MAX in all, then it is silent
 *
 * In each round the caller sends one probe for every interface and address family. Each has a nonce
 * of its own, so that a device which hears several can reply by each way it heard, and a nonce that
 * a device has seen is never of use again. */
#ifndef HAWSER_LAN_FINDER_H
#define HAWSER_LAN_FINDER_H

#include "core/base/rng.h"
#include "core/base/usec.h"
#include "core/lan/message.h"

#define LAN_ROUNDS_MAX 14
#define LAN_PROBES_MAX 512 /* datagrams in all */
#define LAN_SILENCE_US (3 * SECOND)

struct lan_finder {
    uint8_t secret[LAN_SECRET_BYTES];
    uint8_t series[LAN_NONCE_BYTES - 2]; /* the beginning of all nonces; the number follows */
    uint16_t probe_count;
    unsigned round_count;
    usec next_at;
};

/* Begins a search; the rounds and probes of an earlier one of the same finder count on, so that
 * whoever searches again and again is bounded as well. Of a finder of zeroes: the first. */
void lan_finder_start(struct lan_finder *f, usec now, const struct rng *rng,
                      const uint8_t secret[LAN_SECRET_BYTES]);
void lan_finder_stop(struct lan_finder *f);
void lan_finder_deinit(struct lan_finder *f); /* wipes */

/* Whether a round is due: then lan_finder_probe() for each way there is. */
bool lan_finder_poll(struct lan_finder *f, usec now);

/* ERR_LIMIT, ERR_CRYPTO. */
int lan_finder_probe(struct lan_finder *f, uint8_t out[LAN_MESSAGE_BYTES]);

usec lan_finder_next_timeout(const struct lan_finder *f);

/* A datagram that may be a reply. TAKEN: it is, by somebody who knows the secret; FOREIGN: to
 * somebody else's probe, and no HMAC was spent; FORGED; UNEXPECTED: the search is over. */
enum verdict lan_finder_input(const struct lan_finder *f, struct bytes dgram,
                              struct lan_message *reply);

/* What a connection to the reply's port begins with. ERR_CRYPTO. */
int lan_finder_hello(const struct lan_finder *f, const struct rng *rng,
                     const struct lan_message *reply, uint8_t out[LAN_MESSAGE_BYTES]);

#endif

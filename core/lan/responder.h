/* responder.h: the devices' side: which probes are replied to, and who may connect after a reply.
 *
 *     probe --gate--> form --> each service's HMAC --> new nonce? --> reply, its nonce noted
 *     hello --> echoes a noted nonce --> that service's HMAC --> nonce forgotten: one connection
 *
 * Whatever fails meets silence. A flood costs at most LAN_GATE_ALL_* times LAN_SERVICES_MAX
 * HMACs. A probe that was recorded and is sent again finds its nonce remembered. */
#ifndef HAWSER_LAN_RESPONDER_H
#define HAWSER_LAN_RESPONDER_H

#include "core/base/rng.h"
#include "core/lan/gate.h"
#include "core/lan/message.h"

#define LAN_SERVICES_MAX 64
#define LAN_REPLIES_MAX  128           /* waiting for their connection; the oldest is forgotten */
#define LAN_REPLY_US     (10 * SECOND) /* for as long as this */
#define LAN_SEEN_MAX     2048          /* probes remembered … */
#define LAN_SEEN_US      (10 * MINUTE) /* … for this time */

struct lan_responder;

/* rng is borrowed. ERR_NOMEM. */
int lan_responder_new(struct lan_responder **out, const struct rng *rng);
void lan_responder_free(struct lan_responder *r);

/* Replies for this secret from now on; tag is handed back. ERR_LIMIT. */
int lan_responder_add(struct lan_responder *r, const uint8_t secret[LAN_SECRET_BYTES], void *tag);
void lan_responder_remove(struct lan_responder *r, const void *tag);

/* A datagram from a directly attached network. TAKEN: out is the reply to send to `from`, naming
 * `port`. FOREIGN, MALFORMED, UNEXPECTED (no probe), LIMIT (the gate), FORGED (nobody's here),
 * DUPLICATE: nothing is sent. */
enum verdict lan_responder_input(struct lan_responder *r, usec now, const struct addr *from,
                                 struct bytes dgram, uint16_t port, uint8_t out[LAN_MESSAGE_BYTES]);

/* The beginning of a connection. The tag of the service it is for; NULL: close it. */
void *lan_responder_hello(struct lan_responder *r, usec now, struct bytes hello);

/* HMACs computed so far: what strangers have cost. */
uint64_t lan_responder_cost(const struct lan_responder *r);
const struct verdicts *lan_responder_verdicts(const struct lan_responder *r);

#endif

/* sped.h: DTLS flights carried in STUN checks (draft-hancke-webrtc-sped), without STUN and DTLS: what
 * waits to be carried, what was carried to us, and which of it the other side has.
 *
 *     OFF --on--> CARRYING --handshake done, peer's empty data--> ACKING --peer without data--> DONE
 *
 * A flight's datagrams go out in turn, one in each check, until a CRC-32 of theirs comes back. */
#ifndef HAWSER_SESSION_SPED_H
#define HAWSER_SESSION_SPED_H

#include "core/base/bytes.h"
#include "core/ice/ice.h"

#define SPED_MTU           900 /* of a DTLS datagram that is to fit a check */
#define SPED_DATAGRAMS_MAX 8   /* of one flight */
#define SPED_ACKS_MAX      16  /* CRCs we name, the newest */

enum sped_state { SPED_OFF, SPED_CARRYING, SPED_ACKING, SPED_DONE };

struct sped_datagram {
    uint32_t crc;
    uint16_t len;
    bool is_acked;
    uint8_t data[SPED_MTU];
};

struct sped {
    enum sped_state state;
    bool is_handshake_done;
    uint8_t count, next; /* of the flight; which goes next */
    uint8_t ack_count;
    uint32_t acks[SPED_ACKS_MAX];
    uint8_t acks_wire[4 * SPED_ACKS_MAX];
    struct sped_datagram *flight; /* SPED_DATAGRAMS_MAX, from the heap while CARRYING */
};

/* ERR_NOMEM: stays off, which is always safe. */
int sped_start(struct sped *p);
void sped_deinit(struct sped *p);

/* A new flight, or the same one resent, begins: what was waiting is forgotten. */
void sped_begin_flight(struct sped *p);
void sped_add(struct sped *p, struct bytes dgram); /* too long or too many: left to the plain way */
void sped_finish(struct sped *p);                  /* our handshake is done */

/* Whether anything unacknowledged waits. */
bool sped_has_pending(const struct sped *p);

/* What the next check is to carry; points into *p until the next call on it. */
void sped_get(struct sped *p, struct ice_sped *out);
void sped_sent(struct sped *p); /* it went out: the next datagram's turn */

/* What an authenticated check or answer carried (is_on false: neither attribute). True: in->data is
 * a DTLS datagram not seen before, for DTLS to take. */
bool sped_input(struct sped *p, const struct ice_sped *in);

#endif

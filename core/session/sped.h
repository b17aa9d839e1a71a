/* sped.h: DTLS flights carried in STUN checks (draft-hancke-webrtc-sped), without STUN and DTLS:
 * what waits to be carried, what was carried to us, and which of it the other side has.
 *
 *     OFF --start--> CARRYING --ours is done, peer's data empty--> ACKING --peer stops--> DONE
 *      ^                 '-- the first sign of the peer shows neither attribute --> OFF
 *      '--- start without memory
 *
 * A flight's datagrams go out in turn, one in each check and in each answer, until the CRC-32 of
 * each came back or the next flight takes their place. CARRYING shows both attributes, the data's
 * empty when nothing waits; ACKING only the acknowledgements; DONE neither. A peer that leaves an
 * empty data attribute out (Chromium) is understood too. */
#ifndef HAWSER_SESSION_SPED_H
#define HAWSER_SESSION_SPED_H

#include "core/base/bytes.h"
#include "core/ice/ice.h"

#define SPED_MTU           900 /* of a DTLS datagram that is to fit a check */
#define SPED_DATAGRAMS_MAX 8   /* of one flight */
#define SPED_ACKS_MAX      4  /* CRCs in an attribute, the newest; more are a breach of the draft */
#define SPED_SEEN_MAX      16 /* CRCs remembered, so that what comes twice costs nothing */

enum sped_state { SPED_OFF, SPED_CARRYING, SPED_ACKING, SPED_DONE };

struct sped_datagram {
    uint32_t crc;
    uint16_t len;
    bool is_acked;
    uint8_t data[SPED_MTU];
};

struct sped {
    enum sped_state state;
    bool is_confirmed;      /* the peer has shown an attribute */
    bool is_handshake_done; /* ours */
    uint8_t count, next;    /* of the flight; which goes next */
    uint8_t seen_count;
    uint32_t seen[SPED_SEEN_MAX]; /* of datagrams that came, the newest first */
    uint8_t acks_wire[4 * SPED_ACKS_MAX];
    struct sped_datagram *flight; /* SPED_DATAGRAMS_MAX, from the heap while CARRYING */
};

/* From OFF. An offerer starts with its offer: the answerer's checks may come before the answer, and
 * an answer to them without the attributes would say that we cannot. ERR_NOMEM: stays off, which is
 * always safe. */
int sped_start(struct sped *p);
void sped_deinit(struct sped *p);

/* A new flight, or the same one resent, begins: what was waiting is forgotten. */
void sped_begin_flight(struct sped *p);
void sped_add(struct sped *p, struct bytes dgram); /* too long or too many: left to the plain way */

/* Our handshake is done. A client (of DTLS 1.2) has the answer to all it sent; a server goes on
 * carrying its last flight, which may be added before or after this. */
void sped_finish(struct sped *p, bool is_client);

/* Whether anything unacknowledged waits. */
bool sped_has_pending(const struct sped *p);

/* What the next check is to carry; points into *p until the next call on it, of whatever kind: give
 * it to ICE anew after each. */
void sped_get(struct sped *p, struct ice_sped *out);
void sped_sent(struct sped *p); /* it went out: the next datagram's turn */

/* What an authenticated check or answer carried (is_on false and no data: neither attribute). True:
 * in->data is a DTLS datagram not seen before, for DTLS to take. */
bool sped_input(struct sped *p, const struct ice_sped *in);

/* A DTLS datagram came by itself: it is acknowledged too. False: it came before, by either way, and
 * is nothing for DTLS. */
bool sped_input_plain(struct sped *p, struct bytes dgram);

#endif

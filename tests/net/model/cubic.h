/* cubic.h: a TCP flow that never runs out of data, as other traffic of a path: CUBIC (RFC 9438)
 * with a slow start that delay ends (RFC 9406's idea), losses told by packet numbers, no pacing.
 *
 * Both ends in one, sans-IO. Packets are numbered as they are sent and what is lost is simply
 * followed by another, since nobody reads them: so what has arrived is what a reader would have.
 * An acknowledgement names the packets it answers; the way back should lose few of them. */
#ifndef HAWSER_TESTS_NET_MODEL_CUBIC_H
#define HAWSER_TESTS_NET_MODEL_CUBIC_H

#include "core/base/bytes.h"
#include "core/base/usec.h"

enum {
    CUBIC_PACKET_BYTES = 1472, /* of a datagram: 1500 with IP's header and UDP's */
    CUBIC_PAYLOAD_BYTES = 1448,
    CUBIC_ACK_BYTES = 24
};

struct cubic;

struct cubic *cubic_new(void); /* NULL without memory */
void cubic_free(struct cubic *c);

/* The sender: fills one packet, false if it may send none; takes an acknowledgement. */
bool cubic_poll_data(struct cubic *c, usec now, uint8_t packet[CUBIC_PACKET_BYTES]);
void cubic_on_ack(struct cubic *c, usec now, struct bytes ack);

/* The receiver: takes a packet; true if it answers, and then the answer is in ack. */
bool cubic_on_data(struct cubic *c, usec now, struct bytes packet, uint8_t ack[CUBIC_ACK_BYTES]);

/* Of both: the delayed acknowledgement is due, true as above; the sender's timeout is seen to. */
bool cubic_tick(struct cubic *c, usec now, uint8_t ack[CUBIC_ACK_BYTES]);
usec cubic_next_timeout(const struct cubic *c);

uint64_t cubic_received(const struct cubic *c); /* bytes of payload */
double cubic_window(const struct cubic *c);     /* packets */

#endif

/* internal.h: what the files of channel/ share; nobody else includes it.
 *
 *     channel.c   bytes and messages of the eight channels
 *     control.c   the control stream
 *     credit.c    how much of a channel may be on its way unread */
#ifndef HAWSER_CHANNEL_INTERNAL_H
#define HAWSER_CHANNEL_INTERNAL_H

#include "core/channel/channel.h"
#include "core/channel/wire.h"

static inline uint16_t channel_bit(unsigned channel)
{
    return (uint16_t)(1u << channel);
}

/* control.c. Reads what arrived on the control stream. */
void control_drain(struct channel_set *c, usec now);

/* Tells the peer of new credit and of lossy channels; what finds no room is told when there is
 * some: SCTP_EVENT_WRITABLE. */
void control_flush(struct channel_set *c, usec now);

#endif

/* credit.h: how much of one channel may be on its way unread, so that an unread channel stalls only
 * itself: SCTP has one window for all streams. Between hawsers, docs/protocol.md §6.
 *
 * Both sides count the channel's bytes from its start. The receiver grants up to an absolute offset
 * and moves it on as its application reads; a grant that is lost with its session is lost with
 * everything else, for the control stream is reliable. The window begins small and doubles when it,
 * and not the reader, held the sender back. */
#ifndef HAWSER_CHANNEL_CREDIT_H
#define HAWSER_CHANNEL_CREDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/usec.h"

/* Bytes, granted without a word. Seven eighths of a window, below which a reader's progress is not
 * told, hold any message of CHANNEL_WHOLE_MAX: so it always finds credit in the end. */
#define CREDIT_FIRST (384u << 10)

struct credit {
    uint64_t tx_limit;   /* the peer takes so many bytes in all */
    uint64_t rx_granted; /* we do */
    size_t rx_window, rx_window_max;
    usec rx_turn_at;       /* when the window that is being read began … */
    uint64_t rx_turn_from; /* … and where */
};

void credit_init(struct credit *c, usec now, size_t rx_window_max);

/* How much may be sent behind the `sent` bytes that have been. */
size_t credit_room(const struct credit *c, uint64_t sent);

/* The peer's grant; one that is lower than before is old or nonsense, and changes nothing. True if
 * there is more room than before. */
bool credit_input(struct credit *c, uint64_t limit);

/* Whether credit_read() would do anything: cheap, for each piece that is read. */
bool credit_is_due(const struct credit *c, uint64_t received);

/* The application has read `received` bytes in all; rtt_us 0: unknown. True: rx_granted is another
 * and the peer must be told. */
bool credit_read(struct credit *c, usec now, usec rtt_us, uint64_t received);

/* Nothing is counted any more on this channel: credit without end. */
void credit_end(struct credit *c);
bool credit_is_endless(const struct credit *c); /* the peer's */

#endif

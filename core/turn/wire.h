/* wire.h: the numbers of TURN (RFC 8656) that are not attributes; those are in core/stun/wire.h.
 *
 *      0                   1                   2                   3
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *     | channel, 0x4000 to 0x4fff     | length of the data            |
 *     | data; over a stream padded to 4 bytes ...                             (RFC 8656 §12.4) */
#ifndef HAWSER_TURN_WIRE_H
#define HAWSER_TURN_WIRE_H

#include <stddef.h>

#define TURN_CHANNEL_FIRST      0x4000
#define TURN_CHANNEL_LAST       0x4fff
#define TURN_CHANNEL_HEAD_BYTES 4

#define TURN_TRANSPORT_UDP 17 /* IP's protocol number */

#define TURN_LIFETIME_S            600 /* RFC 8656 §3.2: where the server does not say */
#define TURN_PERMISSION_LIFETIME_S 300 /* §9 */
#define TURN_CHANNEL_LIFETIME_S    600 /* §12 */

enum turn_code {
    TURN_CODE_TRY_ALTERNATE = 300, /* RFC 8489 §14.8 */
    TURN_CODE_UNAUTHENTICATED = 401,
    TURN_CODE_STALE_NONCE = 438,
    TURN_CODE_MISMATCH = 437 /* RFC 8656 §19, to anything but Allocate: no such allocation */
};

/* Bytes that make a length a multiple of 4. */
static inline size_t turn_padding(size_t len)
{
    return (4 - len % 4) % 4;
}

#endif

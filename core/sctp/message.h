/* message.h: what is known of messages, to send and received, beside their payload. */
#ifndef HAWSER_SCTP_MESSAGE_H
#define HAWSER_SCTP_MESSAGE_H

#include "core/base/pool.h"
#include "core/base/usec.h"

/* A byte of a chain: data[at] of the block, or where its next byte will be. */
struct place {
    struct block *block;
    uint32_t at;
};

/* One message to send. A block holds a whole number of them, so each lies in one piece, where it
 * stays until its last chunk is released. */
struct tx_message {
    usec give_up_at;
    uint32_t len, ppid;
    uint16_t retransmits_max; /* of each chunk; TX_RETRANSMITS_ANY: no limit */
    bool is_unordered;
};

#define TX_RETRANSMITS_ANY UINT16_MAX

_Static_assert(POOL_BLOCK_DATA % sizeof(struct tx_message) == 0, "none lies in two blocks");

enum inbound_flag {
    INBOUND_BEGUN = 1, /* something of it was read */
    INBOUND_ENDS = 2,  /* no more comes */
    INBOUND_CUT = 4,   /* for the peer gave up the rest */
    INBOUND_VOID = 8   /* the peer gave it up before anything of it was read */
};

/* A message received, whole or not. */
struct inbound {
    uint32_t len; /* bytes in the stream's chain */
    uint32_t ppid;
    uint8_t flags; /* enum inbound_flag */
};

#endif

/* pmtu.h: what an association knows of how long packets may be on its path, and how what was cut
 * for a wider one travels: pmtu.c, part.c. */
#ifndef HAWSER_SCTP_PMTU_H
#define HAWSER_SCTP_PMTU_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/bytes.h"
#include "core/base/err.h"
#include "core/base/usec.h"

struct sctp;
struct chunk;
struct tx_chunk;

enum {
    CHUNK_BYTES_MAX = 4064, /* of DATA that we send: its payload fits into a block (park.c) */
    PACKET_BYTES_MAX = 9176 /* of what is looked for: a jumbo frame's, sealed */
};

enum pmtu_state {
    PMTU_DISABLED,  /* the caller has not said what is around our packets */
    PMTU_BASE,      /* what passes everywhere; more when there is use for it */
    PMTU_SEARCHING, /* a probe is due or out */
    PMTU_COMPLETE,
    PMTU_ERROR, /* the base does not seem to pass: least packets */
    PMTU_STATES
};

/* Sizes are those of SCTP packets, multiples of 4. */
struct pmtu {
    uint8_t state;       /* enum pmtu_state */
    uint8_t tries;       /* of the size being probed */
    uint8_t holes;       /* black holes met on this path, to a limit */
    uint8_t lost;        /* wide packets in a row, see pmtu_note_lost() */
    bool is_due;         /* a probe */
    bool was_probe;      /* the run that left last */
    bool is_doubtful;    /* the last black hole may have been mere silence */
    uint16_t base;       /* what passes everywhere, the caller says */
    uint16_t top;        /* the most that may pass: the interface's */
    uint16_t around;     /* bytes of the IP packet around ours */
    uint16_t low;        /* the longest that passed, … */
    uint16_t high;       /* … and the longest that nothing speaks against */
    uint16_t likely;     /* to be probed first: what passed before; 0: nothing known */
    uint16_t probed;     /* the size that is due or out */
    uint16_t longest;    /* ever probed in this search: no answer can be for more */
    uint32_t used;       /* long packets that got through since the state was entered, … */
    uint32_t wanted;     /* … and how many of them make a search worth while */
    uint64_t nonce;      /* of this search's probes */
    uint64_t run_packet; /* the last one before the run that left last */
    uint64_t wide_acked; /* the highest packet longer than base that got through */
    uint64_t wide_lost;  /* the last that did not */
    usec wide_acked_at;  /* when one did */
    usec lost_at;        /* the probe that is out counts as lost; USEC_NEVER: none is */
    usec raise_at;       /* COMPLETE: when to look again */
};

struct parts {
    uint32_t out_tsn; /* of the chunk that goes in parts, … */
    uint16_t out_at;  /* … and how much of it has gone */
    uint16_t in_len, in_whole;
    uint32_t in_tsn;
    uint8_t *in; /* a chunk that comes in parts; NULL before the first one */
};

void pmtu_change_path(struct sctp *s, size_t base);
size_t pmtu_probe_bytes(const struct sctp *s); /* of the packet that is due as a probe; 0: none */
void pmtu_encode_probe(struct sctp *s, usec now, struct wr *w);
enum verdict pmtu_on_answer(struct sctp *s, usec now, struct bytes info);
void pmtu_tick(struct sctp *s, usec now);
void pmtu_note_acked(struct sctp *s, usec now, const struct tx_chunk *c);
void pmtu_note_lost(struct sctp *s, const struct tx_chunk *c);
void pmtu_on_timeout(struct sctp *s, usec now);

/* part.c */
bool part_encode(struct sctp *s, struct wr *w, uint32_t tsn, struct bytes whole);
void part_deinit(struct sctp *s);
enum verdict on_part(struct sctp *s, usec now, const struct chunk *c);

#endif

/* chunk.h: chunks and parameters, to and from bytes. RFC 9260 §3. Decoders check lengths and
 * borrow from the packet; what the values mean is for the handlers. */
#ifndef HAWSER_SCTP_CHUNK_H
#define HAWSER_SCTP_CHUNK_H

#include "core/base/bytes.h"
#include "core/sctp/wire.h"

struct chunk {
    uint8_t type, flags;
    struct bytes body;  /* without the header and without padding */
    struct bytes whole; /* with the header, without padding */
};

struct param {
    uint16_t type;
    struct bytes body, whole; /* as in a chunk; error causes have the same shape */
};

struct common_header {
    uint16_t source_port, destination_port;
    uint32_t tag, checksum; /* the checksum as it stands on the wire, least byte first */
};

enum { UNKNOWN_PARAMS_MAX = 8 };

/* What an INIT or INIT ACK says its sender can do: bits. A cookie carries them as they are. */
enum init_extension {
    INIT_RE_CONFIG = 0x01,     /* RFC 6525 */
    INIT_I_DATA = 0x02,        /* RFC 8260 */
    INIT_FORWARD_TSN = 0x04,   /* RFC 3758 */
    INIT_I_FORWARD_TSN = 0x08, /* RFC 8260 §2.3 */
    INIT_ZERO_CHECKSUM = 0x10, /* RFC 9653, because DTLS finds the errors */
    INIT_PARTS = 0x20          /* hawser's own: part.c */
};

/* INIT and INIT ACK. */
struct init_chunk {
    uint32_t tag, a_rwnd;
    uint16_t out_streams, in_streams;
    uint32_t tsn;
    uint8_t extensions;                       /* bits of enum init_extension */
    struct bytes cookie;                      /* INIT ACK's; empty if there is none */
    struct bytes unknown[UNKNOWN_PARAMS_MAX]; /* whole parameters to report */
    size_t unknown_count;
};

/* DATA and I-DATA. */
struct data_chunk {
    uint8_t flags;
    uint16_t stream;
    uint32_t ssn; /* of 16 bits; in I-DATA the message identifier, of 32 */
    uint32_t tsn;
    uint32_t ppid; /* in I-DATA of the first fragment only */
    uint32_t fsn;  /* I-DATA's fragment sequence number, 0 in the first fragment */
    struct bytes payload;
};

/* FORWARD-TSN and I-FORWARD-TSN. */
struct forward_chunk {
    uint32_t cum_tsn;
    bool is_interleaved; /* I-FORWARD-TSN */
    struct rd skips;
};

/* In these: the last message of a stream, of one kind, that was given up. */
struct forward_skip {
    uint16_t stream;
    bool is_unordered; /* only I-FORWARD-TSN tells of those */
    uint32_t ssn;      /* or message identifier */
};

struct sack_chunk {
    uint32_t cum_tsn, a_rwnd;
    uint16_t gap_count, duplicate_count;
    struct rd gaps;       /* gap_count pairs of offsets */
    struct rd duplicates; /* duplicate_count TSNs */
};

/* RE-CONFIG's outgoing SSN reset request, RFC 6525 §4.1. */
struct reset_request {
    uint32_t request_seq, response_seq, last_tsn;
    struct bytes streams; /* 16 bits each; none means all */
};

bool header_decode(struct common_header *out, struct rd *packet);

/* False at the end (r->ok stays true) and at a chunk that does not fit (r->ok is false). */
bool chunk_read(struct rd *packet, struct chunk *out);
bool param_read(struct rd *params, struct param *out);

bool init_decode(struct init_chunk *out, struct bytes body);
bool data_decode(struct data_chunk *out, const struct chunk *c);
bool i_data_decode(struct data_chunk *out, const struct chunk *c);
bool forward_decode(struct forward_chunk *out, const struct chunk *c);
bool forward_next(struct forward_chunk *f, struct forward_skip *out); /* false: no more */
bool sack_decode(struct sack_chunk *out, struct bytes body);
bool reset_request_decode(struct reset_request *out, struct bytes param_body);

void header_encode(struct wr *w, const struct common_header *h);

/* begin returns where the chunk or parameter starts; end fills in its length. A chunk is padded at
 * its end, a parameter before the next one begins: the padding of a chunk's last parameter does not
 * count for the chunk's length (RFC 9260 §3.2). Chunks start at a multiple of four. */
size_t chunk_begin(struct wr *w, enum chunk_type type, uint8_t flags);
size_t param_begin(struct wr *w, uint16_t type);
void chunk_end(struct wr *w, size_t at);
void param_end(struct wr *w, size_t at);

void init_encode(struct wr *w, enum chunk_type type, const struct init_chunk *init);

/* The payload follows, payload.len bytes. */
void data_header_encode(struct wr *w, const struct data_chunk *d);
void i_data_header_encode(struct wr *w, const struct data_chunk *d);
void forward_encode(struct wr *w, bool is_interleaved, uint32_t cum_tsn,
                    const struct forward_skip *skips, size_t count);
void param_encode(struct wr *w, uint16_t type, struct bytes body);

static inline size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

#endif

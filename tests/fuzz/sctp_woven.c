/* Chunks with data, and those that give data up, as a peer with keys might make them: each field
 * of a few bits about where the association is, so that they meet. The reader takes what there is
 * by pieces, whole, or by chains. Whatever comes in, what is held is bounded, a stream's bytes are
 * those of its messages, and a message ends before the next one begins.
 *
 * Input: a byte that chooses I-DATA or DATA, then steps of five bytes. */
#include "core/sctp/chunk.h"
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/support/sctp_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { RX_MAX = 65536, STREAMS = 4, VICTIM = 1, STEPS_MAX = 2000 };

struct play {
    struct sctp_pair pair;
    bool is_woven;
    uint32_t base;         /* the TSN that steps count from */
    uint32_t number;       /* of messages likewise */
    bool is_amid[STREAMS]; /* a message was begun to be read, and not ended */
};

static void put_data(struct play *p, struct wr *w, const uint8_t step[5])
{
    struct data_chunk d = {
        .flags = step[0] & 7,
        .tsn = p->base + (step[1] & 63),
        .stream = step[1] >> 6,
        .ssn = p->number + (step[2] & 15),
        .fsn = step[2] >> 4,
        .ppid = 53,
        .payload.len = 1u + step[3] * (step[4] & 1 ? 4u : 1u),
    };

    if (p->is_woven == !(step[4] & 0x80)) /* seldom the wrong kind */
        i_data_header_encode(w, &d);
    else
        data_header_encode(w, &d);
    wr_zero(w, padded(d.payload.len));
}

static void put_forward(struct play *p, struct wr *w, const uint8_t step[5])
{
    struct forward_skip skips[2] = {
        { step[1] >> 6, step[3] & 1, p->number + (step[2] & 15) },
        { step[3] >> 6, step[3] >> 1 & 1, p->number + (step[2] >> 4) },
    };

    forward_encode(w, p->is_woven, p->base + (step[1] & 63), skips, step[4] % 3);
}

static void read_pieces(struct play *p, uint16_t stream, unsigned most)
{
    struct sctp *s = p->pair.side[VICTIM].sctp;
    struct sctp_piece piece;

    while (most-- && sctp_recv(s, stream, &piece)) {
        size_t len = piece.data.len > most ? piece.data.len - most / 2 : piece.data.len;

        assert(piece.begins == !p->is_amid[stream]);
        p->is_amid[stream] = !(piece.ends && len == piece.data.len);
        assert(piece.data.len || piece.is_cut);
        sctp_consume(s, p->pair.now, stream, len);
    }
}

static void read_chain(struct play *p, uint16_t stream, size_t most)
{
    struct sctp *s = p->pair.side[VICTIM].sctp;
    size_t unread = sctp_stream_unread_bytes(s, stream), whole = 0, got;
    bool is_whole = sctp_recv_whole(s, stream, &whole), ends;
    struct chain to;

    chain_init(&to, p->pair.side[!VICTIM].pool);
    got = sctp_recv_chain(s, p->pair.now, stream, &to, most, &ends);
    assert(got <= most && to.len == got && got <= unread);
    assert(!ends || (is_whole && got == whole));
    if (got || ends)
        p->is_amid[stream] = !ends;
    chain_deinit(&to);
}

static void check(const struct play *p)
{
    const struct sctp *s = p->pair.side[VICTIM].sctp;
    struct sctp_info info;
    size_t unread = 0;

    sctp_get_info(s, &info);
    for (uint16_t i = 0; i < STREAMS; i++)
        unread += sctp_stream_unread_bytes(s, i);
    assert(unread <= info.unread_bytes && info.unread_bytes <= RX_MAX);
    assert(pool_used(p->pair.side[VICTIM].pool) < 1200);
}

static void play(struct play *p, const uint8_t step[5])
{
    uint8_t bytes[2048];
    struct wr w = wr_of(bytes, sizeof bytes);

    switch (step[0] >> 3 & 7) {
    case 0:
        read_pieces(p, step[1] % STREAMS, step[2]);
        break;
    case 1:
        read_chain(p, step[1] % STREAMS, step[2] * 16u);
        break;
    case 2:
        p->base += step[1];
        p->number += step[2] & 15;
        break;
    case 3:
        put_forward(p, &w, step);
        break;
    default:
        put_data(p, &w, step);
        break;
    }
    if (w.len)
        pair_inject(&p->pair, VICTIM, p->pair.tag[VICTIM], wr_written(&w));
    pair_drain(&p->pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = { .is_woven = len && data[0] & 1 };
    struct sctp_config cfg = {
        .rx_bytes_max = RX_MAX,
        .streams_max = STREAMS,
        .without = p.is_woven ? 0 : SCTP_I_DATA,
    };

    assert(pair_connect(&p.pair, 1, &cfg, MILLISECOND));
    p.pair.is_cut = true;
    p.pair.side[VICTIM].is_reading = false;
    p.base = p.pair.initial_tsn[!VICTIM];
    for (size_t at = 1, n = 0; at + 5 <= len && n < STEPS_MAX; at += 5, n++) {
        play(&p, data + at);
        check(&p);
    }
    pair_deinit(&p.pair);
    return 0;
}

/* Sequences of calls between two associations over a wire the input controls. Each input byte is a
 * call, some take another byte; a first one of 0xe0 to 0xff says what each of them is without. In
 * the end the wire is mended: what was sent must then arrive, once and in order, unless one of the
 * two was told to abort or gave up, or it was a message that may be given up. */
#include "core/sctp/sctp.h"

#include <assert.h>

#include "tests/support/sctp_pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Of messages that may be given up, on streams that the pair does not look at. */
enum { LOSSY_STREAMS = 4 };

struct play {
    struct sctp_pair pair;
    struct rd r;
    bool is_aborted;
    size_t got[2][LOSSY_STREAMS]; /* bytes of the message being read */
    uint8_t wanted[2][LOSSY_STREAMS][2];
};

static void do_connect(struct play *p, int side)
{
    sctp_connect(p->pair.side[side].sctp, p->pair.now);
}

static void do_send_small(struct play *p, int side)
{
    static const uint8_t bytes[256];
    uint8_t arg = rd_u8(&p->r);

    pair_send(&p->pair, side, arg % PAIR_STREAMS, arg, bytes_of(bytes, 1u + arg));
}

static void do_send_large(struct play *p, int side)
{
    static const uint8_t bytes[256 * 256];
    uint8_t arg = rd_u8(&p->r);

    pair_send(&p->pair, side, arg % 4, arg, bytes_of(bytes, 1u + arg * 256u));
}

/* Its length, 16 bits, is all there is in it. */
static void do_send_lossy(struct play *p, int side)
{
    uint8_t bytes[256 * 64], arg = rd_u8(&p->r), how = rd_u8(&p->r);
    struct sctp_message m = {
        .stream = (uint16_t)(PAIR_STREAMS + arg % LOSSY_STREAMS),
        .is_unordered = how & 1,
        .give_up_at = how & 2 ? p->pair.now + how * MILLISECOND : USEC_NEVER,
        .retransmits_max = how & 4 ? how >> 6 : SCTP_RETRANSMITS_ANY,
    };
    size_t len = 2 + (arg & 0x80 ? (arg & 0x7fu) * 100u : arg);

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(len >> (i & 1) * 8);
    (void)sctp_send_message(p->pair.side[side].sctp, p->pair.now, &m, bytes_of(bytes, len));
}

static void do_run(struct play *p, int side)
{
    usec until = p->pair.now + (1 + rd_u8(&p->r)) * (side ? 100 : 1) * MILLISECOND;

    pair_run(&p->pair, until);
    p->pair.now = usec_max(p->pair.now, until);
}

static void do_toggle_reading(struct play *p, int side)
{
    p->pair.side[side].is_reading = !p->pair.side[side].is_reading;
}

static void do_read(struct play *p, int side)
{
    pair_read(&p->pair, side);
}

static void do_loss(struct play *p, int side)
{
    uint32_t ppm = rd_u8(&p->r) * 2000u;

    if (side)
        p->pair.link.loss_ppm = ppm;
    else
        p->pair.link.duplicate_ppm = ppm;
}

static void do_delay(struct play *p, int side)
{
    usec span = rd_u8(&p->r) * MILLISECOND;

    if (side)
        p->pair.link.delay_us = 1 + span;
    else
        p->pair.link.jitter_us = span;
}

static void do_cut(struct play *p, int side)
{
    p->pair.is_cut = side;
    if (!side)
        sctp_resume(p->pair.side[0].sctp, p->pair.now); /* the other side waits for its T3 */
}

static void do_reset(struct play *p, int side)
{
    sctp_reset_stream(p->pair.side[side].sctp, p->pair.now, rd_u8(&p->r) % PAIR_STREAMS);
}

static void do_change_path(struct play *p, int side)
{
    uint8_t arg = rd_u8(&p->r);

    sctp_path_changed(p->pair.side[side].sctp, p->pair.now, (arg & 15) * 20 * MILLISECOND,
                      300u + (arg >> 4) * 60u, p->pair.is_cut);
}

static void do_shutdown(struct play *p, int side)
{
    if (rd_u8(&p->r) < 64)
        sctp_shutdown(p->pair.side[side].sctp, p->pair.now);
}

static void do_abort(struct play *p, int side)
{
    if (rd_u8(&p->r) != 0xab)
        return;
    sctp_abort(p->pair.side[side].sctp, p->pair.now, "because");
    p->is_aborted = true;
}

static void do_limit(struct play *p, int side)
{
    sctp_set_stream_limit(p->pair.side[side].sctp, rd_u8(&p->r) % PAIR_STREAMS, 70000);
}

/* The peer's INIT comes by signaling, on one side or both. */
static void do_tell(struct play *p, int side)
{
    uint8_t init[SCTP_INIT_MAX];
    size_t len = sctp_get_init(p->pair.side[!side].sctp, init);

    (void)sctp_set_remote_init(p->pair.side[side].sctp, bytes_of(init, len));
}

static void (*const calls[])(struct play *p, int side) = {
    do_connect, do_send_small, do_send_large, do_run,        do_toggle_reading, do_read,
    do_loss,    do_delay,      do_cut,        do_reset,      do_change_path,    do_shutdown,
    do_abort,   do_limit,      do_tell,       do_send_lossy,
};

/* A message is whole and unchanged, or says that it is cut. */
static void read_lossy(struct play *p, int side, uint16_t stream)
{
    struct sctp *s = p->pair.side[side].sctp;
    struct sctp_piece piece;

    while (sctp_recv(s, stream, &piece)) {
        size_t *got = &p->got[side][stream - PAIR_STREAMS];

        for (size_t i = 0; i < piece.data.len && i < 2; i++)
            p->wanted[side][stream - PAIR_STREAMS][(*got + i) & 1] = piece.data.data[i];
        *got += piece.data.len;
        if (piece.ends) {
            const uint8_t *wanted = p->wanted[side][stream - PAIR_STREAMS];

            assert(piece.is_cut || *got == (size_t)(wanted[0] | wanted[1] << 8));
            *got = 0;
        }
        sctp_consume(s, p->pair.now, stream, piece.data.len);
    }
}

static void read_everything(struct play *p, int side)
{
    pair_read(&p->pair, side);
    for (uint16_t i = 0; i < LOSSY_STREAMS; i++)
        read_lossy(p, side, PAIR_STREAMS + i);
}

static void check(const struct play *p)
{
    for (int i = 0; i < 2; i++) {
        const struct pair_side *side = &p->pair.side[i], *other = &p->pair.side[!i];
        struct sctp_info info;

        sctp_get_info(side->sctp, &info);
        assert(info.unread_bytes <= 2u << 18);
        assert(info.queued_bytes <= 4u << 20);
        assert(pool_used(side->pool) <= 4096);
        assert(sctp_unacked_bytes(side->sctp) <= info.queued_bytes);
        for (size_t k = 0; k < PAIR_STREAMS; k++) {
            assert(side->received[k].bytes <= other->sent[k].bytes);
            assert(side->received[k].messages <= other->sent[k].messages);
        }
    }
}

/* Both closed by SHUTDOWN, or both still there: then nothing may be missing. */
static void check_end(struct play *p)
{
    struct sctp_pair *pair = &p->pair;
    const struct pair_side *a = &pair->side[0], *b = &pair->side[1];

    pair->link = (struct pair_link){ .delay_us = MILLISECOND };
    pair->is_cut = false;
    for (int i = 0; i < 2; i++) {
        pair->side[i].is_reading = true;
        read_everything(p, i);
    }
    sctp_connect(a->sctp, pair->now);
    for (int k = 0; k < 25; k++) { /* what may be given up does not keep the window shut */
        usec until = pair->now + 2 * SECOND;

        pair_run(pair, until);
        pair->now = usec_max(pair->now, until);
        read_everything(p, 0);
        read_everything(p, 1);
    }
    for (int i = 0; i < 2; i++)
        assert(!pair->side[i].is_closed || pair->side[i].closed.reason != SCTP_REASON_PROTOCOL);
    if (p->is_aborted || a->is_closed != b->is_closed ||
        (a->is_closed &&
         (a->closed.reason != SCTP_REASON_SHUTDOWN || b->closed.reason != SCTP_REASON_SHUTDOWN)))
        return;
    if (a->ups && b->ups)
        assert(pair_is_delivered(pair, 0) && pair_is_delivered(pair, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sctp_config cfg[2] = {
        { .rx_bytes_max = 1u << 18, .streams_max = PAIR_STREAMS + LOSSY_STREAMS },
        { .rx_bytes_max = 1u << 18, .streams_max = PAIR_STREAMS + LOSSY_STREAMS },
    };
    struct play p = { .r = rd_of(bytes_of(data, len)) };

    if (len > 400)
        return 0;
    if (len && data[0] >= 0xe0) {
        uint8_t without = rd_u8(&p.r);

        cfg[0].without = without & 4 ? SCTP_FORWARD_TSN : (without & 1) * SCTP_I_DATA;
        cfg[1].without = without & 8 ? SCTP_FORWARD_TSN : (without >> 1 & 1) * SCTP_I_DATA;
        cfg[0].is_protected = cfg[1].is_protected = without & 16;
    }
    assert(pair_init_each(&p.pair, 3, cfg));
    while (rd_left(&p.r)) {
        uint8_t call = rd_u8(&p.r);

        calls[(call & 0x7f) % COUNT(calls)](&p, call >> 7);
        pair_drain(&p.pair);
        for (int i = 0; i < 2; i++)
            if (p.pair.side[i].is_reading)
                read_everything(&p, i);
        check(&p);
    }
    check_end(&p);
    pair_deinit(&p.pair);
    return 0;
}

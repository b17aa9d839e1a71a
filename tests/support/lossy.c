#include "tests/support/lossy.h"

#include <string.h>

enum { DATA = 0, I_DATA = 64, FORWARD = 192, I_FORWARD = 194 };

const struct lossy_limits lossy_reliable = { 0, SCTP_RETRANSMITS_ANY };

const struct lossy_kind lossy_kinds[LOSSY_KINDS] = {
    { "DATA", SCTP_I_DATA, false },
    { "DATA, unordered", SCTP_I_DATA, true },
    { "I-DATA", 0, false },
    { "I-DATA, unordered", 0, true },
};

static bool is_data(uint8_t type)
{
    return type == DATA || type == I_DATA;
}

static bool is_forward(uint8_t type)
{
    return type == FORWARD || type == I_FORWARD;
}

static bool is_one_of(unsigned *left)
{
    if (*left == 0)
        return false;
    --*left;
    return true;
}

static bool tap(void *ctx, int from, struct bytes packet)
{
    struct lossy *s = ctx;
    struct rd r = rd_of(packet);
    bool has_data = false, has_forward = false;

    rd_skip(&r, 12);
    while (from == 0 && rd_left(&r) >= 4) {
        uint8_t type = rd_u8(&r);
        size_t len;

        rd_skip(&r, 1);
        len = rd_u16(&r);
        rd_skip(&r, (len + 3) / 4 * 4 - 4);
        s->data += is_data(type);
        s->forwards += type == FORWARD;
        s->i_forwards += type == I_FORWARD;
        has_data |= is_data(type);
        has_forward |= is_forward(type);
    }
    if (has_forward && is_one_of(&s->drop_forward))
        return false;
    if (!has_data || is_one_of(&s->pass_data))
        return true;
    return !is_one_of(&s->drop_data);
}

bool lossy_open(struct lossy *s, uint64_t seed, const struct lossy_kind *kind)
{
    struct sctp_config cfg = { .without = kind->without };
    bool is_up;

    memset(s, 0, sizeof *s);
    for (int i = 0; i < 3; i++)
        s->reader[i].is_right = s->reader[i].is_ordered = true;
    s->is_unordered = kind->is_unordered;
    s->reader[LOSSY].is_ordered = !kind->is_unordered;
    is_up = pair_connect(&s->pair, seed, &cfg, 10 * MILLISECOND);
    s->pair.side[1].is_reading = false;
    s->pair.tap = tap;
    s->pair.tap_ctx = s;
    return is_up &&
           sctp_has(s->pair.side[0].sctp, SCTP_FORWARD_TSN) ==
               !(kind->without & SCTP_FORWARD_TSN) &&
           sctp_has(s->pair.side[0].sctp, SCTP_I_DATA) == !(kind->without & SCTP_I_DATA);
}

static uint8_t byte_of(uint32_t number, size_t at)
{
    return (uint8_t)(number * 31 + at * 7 + at / 256);
}

static void note_message(struct lossy_reader *r)
{
    struct rd in = rd_of(bytes_of(r->bytes, r->at));
    uint32_t number = rd_u32(&in), len = rd_u32(&in);

    r->is_right &= in.ok && len == r->at && number < LOSSY_NUMBERS && !r->seen[number];
    r->is_right &= !r->is_ordered || number > r->last;
    for (size_t i = LOSSY_HEADER; i < r->at; i++)
        r->is_right &= r->bytes[i] == byte_of(number, i);
    if (number < LOSSY_NUMBERS)
        r->seen[number] = 1;
    r->last = number;
    r->count++;
}

static void read_all(struct lossy *s)
{
    for (uint16_t id = 0; id < 3; id++) {
        struct lossy_reader *r = &s->reader[id];
        struct sctp *sctp = s->pair.side[1].sctp;
        struct sctp_piece piece;

        while (sctp_recv(sctp, id, &piece)) {
            r->at = piece.begins ? 0 : r->at;
            r->is_right &= r->at + piece.data.len <= sizeof r->bytes;
            if (r->is_right && piece.data.len)
                memcpy(r->bytes + r->at, piece.data.data, piece.data.len);
            r->at += piece.data.len;
            if (piece.ends && !piece.is_cut && r->is_right)
                note_message(r);
            sctp_consume(sctp, s->pair.now, id, piece.data.len);
        }
    }
}

void lossy_run(struct lossy *s, usec us)
{
    for (usec until = s->pair.now + us; s->pair.now < until;) {
        pair_run(&s->pair, s->pair.now += MILLISECOND);
        read_all(s);
    }
}

int lossy_send(struct lossy *s, uint16_t stream, const struct lossy_limits *limits, size_t len)
{
    static uint8_t bytes[LOSSY_MESSAGE_MAX];
    struct wr w = wr_of(bytes, sizeof bytes);
    uint32_t number = s->next_number[stream] + 1;
    struct sctp_message m = {
        .stream = stream,
        .ppid = 53,
        .is_unordered = stream == LOSSY && s->is_unordered,
        .give_up_at = limits->lifetime_us ? s->pair.now + limits->lifetime_us : USEC_NEVER,
        .retransmits_max = limits->retransmits_max,
    };
    int err;

    wr_u32(&w, number);
    wr_u32(&w, (uint32_t)len);
    for (size_t i = LOSSY_HEADER; i < len; i++)
        bytes[i] = byte_of(number, i);
    err = sctp_send_message(s->pair.side[0].sctp, s->pair.now, &m, bytes_of(bytes, len));
    s->next_number[stream] += err == ERR_OK;
    return err;
}

struct sctp_info lossy_info(const struct lossy *s)
{
    struct sctp_info info;

    sctp_get_info(s->pair.side[0].sctp, &info);
    return info;
}

#include "tests/support/sctp_pair.h"

#include <assert.h>
#include <stdlib.h>

#include "core/base/crc32c.h"
#include "tests/support/alloc.h"
#include "tests/support/hex.h"
#include "tests/support/rng.h"

bool pair_init(struct sctp_pair *p, uint64_t seed, const struct sctp_config *cfg)
{
    struct sctp_config both[2] = { *cfg, *cfg };

    if (cfg->local_port) {
        both[1].local_port = cfg->remote_port;
        both[1].remote_port = cfg->local_port;
    }
    return pair_init_each(p, seed, both);
}

bool pair_init_each(struct sctp_pair *p, uint64_t seed, const struct sctp_config cfg[2])
{
    *p = (struct sctp_pair){ .seed_state = seed, .now = SECOND, .link.delay_us = MILLISECOND };
    p->call_at = USEC_NEVER;
    p->rng = test_rng(&p->seed_state);
    p->wire = malloc(PAIR_WIRE_MAX * sizeof *p->wire);
    if (!p->wire)
        return false;
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &p->side[i];
        struct sctp_config c = cfg[i];

        side->rng_state = seed * 2 + 1 + (uint64_t)i;
        side->rng = test_rng(&side->rng_state);
        side->is_reading = true;
        if (pool_new(&side->pool, 4096) != ERR_OK)
            return false;
        c.pool = side->pool;
        if (sctp_new(&side->sctp, &c, &side->rng) != ERR_OK)
            return false;
    }
    return true;
}

void pair_deinit(struct sctp_pair *p)
{
    for (int i = 0; i < 2; i++) {
        sctp_free(p->side[i].sctp);
        pool_free(p->side[i].pool);
    }
    for (size_t i = 0; i < p->wire_count; i++)
        free(p->wire[i].bytes);
    free(p->wire);
}

static bool is_sooner(const struct pair_packet *a, const struct pair_packet *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void swap_packets(struct pair_packet *a, struct pair_packet *b)
{
    struct pair_packet held = *a;

    *a = *b;
    *b = held;
}

static void wire_put(struct sctp_pair *p, int from, struct bytes packet)
{
    size_t i = p->wire_count;
    usec jitter = p->link.jitter_us;
    struct pair_packet *w = p->wire;

    if (p->wire_count == PAIR_WIRE_MAX)
        return; /* a queue that overflows */
    w[i] = (struct pair_packet){
        .at = p->now + p->link.delay_us + (jitter ? rng_below(&p->rng, (uint32_t)jitter) : 0),
        .number = p->packets++,
        .to = !from,
        .len = packet.len,
    };
    alloc_pause(); /* the wire is not what a test of failing allocations is about */
    w[i].bytes = malloc(packet.len);
    alloc_resume();
    assert(w[i].bytes);
    memcpy(w[i].bytes, packet.data, packet.len);
    if (rng_below(&p->rng, 1000000) < p->link.corrupt_ppm)
        w[i].bytes[rng_below(&p->rng, (uint32_t)packet.len)] ^= 0x10;
    for (p->wire_count++; i > 0 && is_sooner(&w[i], &w[(i - 1) / 2]); i = (i - 1) / 2)
        swap_packets(&w[i], &w[(i - 1) / 2]);
}

static struct pair_packet wire_take(struct sctp_pair *p)
{
    struct pair_packet first = p->wire[0], *w = p->wire;
    size_t i = 0, least;

    w[0] = w[--p->wire_count];
    for (;;) {
        least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < p->wire_count; child++)
            if (is_sooner(&w[child], &w[least]))
                least = child;
        if (least == i)
            return first;
        swap_packets(&w[i], &w[least]);
        i = least;
    }
}

static uint32_t u32_at(struct bytes packet, size_t at)
{
    struct rd r = rd_of(packet);

    rd_skip(&r, at);
    return rd_u32(&r);
}

/* The tag, and of INIT (1) and INIT ACK (2) the initial TSN. */
static void note_numbers(struct sctp_pair *p, int from, struct bytes packet)
{
    if (u32_at(packet, 4))
        p->tag[!from] = u32_at(packet, 4);
    if (packet.len >= 32 && (packet.data[12] == 1 || packet.data[12] == 2))
        p->initial_tsn[from] = u32_at(packet, 28);
}

static void send_one(struct sctp_pair *p, int from, struct bytes packet)
{
    p->side[from].packets_out++;
    note_numbers(p, from, packet);
    if (packet.len > p->largest_packet)
        p->largest_packet = packet.len;
    if (p->tap && !p->tap(p->tap_ctx, from, packet))
        return;
    if (p->is_cut || rng_below(&p->rng, 1000000) < p->link.loss_ppm)
        return;
    wire_put(p, from, packet);
    if (rng_below(&p->rng, 1000000) < p->link.duplicate_ppm)
        wire_put(p, from, packet);
}

static void tally(struct pair_tally *t, struct bytes data, uint32_t ppid, bool ends)
{
    uint64_t h = t->hash;

    for (size_t i = 0; i < data.len; i++)
        h = (h ^ data.data[i]) * 0x100000001b3;
    if (ends) {
        h = (h ^ ppid ^ 0x5a00000000) * 0x100000001b3;
        t->messages++;
    }
    t->hash = h;
    t->bytes += data.len;
}

void pair_read(struct sctp_pair *p, int side)
{
    struct pair_side *me = &p->side[side];
    struct sctp_piece piece;

    for (uint16_t id = 0; id < PAIR_STREAMS; id++)
        while (sctp_recv(me->sctp, id, &piece)) {
            me->longest_pause = usec_max(me->longest_pause, p->now - me->read_at);
            me->read_at = p->now;
            tally(&me->received[id], piece.data, piece.ppid, piece.ends);
            sctp_consume(me->sctp, p->now, id, piece.data.len);
        }
}

static void on_event(struct sctp_pair *p, int i, const struct sctp_event *ev)
{
    struct pair_side *me = &p->side[i];

    me->ups += ev->type == SCTP_EVENT_UP;
    me->resets += ev->type == SCTP_EVENT_RESET;
    me->writables += ev->type == SCTP_EVENT_WRITABLE;
    if (ev->type == SCTP_EVENT_READABLE && me->is_reading)
        pair_read(p, i);
    if (ev->type == SCTP_EVENT_CLOSED) {
        assert(!me->is_closed);
        me->is_closed = true;
        me->closed = *ev;
    }
}

static bool drain_side(struct sctp_pair *p, int i)
{
    struct pair_side *me = &p->side[i];
    static uint8_t buf[OUT_BYTES_MAX];
    struct out out;
    struct sctp_event ev;
    bool has_worked = false;

    for (;;) {
        out_init(&out, buf, sizeof buf);
        out.head = 13;
        out.tail = 8;
        if (sctp_poll_output(me->sctp, p->now, &out)) {
            for (size_t k = 0; k < out.count; k++) {
                struct bytes d = out_datagram(&out, k);

                send_one(p, i, bytes_of(d.data + out.head, d.len - out.head - out.tail));
            }
        } else if (sctp_poll_event(me->sctp, &ev)) {
            on_event(p, i, &ev);
        } else {
            return has_worked;
        }
        has_worked = true;
    }
}

void pair_drain(struct sctp_pair *p)
{
    bool has_worked;

    do {
        has_worked = drain_side(p, 0);
        has_worked |= drain_side(p, 1);
    } while (has_worked);
}

static usec next_at(const struct sctp_pair *p)
{
    usec at = usec_min(sctp_next_timeout(p->side[0].sctp), sctp_next_timeout(p->side[1].sctp));

    at = usec_min(at, p->call_at);
    return p->wire_count ? usec_min(at, p->wire[0].at) : at;
}

static void step(struct sctp_pair *p)
{
    p->now = usec_max(p->now, next_at(p));
    if (p->now >= p->call_at) {
        p->call_at = USEC_NEVER;
        p->call(p, p->call_ctx);
    }
    while (p->wire_count && p->wire[0].at <= p->now) {
        struct pair_packet packet = wire_take(p);

        if (!p->is_cut)
            sctp_input(p->side[packet.to].sctp, p->now, bytes_of(packet.bytes, packet.len));
        free(packet.bytes);
        drain_side(p, packet.to);
    }
    for (int i = 0; i < 2; i++) {
        sctp_tick(p->side[i].sctp, p->now);
        drain_side(p, i);
    }
}

void pair_lose_wire(struct sctp_pair *p)
{
    while (p->wire_count)
        free(p->wire[--p->wire_count].bytes);
}

bool pair_run(struct sctp_pair *p, usec until)
{
    pair_drain(p);
    while (next_at(p) <= until)
        step(p);
    return next_at(p) == USEC_NEVER;
}

bool pair_run_until_up(struct sctp_pair *p, usec until)
{
    pair_drain(p);
    while (!(p->side[0].ups && p->side[1].ups) && next_at(p) <= until)
        step(p);
    return p->side[0].ups && p->side[1].ups;
}

bool pair_connect(struct sctp_pair *p, uint64_t seed, const struct sctp_config *cfg, usec delay_us)
{
    if (!pair_init(p, seed, cfg))
        return false;
    p->link.delay_us = delay_us;
    return sctp_connect(p->side[0].sctp, p->now) == ERR_OK &&
           pair_run_until_up(p, p->now + 10 * SECOND);
}

bool pair_run_until_closed(struct sctp_pair *p, usec until)
{
    pair_drain(p);
    while (!(p->side[0].is_closed && p->side[1].is_closed) && next_at(p) <= until)
        step(p);
    return p->side[0].is_closed && p->side[1].is_closed;
}

int pair_send(struct sctp_pair *p, int from, uint16_t stream, uint32_t ppid, struct bytes message)
{
    struct pair_side *me = &p->side[from];
    int err = sctp_send(me->sctp, p->now, stream, ppid, message);

    if (err == ERR_OK)
        tally(&me->sent[stream], message, ppid, true);
    return err;
}

bool pair_is_delivered(const struct sctp_pair *p, int from)
{
    for (size_t i = 0; i < PAIR_STREAMS; i++) {
        const struct pair_tally *a = &p->side[from].sent[i], *b = &p->side[!from].received[i];

        if (a->bytes != b->bytes || a->messages != b->messages || a->hash != b->hash)
            return false;
    }
    return true;
}

bool pair_transfer(struct sctp_pair *p, int from, unsigned streams, size_t total,
                   size_t message_max, usec until)
{
    uint8_t *message;
    size_t sent = 0, len = 0;

    alloc_pause();
    message = malloc(message_max);
    alloc_resume();
    assert(message);
    rng_fill(&p->rng, message, message_max);
    while (!(sent >= total && pair_is_delivered(p, from))) {
        for (uint16_t tried = 0, id = 0; sent < total && tried < streams; tried++, id++) {
            len = len ? len : 1 + rng_below(&p->rng, (uint32_t)message_max);
            message[0] = (uint8_t)len;
            id = (uint16_t)(id % streams);
            if (pair_send(p, from, id, 51, bytes_of(message, len)) == ERR_OK) {
                sent += len;
                len = tried = 0;
            }
        }
        pair_drain(p);
        if (p->side[0].is_closed || p->side[1].is_closed || next_at(p) > until)
            break;
        step(p);
    }
    free(message);
    return sent >= total && pair_is_delivered(p, from);
}

void pair_seal(uint8_t *packet, size_t len)
{
    uint32_t crc;

    memset(packet + 8, 0, 4);
    crc = crc32c(0, bytes_of(packet, len));
    for (int i = 0; i < 4; i++)
        packet[8 + i] = (uint8_t)(crc >> 8 * i);
}

enum verdict pair_inject(struct sctp_pair *p, int to, uint32_t tag, struct bytes chunks)
{
    uint8_t packet[4096];
    struct wr w = wr_of(packet, sizeof packet);

    wr_u16(&w, 5000);
    wr_u16(&w, 5000);
    wr_u32(&w, tag);
    wr_u32(&w, 0);
    wr_bytes(&w, chunks);
    assert(w.ok);
    pair_seal(packet, w.len);
    return sctp_input(p->side[to].sctp, p->now, wr_written(&w));
}

enum verdict pair_inject_hex(struct sctp_pair *p, int to, const char *hex)
{
    uint8_t chunks[2048];

    return pair_inject(p, to, p->tag[to], hex_decode(hex, chunks, sizeof chunks));
}

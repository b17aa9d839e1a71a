#include "tests/support/flows.h"

#include <stdlib.h>

#include "tests/support/rng.h"

enum { POOL_BLOCKS = 8192, THERE_PACKETS = 32768, BACK_PACKETS = 16384, MESSAGE_BYTES = 16384 };

#define SAMPLE_US MILLISECOND

static const struct sctp_config config = { .tx_bytes_max = 16 << 20,
                                           .stream_tx_bytes_max = 16 << 20,
                                           .rx_bytes_max = 16 << 20 };

/* What a test cannot go on without. */
static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static struct addr name_of(const struct flows *f, const struct flow *flow)
{
    return addr_ipv4(0x0a000001, (uint16_t)(1 + (flow - f->flow)));
}

static void send_there(struct flows *f, struct flow *flow, struct bytes dgram)
{
    struct addr name = name_of(f, flow);

    (void)link_input(f->there, f->now, &name, &name, dgram);
}

static void send_back(struct flows *f, struct flow *flow, struct bytes dgram)
{
    struct addr name = name_of(f, flow);

    (void)link_input(flow->back, f->now, &name, &name, dgram);
}

/* ---- One association ------------------------------------------------------------------------- */

static void send_end(struct flows *f, struct flow *flow, int end)
{
    out_reset(&f->out);
    while (sctp_poll_output(flow->end[end], f->now, &f->out)) {
        for (size_t i = 0; i < f->out.count; i++)
            (end ? send_back : send_there)(f, flow, out_datagram(&f->out, i));
        out_reset(&f->out);
    }
}

static void read_end(struct flows *f, struct flow *flow, int end)
{
    struct sctp_event ev;
    struct sctp_piece piece;

    while (sctp_poll_event(flow->end[end], &ev))
        continue;
    while (end && sctp_recv(flow->end[end], FLOW_STREAM, &piece)) {
        flow->received += piece.data.len;
        sctp_consume(flow->end[end], f->now, FLOW_STREAM, piece.data.len);
    }
}

static bool is_active(const struct flows *f, const struct flow *flow)
{
    return f->now >= flow->cfg.start_at && (!flow->cfg.stop_at || f->now < flow->cfg.stop_at);
}

/* The application: as much as is taken, or a message whenever its rate has made one. */
static void feed(struct flows *f, struct flow *flow)
{
    static const uint8_t some[MESSAGE_BYTES];
    uint64_t rate = flow->cfg.rate_bps;
    size_t len = rate && rate / 800 < MESSAGE_BYTES ? (size_t)(rate / 800) : MESSAGE_BYTES;

    while (is_active(f, flow) && f->now >= flow->due_at) {
        if (sctp_send(flow->end[0], f->now, FLOW_STREAM, 53, bytes_of(some, len)) != ERR_OK)
            return;
        if (rate)
            flow->due_at = usec_max(flow->due_at, flow->cfg.start_at) +
                           (usec)(len * 8 * (uint64_t)SECOND / rate);
    }
}

static void turn_association(struct flows *f, struct flow *flow)
{
    for (int end = 0; end < 2; end++) {
        sctp_tick(flow->end[end], f->now);
        read_end(f, flow, end);
    }
    feed(f, flow);
    send_end(f, flow, 0);
    send_end(f, flow, 1);
}

/* ---- One TCP flow ---------------------------------------------------------------------------- */

static void turn_cubic(struct flows *f, struct flow *flow)
{
    uint8_t ack[CUBIC_ACK_BYTES], packet[CUBIC_PACKET_BYTES];

    if (cubic_tick(flow->cubic, f->now, ack))
        send_back(f, flow, bytes_of(ack, sizeof ack));
    while (is_active(f, flow) && cubic_poll_data(flow->cubic, f->now, packet))
        send_there(f, flow, bytes_of(packet, sizeof packet));
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void arrive_there(struct flows *f, const struct link_packet *p)
{
    struct flow *flow = &f->flow[p->to.port - 1];
    uint8_t ack[CUBIC_ACK_BYTES];

    if (flow->cfg.kind == FLOW_HAWSER)
        (void)sctp_input(flow->end[1], f->now, p->dgram);
    else if (cubic_on_data(flow->cubic, f->now, p->dgram, ack))
        send_back(f, flow, bytes_of(ack, sizeof ack));
}

static void arrive_back(struct flows *f, struct flow *flow, const struct link_packet *p)
{
    if (flow->cfg.kind == FLOW_HAWSER)
        (void)sctp_input(flow->end[0], f->now, p->dgram);
    else
        cubic_on_ack(flow->cubic, f->now, p->dgram);
}

/* What a run brought is answered before the next packet is looked at, as a host would. */
static void deliver(struct flows *f)
{
    struct link_packet p;

    while (link_poll_output(f->there, f->now, &p))
        arrive_there(f, &p);
    for (size_t i = 0; i < f->count; i++)
        while (link_poll_output(f->flow[i].back, f->now, &p))
            arrive_back(f, &f->flow[i], &p);
}

static void turn(struct flows *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->flow[i].cfg.kind == FLOW_HAWSER)
            turn_association(f, &f->flow[i]);
        else
            turn_cubic(f, &f->flow[i]);
    }
    if (f->app)
        f->app(f, f->app_ctx);
}

static usec flow_next_at(const struct flows *f, const struct flow *flow)
{
    usec at = link_next_timeout(flow->back);

    if (f->now < flow->cfg.start_at)
        at = usec_min(at, flow->cfg.start_at);
    if (flow->cfg.kind == FLOW_CUBIC)
        return usec_min(at, cubic_next_timeout(flow->cubic));
    if (flow->cfg.rate_bps && is_active(f, flow) && flow->due_at > f->now)
        at = usec_min(at, flow->due_at);
    return usec_min(at, usec_min(sctp_next_timeout(flow->end[0]), sctp_next_timeout(flow->end[1])));
}

static usec next_at(const struct flows *f)
{
    usec at = usec_min(link_next_timeout(f->there), f->app ? f->app_at : USEC_NEVER);

    for (size_t i = 0; i < f->count; i++)
        at = usec_min(at, flow_next_at(f, &f->flow[i]));
    return usec_min(at, f->sample_at);
}

static void sample(struct flows *f)
{
    usec ms = link_backlog(f->there, f->now) / MILLISECOND;

    if (f->now < f->sample_at)
        return;
    f->sample_at = f->now + SAMPLE_US;
    f->queue_ms[ms < FLOWS_QUEUE_STEPS ? ms : FLOWS_QUEUE_STEPS - 1]++;
}

void flows_run(struct flows *f, usec until)
{
    while (f->now < until) {
        turn(f);
        f->now = usec_min(usec_max(next_at(f), f->now), until);
        deliver(f);
        sample(f);
    }
}

static void make_association(struct flows *f, struct flow *flow)
{
    struct sctp_config own = config;

    must(pool_new(&flow->pool, POOL_BLOCKS) == ERR_OK);
    own.pool = flow->pool;
    own.without = flow->cfg.without;
    for (int end = 0; end < 2; end++)
        must(sctp_new(&flow->end[end], &own, &f->rng) == ERR_OK);
    must(sctp_connect(flow->end[0], f->now) == ERR_OK);
}

static struct link_config back_of(const struct link_config *there, const struct link_config *back)
{
    return back ? *back : (struct link_config){ .delay_us = there->delay_us };
}

void flows_set_link(struct flows *f, const struct link_config *there,
                    const struct link_config *back)
{
    struct link_config way = back_of(there, back);

    link_set(f->there, there);
    for (size_t i = 0; i < f->count; i++)
        link_set(f->flow[i].back, &way);
}

static bool is_ready(const struct flow *flow)
{
    return flow->cfg.kind != FLOW_HAWSER || sctp_is_up(flow->end[0]);
}

static void wait_until_up(struct flows *f)
{
    for (size_t i = 0; i < f->count; i++)
        while (!is_ready(&f->flow[i]))
            flows_run(f, f->now + 10 * MILLISECOND);
}

struct flows *flows_new(uint64_t seed, const struct link_config *there,
                        const struct link_config *back, const struct flow_config *list,
                        size_t count)
{
    struct flows *f = calloc(1, sizeof *f);
    struct link_config way = back_of(there, back);

    must(f != NULL && count <= FLOWS_MAX);
    f->seed = seed;
    f->rng = test_rng(&f->seed);
    f->app_at = USEC_NEVER;
    f->count = count;
    out_init(&f->out, f->buf, sizeof f->buf);
    must(link_new(&f->there, there, THERE_PACKETS, &f->rng) == ERR_OK);
    for (size_t i = 0; i < count; i++) {
        struct flow *flow = &f->flow[i];

        flow->cfg = list[i];
        must(link_new(&flow->back, &way, BACK_PACKETS, &f->rng) == ERR_OK);
        flow->cfg.start_at = USEC_NEVER; /* not before all are up */
        if (flow->cfg.kind == FLOW_HAWSER)
            make_association(f, flow);
        else
            must((flow->cubic = cubic_new()) != NULL);
    }
    wait_until_up(f);
    for (size_t i = 0; i < count; i++) {
        f->flow[i].cfg.start_at = f->now + list[i].start_at;
        f->flow[i].cfg.stop_at = list[i].stop_at ? f->now + list[i].stop_at : 0;
    }
    return f;
}

void flows_free(struct flows *f)
{
    for (size_t i = 0; i < f->count; i++) {
        sctp_free(f->flow[i].end[0]);
        sctp_free(f->flow[i].end[1]);
        pool_free(f->flow[i].pool);
        cubic_free(f->flow[i].cubic);
        link_free(f->flow[i].back);
    }
    link_free(f->there);
    free(f);
}

uint64_t flow_received(const struct flow *f)
{
    return f->cfg.kind == FLOW_CUBIC ? cubic_received(f->cubic) : f->received;
}

void flows_forget_queue(struct flows *f)
{
    memset(f->queue_ms, 0, sizeof f->queue_ms);
}

usec flows_queue_us(const struct flows *f, unsigned percentile)
{
    uint64_t all = 0, below = 0;
    size_t ms = 0;

    for (size_t i = 0; i < FLOWS_QUEUE_STEPS; i++)
        all += f->queue_ms[i];
    while (ms < FLOWS_QUEUE_STEPS - 1 && (below += f->queue_ms[ms]) * 100 < all * percentile)
        ms++;
    return (usec)ms * MILLISECOND;
}

double flows_jain(const double *shares, size_t count)
{
    double sum = 0, squares = 0;

    for (size_t i = 0; i < count; i++) {
        sum += shares[i];
        squares += shares[i] * shares[i];
    }
    return squares > 0 ? sum * sum / ((double)count * squares) : 0;
}

#include "tests/sim/live.h"

#include <stdlib.h>

enum { POOL_BLOCKS = 128, HEAD_BYTES = 16 };

void live_init(struct live *l, const struct live_plan *plan)
{
    *l = (struct live){ .plan = *plan, .next_at = USEC_NEVER };
    if (plan->every_us && pool_new(&l->pool, POOL_BLOCKS))
        abort();
}

void live_deinit(struct live *l)
{
    pool_free(l->pool);
}

static uint8_t byte_of(uint64_t number, size_t at)
{
    return (uint8_t)(number * 89 + at * 7 + (at >> 8));
}

static void make(struct live *l, usec now, struct chain *c)
{
    uint8_t head[HEAD_BYTES];
    struct wr w = wr_of(head, sizeof head);

    l->made++;
    wr_u64(&w, l->made);
    wr_u64(&w, (uint64_t)now);
    if (chain_append_all(c, wr_written(&w)))
        abort();
    for (size_t i = HEAD_BYTES; i < l->plan.bytes; i++) {
        uint8_t byte = byte_of(l->made, i);

        if (chain_append_all(c, bytes_of(&byte, 1)))
            abort();
    }
}

static void send_one(struct live *l, struct session *s, usec now)
{
    struct chain c;

    chain_init(&c, l->pool);
    make(l, now, &c);
    if (session_send_message(s, now, LIVE_CHANNEL, &c, l->plan.bytes, now))
        l->refused++;
    else
        l->sent_bytes += l->plan.bytes;
    chain_deinit(&c);
}

void live_open(struct live *l, struct session *s, usec now)
{
    if (!l->plan.every_us)
        return;
    if (session_set_lossy(s, now, LIVE_CHANNEL, l->plan.lifetime_us, SCTP_RETRANSMITS_ANY))
        l->fault = "a channel cannot be made lossy";
    l->next_at = now;
    live_tick(l, s, now);
}

void live_tick(struct live *l, struct session *s, usec now)
{
    if (now < l->next_at)
        return;
    send_one(l, s, now);
    l->next_at = now + l->plan.every_us;
}

void live_stop(struct live *l)
{
    l->next_at = USEC_NEVER;
}

static void compare(struct live *l, usec now, struct chain *c)
{
    uint8_t head[HEAD_BYTES], byte;
    struct rd r = rd_of(bytes_of(head, chain_take(c, head, sizeof head)));
    uint64_t number = rd_u64(&r), made_at = rd_u64(&r);

    if (!r.ok || c->len + HEAD_BYTES != l->plan.bytes)
        l->fault = "a message is not whole";
    if (number <= l->last)
        l->fault = "a message came twice, or out of order";
    for (size_t i = HEAD_BYTES; chain_take(c, &byte, 1); i++)
        if (byte != byte_of(number, i))
            l->fault = "a byte of a message is not the sent one";
    l->last = number;
    l->received++;
    l->oldest_us = usec_max(l->oldest_us, now - (usec)made_at);
}

void live_read(struct live *l, struct session *s, usec now)
{
    struct chain c;
    bool ends;
    size_t n;

    if (!l->plan.every_us)
        return;
    chain_init(&c, l->pool);
    while ((n = session_recv_chain(s, now, LIVE_CHANNEL, &c, l->plan.bytes, &ends))) {
        l->received_bytes += n;
        if (ends)
            compare(l, now, &c);
    }
    if (c.len)
        l->fault = "a part of a message came alone";
    chain_deinit(&c);
}

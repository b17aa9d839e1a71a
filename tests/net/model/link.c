#include "tests/net/model/link.h"

#include <stdlib.h>

#define PPM 1000000u

struct held {
    usec due_at;
    uint64_t number; /* breaks ties: who was offered first comes out first */
    struct addr from, to;
    size_t len;
    uint8_t data[LINK_DATAGRAM_MAX];
};

struct link {
    struct link_config cfg;
    const struct rng *rng;
    struct link_counts counts;
    uint64_t next_number;
    usec free_at;       /* when the last bit offered so far has left at rate_bps … */
    uint64_t free_rest; /* … and this fraction of a microsecond later, times rate_bps */
    bool is_losing;     /* amid a run of losses */
    usec last_at;       /* what keeps its place may not come out before this */
    size_t held_max, held_count;
    struct held **heap;  /* all of held; the first held_count are a heap, earliest on top */
    struct held *memory; /* of all of them */
};

int link_new(struct link **out, const struct link_config *cfg, size_t packets_max,
             const struct rng *rng)
{
    struct link *l = *out = calloc(1, sizeof *l);

    if (l && (l->heap = calloc(packets_max, sizeof *l->heap)) &&
        (l->memory = calloc(packets_max, sizeof *l->memory))) {
        for (size_t i = 0; i < packets_max; i++)
            l->heap[i] = &l->memory[i];
        l->held_max = packets_max;
        l->rng = rng;
        link_set(l, cfg);
        return ERR_OK;
    }
    link_free(l);
    *out = NULL;
    return ERR_NOMEM;
}

void link_free(struct link *l)
{
    if (!l)
        return;
    free(l->heap);
    free(l->memory);
    free(l);
}

void link_set(struct link *l, const struct link_config *cfg)
{
    l->cfg = *cfg;
    if (l->cfg.mtu == 0)
        l->cfg.mtu = 1500;
    if (l->cfg.queue_bytes_max == 0)
        l->cfg.queue_bytes_max = (size_t)(l->cfg.rate_bps / 8);
}

static bool chance(const struct link *l, uint32_t ppm)
{
    return rng_below(l->rng, PPM) < ppm;
}

static usec jitter(const struct link *l)
{
    return l->cfg.jitter_us ? (usec)rng_below(l->rng, (uint32_t)l->cfg.jitter_us + 1) : 0;
}

static bool is_before(const struct held *a, const struct held *b)
{
    return a->due_at != b->due_at ? a->due_at < b->due_at : a->number < b->number;
}

static void swap(struct link *l, size_t i, size_t j)
{
    struct held *kept = l->heap[i];

    l->heap[i] = l->heap[j];
    l->heap[j] = kept;
}

static void sift_up(struct link *l, size_t i)
{
    for (; i > 0 && is_before(l->heap[i], l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(l, i, (i - 1) / 2);
}

static void sift_down(struct link *l, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < l->held_count; child++)
            if (is_before(l->heap[child], l->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(l, i, least);
        i = least;
    }
}

/* When the last bit has left, or USEC_NEVER if the queue has no room for it. What a policer lets
 * through leaves at once: its bucket is a queue that nobody waits in. */
static usec leave_at(struct link *l, usec now, size_t ip_len)
{
    size_t most = l->cfg.police_bytes ? l->cfg.police_bytes : l->cfg.queue_bytes_max;
    usec start = usec_max(l->free_at, now);
    uint64_t work; /* bits times microseconds a second */

    if (l->cfg.rate_bps == 0)
        return now;
    if ((uint64_t)(start - now) * l->cfg.rate_bps / 8 / SECOND + ip_len > most)
        return USEC_NEVER;
    work = ip_len * 8 * SECOND + (start == l->free_at ? l->free_rest : 0);
    l->free_at = start + (usec)(work / l->cfg.rate_bps);
    l->free_rest = work % l->cfg.rate_bps;
    return l->cfg.police_bytes ? now : l->free_at;
}

/* As many as loss_ppm says in either way: runs begin as much more rarely as they are longer. */
static bool is_lost(struct link *l)
{
    uint32_t run = l->cfg.loss_run > 1 ? l->cfg.loss_run : 1;

    if (l->is_losing && run > 1)
        l->is_losing = !chance(l, PPM / run);
    else
        l->is_losing = chance(l, l->cfg.loss_ppm / run);
    return l->is_losing;
}

static struct held *hold(struct link *l, usec due_at, const struct addr *from,
                         const struct addr *to, struct bytes dgram)
{
    struct held *h;

    if (l->held_count == l->held_max) {
        l->counts.over_table++;
        return NULL;
    }
    h = l->heap[l->held_count++];
    h->due_at = due_at;
    h->number = l->next_number++;
    h->from = *from;
    h->to = *to;
    h->len = dgram.len;
    if (dgram.len)
        memcpy(h->data, dgram.data, dgram.len);
    if (dgram.len && chance(l, l->cfg.corrupt_ppm)) {
        h->data[rng_below(l->rng, (uint32_t)dgram.len)] ^= (uint8_t)(1u << rng_below(l->rng, 8));
        l->counts.corrupted++;
    }
    sift_up(l, l->held_count - 1);
    return h;
}

static usec batched(const struct link *l, usec due)
{
    usec every = l->cfg.batch_us;

    return every ? (due + every - 1) / every * every : due;
}

/* What is reordered waits longer and does not hold up those behind; the rest keep their order. */
static usec due_at(struct link *l, usec left_at)
{
    usec due = left_at + l->cfg.delay_us + jitter(l);

    if (chance(l, l->cfg.reorder_ppm)) {
        l->counts.reordered++;
        return batched(l, due + l->cfg.reorder_us);
    }
    return l->last_at = usec_max(l->last_at, batched(l, due));
}

enum verdict link_input(struct link *l, usec now, const struct addr *from, const struct addr *to,
                        struct bytes dgram)
{
    size_t headers = l->cfg.has_headers ? 0 : from->family == ADDR_IPV6 ? 48 : 28; /* IP, UDP */
    size_t ip_len = dgram.len + headers;
    usec left_at;

    l->counts.offered++;
    if (ip_len > l->cfg.mtu || dgram.len > LINK_DATAGRAM_MAX) {
        l->counts.over_mtu++;
        return VERDICT_LIMIT;
    }
    left_at = leave_at(l, now, ip_len);
    if (left_at == USEC_NEVER) {
        l->counts.over_queue++;
        return VERDICT_LIMIT;
    }
    if (is_lost(l)) {
        l->counts.lost++;
        return VERDICT_TAKEN;
    }
    if (!hold(l, due_at(l, left_at), from, to, dgram))
        return VERDICT_LIMIT;
    if (chance(l, l->cfg.duplicate_ppm) && hold(l, due_at(l, left_at), from, to, dgram))
        l->counts.duplicated++;
    return VERDICT_TAKEN;
}

bool link_poll_output(struct link *l, usec now, struct link_packet *out)
{
    struct held *h;

    if (l->held_count == 0 || l->heap[0]->due_at > now)
        return false;
    swap(l, 0, --l->held_count);
    sift_down(l, 0);
    h = l->heap[l->held_count]; /* its memory is free again, but untouched until the next input */
    *out = (struct link_packet){ h->from, h->to, bytes_of(h->data, h->len) };
    l->counts.delivered++;
    return true;
}

usec link_next_timeout(const struct link *l)
{
    return l->held_count ? l->heap[0]->due_at : USEC_NEVER;
}

usec link_backlog(const struct link *l, usec now)
{
    return usec_max(l->free_at - now, 0);
}

size_t link_held(const struct link *l)
{
    return l->held_count;
}

const struct link_counts *link_counts(const struct link *l)
{
    return &l->counts;
}

#include "core/session/sped.h"

#include <stdlib.h>

#include "core/base/crc32.h"

/* RFC 7983 §7: whose first byte says DTLS. */
static bool is_dtls(struct bytes dgram)
{
    return dgram.len && dgram.data[0] >= 20 && dgram.data[0] <= 63;
}

static bool is_showing(const struct sped *p)
{
    return p->state == SPED_CARRYING || p->state == SPED_ACKING;
}

static void enter(struct sped *p, enum sped_state to)
{
    p->state = to;
    if (to == SPED_CARRYING)
        return;
    free(p->flight);
    p->flight = NULL;
    p->count = p->next = 0;
}

int sped_start(struct sped *p)
{
    if (p->state != SPED_OFF)
        return ERR_OK;
    p->flight = malloc(SPED_DATAGRAMS_MAX * sizeof *p->flight);
    if (!p->flight)
        return ERR_NOMEM;
    enter(p, SPED_CARRYING);
    return ERR_OK;
}

void sped_deinit(struct sped *p)
{
    free(p->flight);
    *p = (struct sped){ .state = SPED_OFF };
}

void sped_begin_flight(struct sped *p)
{
    p->count = p->next = 0;
}

void sped_add(struct sped *p, struct bytes dgram)
{
    struct sped_datagram *d;

    if (p->state != SPED_CARRYING || p->count == SPED_DATAGRAMS_MAX || dgram.len > SPED_MTU ||
        !is_dtls(dgram))
        return;
    d = &p->flight[p->count++];
    d->crc = crc32_ieee(0, dgram);
    d->len = (uint16_t)dgram.len;
    d->is_acked = false;
    memcpy(d->data, dgram.data, dgram.len);
}

void sped_finish(struct sped *p, bool is_client)
{
    p->is_handshake_done = true;
    if (is_client)
        sped_begin_flight(p);
}

/* The datagram whose turn it is, or NULL. */
static struct sped_datagram *next_pending(struct sped *p)
{
    for (uint8_t i = 0; i < p->count; i++) {
        struct sped_datagram *d = &p->flight[(p->next + i) % p->count];

        if (!d->is_acked)
            return d;
    }
    return NULL;
}

bool sped_has_pending(const struct sped *p)
{
    for (uint8_t i = 0; i < p->count; i++)
        if (!p->flight[i].is_acked)
            return true;
    return false;
}

void sped_get(struct sped *p, struct ice_sped *out)
{
    struct wr acks = wr_of(p->acks_wire, sizeof p->acks_wire);
    const struct sped_datagram *d = next_pending(p);

    for (uint8_t i = 0; i < p->seen_count && i < SPED_ACKS_MAX; i++)
        wr_u32(&acks, p->seen[i]);
    *out = (struct ice_sped){ .is_on = is_showing(p), .has_data = p->state == SPED_CARRYING };
    if (out->is_on)
        out->acks = wr_written(&acks);
    if (d)
        out->data = bytes_of(d->data, d->len);
}

void sped_sent(struct sped *p)
{
    const struct sped_datagram *d = next_pending(p);

    if (d)
        p->next = (uint8_t)((d - p->flight + 1) % p->count);
}

/* The newest goes to the front, also when it came again: its acknowledgement may have been lost.
 * True: it is new. */
static bool note_seen(struct sped *p, struct bytes dgram)
{
    uint32_t crc = crc32_ieee(0, dgram);
    uint8_t at = 0;
    bool is_new;

    while (at < p->seen_count && p->seen[at] != crc)
        at++;
    is_new = at == p->seen_count;
    if (at == SPED_SEEN_MAX)
        at--; /* the oldest is forgotten */
    if (is_new && p->seen_count < SPED_SEEN_MAX)
        p->seen_count++;
    memmove(&p->seen[1], &p->seen[0], at * sizeof p->seen[0]);
    p->seen[0] = crc;
    return is_new;
}

static void take_acks(struct sped *p, struct bytes acks)
{
    struct rd r = rd_of(acks);

    if (acks.len % 4 || acks.len > sizeof p->acks_wire)
        return;
    while (rd_left(&r)) {
        uint32_t crc = rd_u32(&r);

        for (uint8_t i = 0; i < p->count; i++)
            p->flight[i].is_acked |= p->flight[i].crc == crc;
    }
}

/* The closing handshake. Before ours is done a peer without data only has nothing to say yet; and
 * while our last flight waits, its acknowledgement may still be on the way. */
static void follow_peer(struct sped *p, const struct ice_sped *in)
{
    bool shows_none = !in->is_on && !in->has_data;
    bool is_through = p->is_handshake_done && !sped_has_pending(p);

    if (shows_none && !p->is_confirmed)
        enter(p, SPED_OFF);
    else if (shows_none && p->is_handshake_done)
        enter(p, SPED_DONE);
    else if (is_through && !in->has_data)
        enter(p, SPED_DONE);
    else if (is_through && in->is_on && in->data.len == 0)
        enter(p, SPED_ACKING);
    p->is_confirmed |= !shows_none;
}

bool sped_input(struct sped *p, const struct ice_sped *in)
{
    bool is_new;

    if (!is_showing(p))
        return false;
    if (in->is_on)
        take_acks(p, in->acks);
    is_new = in->has_data && is_dtls(in->data) && note_seen(p, in->data);
    follow_peer(p, in);
    return is_new;
}

bool sped_input_plain(struct sped *p, struct bytes dgram)
{
    return !is_showing(p) || !is_dtls(dgram) || note_seen(p, dgram);
}

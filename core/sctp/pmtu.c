/* pmtu.c: how long packets may be on this path: packetization layer path MTU discovery, RFC 8899,
 * §6.2 for SCTP.
 *
 *     DISABLED --sctp_search_pmtu()--> BASE --used--> SEARCHING --nothing left to try--> COMPLETE
 *                                      |  ^              ^  |                             |   |
 *                                      |  '--black hole--|--'<--600 s later, if used------'   |
 *                                      |  ^--------------|-------------------black hole-------'
 *                                      '--timeouts--> ERROR, used
 *
 * A probe is a HEARTBEAT and a PAD (RFC 4820) in one packet, never data: its loss costs nothing and
 * is no sign of congestion. ICMP is not believed, but our own host is if it refuses a datagram. An
 * association that moves no data never probes: there is no timer but that of a probe which is out.
 * Data that was cut for a wider path than that of now goes in parts: part.c. */
#include "core/sctp/assoc.h"

#include <assert.h>

enum {
    PROBES_MAX = 3,      /* of one size before it counts as too long: RFC 8899 §5.1.2 */
    PROBE_INFO_LEN = 12, /* {nonce 8, size of the packet 2, 0 2} */
    PROBE_LEAST =
        COMMON_HEADER_LEN + CHUNK_HEADER_LEN + PARAM_HEADER_LEN + PROBE_INFO_LEN + CHUNK_HEADER_LEN,
    USED_LEAST = 10,      /* long packets that got through: someone moves data */
    HOLES_COUNTED = 3,    /* each makes the next search wait four times as long */
    LOST_IN_A_ROW = 10,   /* wide packets, while others pass: a black hole */
    TIMEOUTS_AT_BASE = 2, /* in a row: perhaps not even that passes */
    CLOSE_ENOUGH = 32,    /* bytes that are not worth a probe */
    IP_USUAL = 1500,
    LEAST_BYTES = 504 /* IPv4's 576, less UDP, DTLS and TURN */
};

#define PROBE_TIMER_LEAST_US SECOND         /* RFC 8899 §5.1.1 */
#define RAISE_US             (600 * SECOND) /* PMTU_RAISE_TIMER */

/* IP packets that many links take, ascending: IPv6's least, tunnels and mobile networks, WireGuard
 * in IPv6 and in IPv4, VXLAN, a cloud's, 6in4, PPPoE, Ethernet, jumbo frames. */
static const uint16_t known[] = { 576,  1006, 1280, 1358, 1400, 1420, 1440,
                                  1450, 1460, 1480, 1492, 1500, 9000 };

static size_t size_of(const struct pmtu *p, size_t ip_bytes)
{
    return ip_bytes > p->around ? (ip_bytes - p->around) & ~(size_t)3 : 0;
}

static size_t packet_bytes(const struct sctp *s)
{
    return s->cc.packet_bytes;
}

/* Answers to the peer that are too long now are dropped; it asks again. */
static void set_packet_bytes(struct sctp *s, size_t bytes)
{
    if (bytes < packet_bytes(s))
        chain_drop(&s->replies, s->replies.len);
    s->cc.packet_bytes = bytes;
}

/* Row: from; bits: to. Every path begins at DISABLED. */
#define TO(state) (1u << PMTU_##state)
static const uint8_t may_become[PMTU_STATES] = {
    [PMTU_DISABLED] = TO(DISABLED) | TO(BASE),
    [PMTU_BASE] = TO(DISABLED) | TO(BASE) | TO(SEARCHING) | TO(COMPLETE) | TO(ERROR),
    [PMTU_SEARCHING] = TO(DISABLED) | TO(BASE) | TO(COMPLETE) | TO(ERROR),
    [PMTU_COMPLETE] = TO(DISABLED) | TO(BASE) | TO(SEARCHING) | TO(COMPLETE) | TO(ERROR),
    [PMTU_ERROR] = TO(DISABLED) | TO(SEARCHING) | TO(COMPLETE) | TO(ERROR),
};
#undef TO

static void enter(struct sctp *s, usec now, enum pmtu_state to)
{
    struct pmtu *p = &s->pmtu;

    assert(may_become[p->state] & 1u << to);
    p->state = (uint8_t)to;
    p->is_due = false;
    p->used = p->lost = p->tries = 0;
    p->lost_at = USEC_NEVER;
    p->raise_at = to == PMTU_COMPLETE ? now + RAISE_US : USEC_NEVER;
}

void pmtu_change_path(struct sctp *s, size_t base)
{
    enter(s, 0, PMTU_DISABLED);
    set_packet_bytes(s, base);
    s->pmtu = (struct pmtu){ .base = (uint16_t)base,
                             .low = (uint16_t)base,
                             .lost_at = USEC_NEVER,
                             .raise_at = USEC_NEVER,
                             .wanted = USED_LEAST };
}

void sctp_search_pmtu(struct sctp *s, usec now, size_t around, size_t ip_bytes_max)
{
    struct pmtu *p = &s->pmtu;
    size_t top;

    p->around = (uint16_t)(around < UINT16_MAX ? around : UINT16_MAX);
    top = size_of(p, ip_bytes_max ? ip_bytes_max : IP_USUAL);
    p->top = (uint16_t)(top < PACKET_BYTES_MAX ? top : PACKET_BYTES_MAX);
    if (p->state == PMTU_DISABLED)
        enter(s, now, PMTU_BASE);
}

/* ---- Searching ------------------------------------------------------------------------------- */

static bool is_open(const struct pmtu *p, size_t size)
{
    return size > p->low && size <= p->high;
}

/* The middle one of the known sizes that may still pass; 0 if none may. */
static size_t middle_known(const struct pmtu *p)
{
    size_t first = COUNT(known), count = 0;

    for (size_t i = 0; i < COUNT(known); i++) {
        if (!is_open(p, size_of(p, known[i])))
            continue;
        first = count ? first : i;
        count++;
    }
    return count ? size_of(p, known[first + count / 2]) : 0;
}

/* What most paths take first, then what many do, then halves. Beyond Ethernet's only what the
 * interface has and what is known is tried. 0: that was all. */
static size_t next_size(const struct pmtu *p)
{
    const size_t first[] = { p->likely, p->base, p->top, size_of(p, IP_USUAL), size_of(p, 1492) };
    size_t size;

    for (size_t i = 0; i < COUNT(first); i++)
        if (is_open(p, first[i]))
            return first[i];
    size = middle_known(p);
    if (size || p->low >= size_of(p, IP_USUAL) || p->high - p->low < CLOSE_ENOUGH)
        return size;
    return (size_t)(p->low + (p->high - p->low) / 2) & ~(size_t)3;
}

static void probe_next(struct sctp *s, usec now)
{
    struct pmtu *p = &s->pmtu;
    size_t size = next_size(p);

    p->tries = 0;
    p->lost_at = USEC_NEVER;
    p->is_due = size != 0;
    p->probed = (uint16_t)size;
    if (!size)
        enter(s, now, packet_bytes(s) < p->base ? PMTU_ERROR : PMTU_COMPLETE);
}

static void begin_search(struct sctp *s, usec now)
{
    struct pmtu *p = &s->pmtu;

    p->low = (uint16_t)packet_bytes(s);
    p->high = p->top;
    p->longest = 0;
    p->nonce = rng_u64(s->rng);
    if (p->high <= p->low) {
        enter(s, now, PMTU_COMPLETE);
        return;
    }
    enter(s, now, PMTU_SEARCHING);
    probe_next(s, now);
}

/* Where holes come again and again, as with a path that is now this and now that, searches become
 * rare. */
static uint32_t wanted_after(unsigned holes)
{
    return (uint32_t)USED_LEAST << 2 * holes;
}

static void on_passed(struct sctp *s, usec now, size_t size)
{
    struct pmtu *p = &s->pmtu;

    p->low = (uint16_t)size;
    if (p->high < size)
        p->high = (uint16_t)size; /* an answer that came late */
    if (size == p->likely) {
        if (p->is_doubtful && p->holes)
            p->holes--;
        p->wanted = wanted_after(p->holes);
        p->likely = 0;
    }
    set_packet_bytes(s, size);
    probe_next(s, now);
}

static void on_too_long(struct sctp *s, usec now)
{
    struct pmtu *p = &s->pmtu;

    p->high = (uint16_t)(p->probed - 4);
    probe_next(s, now);
}

size_t pmtu_probe_bytes(const struct sctp *s)
{
    return s->pmtu.is_due && s->state == STATE_UP ? s->pmtu.probed : 0;
}

void pmtu_encode_probe(struct sctp *s, usec now, struct wr *w)
{
    struct pmtu *p = &s->pmtu;
    uint8_t info[PROBE_INFO_LEN];
    struct wr iw = wr_of(info, sizeof info);
    size_t at = chunk_begin(w, CHUNK_HEARTBEAT, 0);

    wr_u64(&iw, p->nonce);
    wr_u16(&iw, p->probed);
    wr_u16(&iw, 0);
    param_encode(w, PARAM_HEARTBEAT_INFO, wr_written(&iw));
    chunk_end(w, at);
    at = chunk_begin(w, CHUNK_PAD, 0);
    wr_zero(w, p->probed - w->len);
    chunk_end(w, at);
    p->is_due = false;
    p->was_probe = true;
    p->tries++;
    p->longest = p->probed > p->longest ? p->probed : p->longest;
    p->lost_at = now + usec_max(PROBE_TIMER_LEAST_US, s->rto.rto_us);
    s->info.mtu_probes++;
}

/* Any probe of this search may be answered, also one that was given up. */
enum verdict pmtu_on_answer(struct sctp *s, usec now, struct bytes info)
{
    struct pmtu *p = &s->pmtu;
    struct rd r = rd_of(info);
    uint64_t nonce = rd_u64(&r);
    size_t size = rd_u16(&r);

    if (p->state != PMTU_SEARCHING || info.len != PROBE_INFO_LEN || nonce != p->nonce ||
        size > p->longest || size % 4)
        return VERDICT_UNEXPECTED;
    if (size > p->low)
        on_passed(s, now, size);
    return VERDICT_TAKEN;
}

/* What vanished in a black hole need not vanish three times more. (It may have been the end of a
 * flight that found a full queue, so once is not enough.) */
static unsigned tries_of(const struct pmtu *p)
{
    return p->probed == p->likely && !p->is_doubtful ? 2 : PROBES_MAX;
}

void pmtu_tick(struct sctp *s, usec now)
{
    struct pmtu *p = &s->pmtu;

    if (now < p->lost_at)
        return;
    p->lost_at = USEC_NEVER;
    if (p->tries < tries_of(p))
        p->is_due = true;
    else
        on_too_long(s, now);
}

/* ---- What data tells ------------------------------------------------------------------------- */

static bool is_search_due(const struct pmtu *p, usec now)
{
    if (p->used < p->wanted)
        return false;
    return p->state == PMTU_BASE || p->state == PMTU_ERROR ||
           (p->state == PMTU_COMPLETE && p->top > p->low && now >= p->raise_at);
}

void pmtu_note_acked(struct sctp *s, usec now, const struct tx_chunk *c)
{
    struct pmtu *p = &s->pmtu;

    if (p->state == PMTU_DISABLED || tx_is_of_old_path(s, c))
        return;
    if (c->is_wide && c->packet > p->wide_acked) {
        p->wide_acked = c->packet;
        p->wide_acked_at = now;
        p->lost = 0;
    }
    if (tx_chunk_bytes(c) < packet_bytes(s) / 3)
        return;
    p->used += p->used < UINT32_MAX;
    if (is_search_due(p, now))
        begin_search(s, now);
}

static bool is_wide(const struct sctp *s)
{
    return packet_bytes(s) > s->pmtu.base;
}

/* What passed until now will be tried first: if it was mere loss one probe mends it. */
static void fall_to_base(struct sctp *s, bool is_doubtful)
{
    struct pmtu *p = &s->pmtu;

    p->likely = (uint16_t)packet_bytes(s);
    if (p->holes < HOLES_COUNTED)
        p->holes++;
    p->wanted = wanted_after(p->holes);
    p->is_doubtful = is_doubtful;
    enter(s, 0, PMTU_BASE);
    set_packet_bytes(s, p->base);
    p->low = p->base;
    s->info.mtu_black_holes++;
}

/* Wide packets that are lost one after the other, without any of them coming through meanwhile. */
void pmtu_note_lost(struct sctp *s, const struct tx_chunk *c)
{
    struct pmtu *p = &s->pmtu;

    if (!c->is_wide || tx_is_of_old_path(s, c) || !is_wide(s) || c->packet <= p->wide_acked ||
        c->packet == p->wide_lost)
        return;
    p->wide_lost = c->packet;
    if (++p->lost >= LOST_IN_A_ROW)
        fall_to_base(s, false);
}

/* Where parts can be sent, less than the base will do too. */
static bool fall_to_least(struct sctp *s)
{
    struct pmtu *p = &s->pmtu;

    if (!sctp_has(s, SCTP_PARTS) || packet_bytes(s) <= LEAST_BYTES)
        return false;
    enter(s, 0, PMTU_ERROR);
    set_packet_bytes(s, LEAST_BYTES);
    p->low = LEAST_BYTES;
    p->wanted = USED_LEAST;
    return true;
}

/* Silence, or one chunk that is lost again and again while long packets pass. */
void pmtu_on_timeout(struct sctp *s, usec now)
{
    if (s->pmtu.state == PMTU_DISABLED || now < s->pmtu.wide_acked_at + s->rto.rto_us)
        return;
    if (is_wide(s))
        fall_to_base(s, true);
    else if (s->errors >= TIMEOUTS_AT_BASE)
        (void)fall_to_least(s);
}

/* The chunks of the run that left last; they were never on the way, which congestion control need
 * not know. */
static void mark_last_run(struct sctp *s)
{
    uint64_t lost = s->tx.throughput.lost;

    for (uint32_t tsn = s->tx.base_tsn; tsn != s->tx.next_tsn; tsn++) {
        struct tx_chunk *c = tx_chunk_at(s, tsn);

        if (c->state == TX_IN_FLIGHT && c->packet > s->pmtu.run_packet)
            loss_mark(s, tsn, c);
    }
    s->tx.throughput.lost = lost;
    s->tx.may_resend_at_once = s->tx.lost_count > 0;
}

void sctp_packet_too_long(struct sctp *s, usec now)
{
    struct pmtu *p = &s->pmtu;

    if (p->state == PMTU_DISABLED || !assoc_may_send_data(s))
        return;
    if (p->was_probe) {
        if (p->lost_at != USEC_NEVER)
            on_too_long(s, now);
        return;
    }
    if (is_wide(s))
        fall_to_base(s, false);
    else if (!fall_to_least(s))
        return; /* or what we send again at once would be refused again, for ever */
    mark_last_run(s);
}

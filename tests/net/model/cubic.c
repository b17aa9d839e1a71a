#include "tests/net/model/cubic.h"

#include <stdlib.h>

enum {
    FLIGHT_MAX = 1 << 16,
    WINDOW_MIN = 2,
    INITIAL_WINDOW = 10,
    REORDERING = 3,
    ROUND_SAMPLES = 8
};

#define BETA        0.7 /* RFC 9438 §4.6 */
#define C           0.4 /* §5.1 */
#define RTO_MIN     (200 * MILLISECOND)
#define ACK_DELAY   (40 * MILLISECOND)
#define DELAY_LEAST (4 * MILLISECOND) /* RFC 9406 §4.3: MIN_RTT_THRESH … */
#define DELAY_MOST  (16 * MILLISECOND)

struct sent {
    usec at;
    bool is_out; /* neither acknowledged nor lost */
};

struct cubic {
    /* The sender. */
    struct sent *sent;   /* by number, a ring */
    uint64_t base, next; /* numbers: everything before base is settled */
    uint64_t out;        /* how many of them are out */
    uint64_t recover;    /* losses before this are of an event that was answered */
    uint64_t round_end;
    double window, threshold, most, reno;
    usec epoch_at; /* 0: none yet */
    double k;      /* seconds until the window is again what it was */
    usec srtt, rttvar, min_rtt, round_rtt;
    unsigned round_samples;
    usec rto_at;
    unsigned backoff;

    /* The receiver. */
    uint64_t received;
    uint64_t unanswered[2];
    unsigned unanswered_count;
    usec ack_at;
};

struct cubic *cubic_new(void)
{
    struct cubic *c = calloc(1, sizeof *c);

    if (c && !(c->sent = calloc(FLIGHT_MAX, sizeof *c->sent))) {
        free(c);
        return NULL;
    }
    if (!c)
        return NULL;
    c->window = INITIAL_WINDOW;
    c->threshold = FLIGHT_MAX;
    c->rto_at = c->ack_at = USEC_NEVER;
    return c;
}

void cubic_free(struct cubic *c)
{
    if (c)
        free(c->sent);
    free(c);
}

static struct sent *at_number(struct cubic *c, uint64_t number)
{
    return &c->sent[number % FLIGHT_MAX];
}

static double cube_root(double x)
{
    double r = x > 1 ? x : 1;

    for (int i = 0; i < 60; i++)
        r = (2 * r + x / (r * r)) / 3;
    return r;
}

static usec rto_of(const struct cubic *c)
{
    usec rto = c->srtt ? usec_max(c->srtt + 4 * c->rttvar, RTO_MIN) : SECOND;

    return rto << (c->backoff < 6 ? c->backoff : 6);
}

bool cubic_poll_data(struct cubic *c, usec now, uint8_t packet[CUBIC_PACKET_BYTES])
{
    struct wr w = wr_of(packet, CUBIC_PACKET_BYTES);

    if ((double)c->out + 1 > c->window || c->next - c->base >= FLIGHT_MAX)
        return false;
    wr_u32(&w, (uint32_t)(c->next >> 32));
    wr_u32(&w, (uint32_t)c->next);
    wr_zero(&w, CUBIC_PACKET_BYTES - w.len);
    *at_number(c, c->next++) = (struct sent){ .at = now, .is_out = true };
    c->out++;
    if (c->rto_at == USEC_NEVER)
        c->rto_at = now + rto_of(c);
    return true;
}

/* ---- What the window does -------------------------------------------------------------------- */

/* §4.6, and §4.7's fast convergence. */
static void on_congestion(struct cubic *c)
{
    c->most = c->window < c->most ? c->window * (1 + BETA) / 2 : c->window;
    c->window = c->window * BETA > WINDOW_MIN ? c->window * BETA : WINDOW_MIN;
    c->threshold = c->window;
    c->epoch_at = 0;
}

static void begin_epoch(struct cubic *c, usec now)
{
    c->epoch_at = now;
    if (c->most < c->window)
        c->most = c->window;
    c->k = cube_root((c->most - c->window) / C);
    c->reno = c->window;
}

/* §4.2 to §4.5, for one packet acknowledged. */
static void grow(struct cubic *c, usec now)
{
    double t, target;

    if (c->window < c->threshold) {
        c->window++;
        return;
    }
    if (!c->epoch_at)
        begin_epoch(c, now);
    t = (double)(now - c->epoch_at + c->srtt) / SECOND - c->k;
    target = C * t * t * t + c->most;
    c->reno += 3 * (1 - BETA) / (1 + BETA) / c->window;
    if (target < c->window)
        target = c->window;
    if (target > 1.5 * c->window)
        target = 1.5 * c->window;
    c->window += (target - c->window) / c->window;
    if (c->window < c->reno)
        c->window = c->reno;
}

/* Slow start ends too when round trips grow: RFC 9406 §4.2. */
static void watch_delay(struct cubic *c, uint64_t number, usec rtt)
{
    usec much = usec_clamp(c->min_rtt / 8, DELAY_LEAST, DELAY_MOST);

    if (number >= c->round_end) {
        c->round_end = c->next;
        c->round_rtt = USEC_NEVER;
        c->round_samples = 0;
    }
    c->round_rtt = usec_min(c->round_rtt, rtt);
    if (++c->round_samples >= ROUND_SAMPLES && c->window < c->threshold &&
        c->round_rtt > c->min_rtt + much)
        c->threshold = c->window;
}

static void learn_rtt(struct cubic *c, usec rtt)
{
    usec off = rtt > c->srtt ? rtt - c->srtt : c->srtt - rtt;

    c->min_rtt = c->min_rtt ? usec_min(c->min_rtt, rtt) : rtt;
    c->rttvar = c->srtt ? c->rttvar + (off - c->rttvar) / 4 : rtt / 2;
    c->srtt = c->srtt ? c->srtt + (rtt - c->srtt) / 8 : rtt;
}

static void settle(struct cubic *c, struct sent *s)
{
    s->is_out = false;
    c->out--;
}

/* ---- What came back -------------------------------------------------------------------------- */

static void find_lost(struct cubic *c, uint64_t acked)
{
    for (; c->base < c->next && (c->base + REORDERING <= acked || !at_number(c, c->base)->is_out);
         c->base++) {
        if (!at_number(c, c->base)->is_out)
            continue;
        settle(c, at_number(c, c->base));
        if (c->base < c->recover)
            continue;
        on_congestion(c);
        c->recover = c->next;
    }
}

static void acknowledge(struct cubic *c, usec now, uint64_t number)
{
    bool is_full = (double)c->out + 1 >= c->window / 2;

    if (number < c->base || number >= c->next || !at_number(c, number)->is_out)
        return;
    learn_rtt(c, now - at_number(c, number)->at);
    watch_delay(c, number, now - at_number(c, number)->at);
    settle(c, at_number(c, number));
    if (number >= c->recover && is_full)
        grow(c, now);
    c->backoff = 0;
    c->rto_at = now + rto_of(c);
}

void cubic_on_ack(struct cubic *c, usec now, struct bytes ack)
{
    struct rd r = rd_of(ack);
    uint32_t count = rd_u32(&r);

    for (uint32_t i = 0; i < count && i < COUNT(c->unanswered); i++) {
        uint64_t number = (uint64_t)rd_u32(&r) << 32;

        number |= rd_u32(&r);
        acknowledge(c, now, number);
        find_lost(c, number);
    }
}

/* ---- The receiver ---------------------------------------------------------------------------- */

static bool answer(struct cubic *c, uint8_t ack[CUBIC_ACK_BYTES])
{
    struct wr w = wr_of(ack, CUBIC_ACK_BYTES);

    wr_u32(&w, c->unanswered_count);
    for (unsigned i = 0; i < c->unanswered_count; i++) {
        wr_u32(&w, (uint32_t)(c->unanswered[i] >> 32));
        wr_u32(&w, (uint32_t)c->unanswered[i]);
    }
    wr_zero(&w, CUBIC_ACK_BYTES - w.len);
    c->unanswered_count = 0;
    c->ack_at = USEC_NEVER;
    return true;
}

bool cubic_on_data(struct cubic *c, usec now, struct bytes packet, uint8_t ack[CUBIC_ACK_BYTES])
{
    struct rd r = rd_of(packet);
    uint64_t number = (uint64_t)rd_u32(&r) << 32;

    number |= rd_u32(&r);
    c->received += CUBIC_PAYLOAD_BYTES;
    c->unanswered[c->unanswered_count++] = number;
    if (c->unanswered_count == COUNT(c->unanswered))
        return answer(c, ack);
    c->ack_at = now + ACK_DELAY;
    return false;
}

static void on_timeout(struct cubic *c, usec now)
{
    on_congestion(c);
    c->window = 1;
    c->backoff++;
    for (; c->base < c->next; c->base++)
        at_number(c, c->base)->is_out = false;
    c->out = 0;
    c->recover = c->next;
    c->rto_at = now + rto_of(c);
}

bool cubic_tick(struct cubic *c, usec now, uint8_t ack[CUBIC_ACK_BYTES])
{
    if (now >= c->rto_at)
        on_timeout(c, now);
    return now >= c->ack_at && answer(c, ack);
}

usec cubic_next_timeout(const struct cubic *c)
{
    return usec_min(c->rto_at, c->ack_at);
}

uint64_t cubic_received(const struct cubic *c)
{
    return c->received;
}

double cubic_window(const struct cubic *c)
{
    return c->window;
}

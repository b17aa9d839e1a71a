/* BBR: send at the rate the path has been seen to deliver, with as much in flight as its rate and
 * its round trip need; now and then a little faster to see whether there is more, and then slower,
 * to drain what that queued.
 *
 * Where this leaves the draft (deviations.md, S19): a loss is taken for ours only if more is lost
 * than when we do not push, for a radio that loses 2 % whatever we do would otherwise have it all
 * its way; and the window has room for what arrives and is acknowledged in runs. */
#include "core/sctp/cc.h"
#include "core/sctp/sctp.h"

enum {
    INITIAL_PACKETS = 10, /* RFC 6928; deviations.md, S1 */
    LEAST_PACKETS = 4,
    FULL_ROUNDS = 3,   /* STARTUP: so many without a quarter more and the pipe is full */
    CRUISE_ROUNDS = 6, /* between two probes for more */
    PERCENT = 100
};

#define PPM             1000000u
#define STARTUP_GAIN    277u /* per cent: 2 / ln 2 */
#define DRAIN_GAIN      50u
#define UP_GAIN         125u
#define DOWN_GAIN       75u
#define CRUISE_GAIN     99u    /* the highest rate seen is a little more than the path has */
#define WINDOW_GAIN     200u   /* of the path's product of rate and round trip */
#define LOSS_PPM        20000u /* more than usual: too much is in flight, if there is a queue … */
#define LOSS_MOST_PPM   100000u /* … or even without */
#define YIELD           70u     /* per cent of what was too much */
#define MIN_RTT_WINDOW  (10 * SECOND)
#define PROBE_RTT_EVERY (5 * SECOND)
#define PROBE_RTT_US    (200 * MILLISECOND)
#define RUN_US          (2 * MILLISECOND) /* what may arrive and be acknowledged as one */
#define CRUISE_MOST_US  (2 * SECOND)

/* A peer that acknowledges as it likes makes any number of its rate and its round trip: bytes in a
 * second, whose products are still numbers, and bytes in flight. */
#define RATE_MOST   (UINT64_C(1) << 33)
#define FLIGHT_MOST (UINT64_C(1) << 30)

static uint64_t max_rate(const struct cc_bbr *b)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < CC_BBR_ROUNDS; i++)
        if (b->rates[i] > most)
            most = b->rates[i];
    return most;
}

/* What the path holds without a queue. Where round trips vary by themselves, the least of them
 * would be too little. */
static size_t product(const struct cc_bbr *b)
{
    uint64_t took_us = (uint64_t)usec_min(b->min_rtt_us + 2 * b->jitter_us, 10 * MINUTE);
    uint64_t bytes = max_rate(b) * took_us / SECOND;

    return (size_t)(bytes < FLIGHT_MOST ? bytes : FLIGHT_MOST);
}

static size_t packets(const struct cc *cc, size_t count)
{
    return count * cc->packet_bytes;
}

static uint64_t percent(uint64_t value, uint64_t gain)
{
    return value * gain / PERCENT;
}

static void enter(struct cc *cc, enum cc_bbr_state to, usec now)
{
    cc->bbr.state = to;
    cc->bbr.state_at = now;
    cc->bbr.state_round = cc->bbr.round;
}

/* The first rate is a guess: what the first window would be at the round trip that ICE measured. */
static void guess_pacing(struct cc *cc)
{
    cc->pacing_rate = 0;
    if (cc->rtt_us)
        cc->pacing_rate = percent(cc->cwnd_bytes * SECOND / (uint64_t)cc->rtt_us, STARTUP_GAIN);
}

/* ---- The model ------------------------------------------------------------------------------- */

static void learn_rtt(struct cc_bbr *b, usec now, usec rtt_us)
{
    if (!rtt_us)
        return;
    if (!b->round_rtt_us || rtt_us < b->round_rtt_us)
        b->round_rtt_us = rtt_us;
    if (!b->mean_rtt_us)
        b->mean_rtt_us = rtt_us;
    b->jitter_us +=
        (usec_max(rtt_us - b->mean_rtt_us, b->mean_rtt_us - rtt_us) - b->jitter_us) / 16;
    b->mean_rtt_us += (rtt_us - b->mean_rtt_us) / 16;
    if (!b->min_rtt_us || rtt_us <= b->min_rtt_us || now - b->min_rtt_at > MIN_RTT_WINDOW) {
        b->min_rtt_us = rtt_us;
        b->min_rtt_at = now;
    }
}

/* What goes first may all be sent again, from a path that died, and measure nothing: so what ICE
 * measured is the first sample. */
static void bbr_start(struct cc *cc, usec now)
{
    cc->bbr = (struct cc_bbr){ .inflight_hi = SIZE_MAX, .min_rtt_at = now };
    cc->cwnd_bytes = packets(cc, INITIAL_PACKETS);
    enter(cc, CC_BBR_STARTUP, now);
    guess_pacing(cc);
    learn_rtt(&cc->bbr, now, cc->rtt_us);
}

/* What the application held back says only that the path is no slower. */
static void learn_rate(struct cc_bbr *b, const struct cc_sample *sample)
{
    uint64_t *slot = &b->rates[b->round % CC_BBR_ROUNDS];
    uint64_t rate = sample->rate < RATE_MOST ? sample->rate : RATE_MOST;

    if (rate > *slot && (!sample->is_app_limited || rate >= max_rate(b)))
        *slot = rate;
}

static uint32_t loss_ppm(const struct cc_bbr *b)
{
    uint64_t all = (uint64_t)b->round_acked + b->round_lost;

    return all ? (uint32_t)((uint64_t)b->round_lost * PPM / all) : 0;
}

static bool has_queue(const struct cc_bbr *b)
{
    return b->round_rtt_us > b->min_rtt_us + b->min_rtt_us / 8 + MILLISECOND + 2 * b->jitter_us;
}

static bool pushes(const struct cc_bbr *b)
{
    return b->state == CC_BBR_STARTUP || b->state == CC_BBR_UP;
}

/* Whether the round that ends lost more than the path always does. */
static bool is_too_much(const struct cc *cc)
{
    const struct cc_bbr *b = &cc->bbr;
    uint32_t loss = loss_ppm(b), usual = b->usual_loss_ppm;

    if (b->round_lost < packets(cc, 3))
        return false; /* one or two may always happen */
    return loss > usual + LOSS_MOST_PPM || (loss > usual + LOSS_PPM && has_queue(b));
}

/* Only rounds that do not push tell what is usual; most of all a fifth is believed. */
static void learn_usual_loss(struct cc_bbr *b)
{
    uint32_t loss = loss_ppm(b);

    if (pushes(b) || has_queue(b))
        return;
    if (loss > PPM / 5)
        loss = PPM / 5;
    b->usual_loss_ppm += (loss > b->usual_loss_ppm ? 1 : 0) * (loss - b->usual_loss_ppm) / 4;
    if (loss < b->usual_loss_ppm)
        b->usual_loss_ppm -= (b->usual_loss_ppm - loss) / 16;
}

static void yield(struct cc *cc)
{
    struct cc_bbr *b = &cc->bbr;
    size_t was = b->inflight_hi < cc->cwnd_bytes ? b->inflight_hi : cc->cwnd_bytes;
    size_t least = packets(cc, LEAST_PACKETS);

    b->inflight_hi = (size_t)percent(was, YIELD);
    if (b->inflight_hi < product(b))
        b->inflight_hi = product(b); /* less would be less than the path delivers */
    if (b->inflight_hi < least)
        b->inflight_hi = least;
}

/* ---- The states ------------------------------------------------------------------------------ */

static void check_full(struct cc *cc, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;

    if (sample->is_app_limited)
        return;
    if (max_rate(b) >= b->full_rate + b->full_rate / 4) {
        b->full_rate = max_rate(b);
        b->full_rounds = 0;
    } else {
        b->full_rounds++;
    }
}

static void on_round_of_state(struct cc *cc, usec now, const struct cc_sample *sample,
                              bool too_much)
{
    struct cc_bbr *b = &cc->bbr;

    switch (b->state) {
    case CC_BBR_STARTUP:
        check_full(cc, sample);
        if (b->full_rounds >= FULL_ROUNDS || too_much)
            enter(cc, CC_BBR_DRAIN, now);
        break;
    case CC_BBR_CRUISE:
        if (b->round - b->state_round >= CRUISE_ROUNDS || now - b->state_at >= CRUISE_MOST_US)
            enter(cc, CC_BBR_UP, now);
        break;
    case CC_BBR_UP:
        if (too_much)
            yield(cc);
        else if (b->inflight_hi < cc->cwnd_bytes_max && sample->is_limited)
            b->inflight_hi += b->inflight_hi / 4;
        if (too_much || b->round - b->state_round >= 2)
            enter(cc, CC_BBR_DOWN, now);
        break;
    case CC_BBR_DOWN:
        if (b->round - b->state_round >= 4)
            enter(cc, CC_BBR_CRUISE, now);
        break;
    default:
        break;
    }
}

static void on_round(struct cc *cc, usec now, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;
    bool too_much = is_too_much(cc);

    learn_usual_loss(b);
    if (too_much && !pushes(b))
        yield(cc);
    on_round_of_state(cc, now, sample, too_much);
    b->round++;
    b->rates[b->round % CC_BBR_ROUNDS] = 0;
    b->round_acked = b->round_lost = 0;
    b->round_rtt_us = 0;
}

/* Whether the queue that pushing made has gone. */
static void check_drained(struct cc *cc, usec now, size_t flight)
{
    enum cc_bbr_state state = cc->bbr.state;

    if ((state == CC_BBR_DRAIN || state == CC_BBR_DOWN) && flight <= product(&cc->bbr))
        enter(cc, CC_BBR_CRUISE, now);
}

/* The least round trip shows only when there is no queue, not even our own: now and then for a
 * moment there is none. A pause of the application does as well. */
static void check_probe_rtt(struct cc *cc, usec now, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;

    if (b->state == CC_BBR_PROBE_RTT) {
        if (now - b->state_at >= PROBE_RTT_US && b->round > b->state_round) {
            b->min_rtt_at = now;
            enter(cc, b->full_rounds >= FULL_ROUNDS ? CC_BBR_CRUISE : CC_BBR_STARTUP, now);
        }
    } else if (now - b->min_rtt_at > PROBE_RTT_EVERY && b->state != CC_BBR_STARTUP) {
        if (sample->is_app_limited)
            b->min_rtt_at = now;
        else
            enter(cc, CC_BBR_PROBE_RTT, now);
    }
}

/* ---- What follows from it -------------------------------------------------------------------- */

static void set_pacing(struct cc *cc)
{
    static const uint8_t gains[] = {
        [CC_BBR_DRAIN] = DRAIN_GAIN, [CC_BBR_DOWN] = DOWN_GAIN,    [CC_BBR_CRUISE] = CRUISE_GAIN,
        [CC_BBR_UP] = UP_GAIN,       [CC_BBR_PROBE_RTT] = PERCENT,
    };
    enum cc_bbr_state state = cc->bbr.state;
    uint64_t gain = state == CC_BBR_STARTUP ? STARTUP_GAIN : gains[state];
    uint64_t rate = percent(max_rate(&cc->bbr), gain);

    if (!rate || (state == CC_BBR_STARTUP && rate < cc->pacing_rate))
        return;
    cc->pacing_rate = rate;
}

static size_t window_wanted(const struct cc *cc)
{
    const struct cc_bbr *b = &cc->bbr;
    size_t run = (size_t)(max_rate(b) * RUN_US / SECOND);
    size_t least = packets(cc, LEAST_PACKETS), wanted;

    if (b->state == CC_BBR_PROBE_RTT)
        wanted = product(b) / 2;
    else
        wanted = (size_t)percent(product(b), WINDOW_GAIN) + run + packets(cc, 3);
    if (b->state != CC_BBR_STARTUP && wanted > b->inflight_hi)
        wanted = b->inflight_hi;
    return wanted > least ? wanted : least;
}

/* Up by what was acknowledged, so that after a timeout it returns no faster than it should. */
static void set_window(struct cc *cc, const struct cc_sample *sample)
{
    size_t wanted = window_wanted(cc);

    if (cc->cwnd_bytes + sample->acked <= wanted)
        cc->cwnd_bytes += sample->acked;
    else if (cc->bbr.state != CC_BBR_STARTUP || cc->cwnd_bytes < wanted)
        cc->cwnd_bytes = wanted;
    if (cc->cwnd_bytes > cc->cwnd_bytes_max)
        cc->cwnd_bytes = cc->cwnd_bytes_max;
}

static void bbr_on_ack(struct cc *cc, usec now, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;

    b->round_acked += sample->acked;
    b->round_lost += sample->lost;
    learn_rtt(b, now, sample->rtt_us);
    learn_rate(b, sample);
    if (sample->is_round)
        on_round(cc, now, sample);
    else if (b->state == CC_BBR_STARTUP && is_too_much(cc))
        enter(cc, CC_BBR_DRAIN, now); /* the round may last long: its losses are answered first */
    learn_rate(b, sample);            /* a new round's slot begins with what opened it */
    check_drained(cc, now, sample->flight);
    check_probe_rtt(cc, now, sample);
    set_pacing(cc);
    set_window(cc, sample);
}

/* Nothing came back for long: one packet asks, and the window grows back as answers come. */
static void bbr_on_timeout(struct cc *cc, usec now)
{
    (void)now;
    cc->cwnd_bytes = cc->packet_bytes;
}

static void bbr_tell(const struct cc *cc, struct sctp_info *info)
{
    static const char *const names[] = {
        [CC_BBR_STARTUP] = "startup", [CC_BBR_DRAIN] = "drain", [CC_BBR_DOWN] = "down",
        [CC_BBR_CRUISE] = "cruise",   [CC_BBR_UP] = "up",       [CC_BBR_PROBE_RTT] = "probe_rtt",
    };

    info->congestion_state = names[cc->bbr.state];
    info->min_rtt_us = cc->bbr.min_rtt_us;
    info->delivery_rate = max_rate(&cc->bbr);
}

const struct cc_ops cc_bbr = {
    .name = "bbr",
    .start = bbr_start,
    .on_ack = bbr_on_ack,
    .on_timeout = bbr_on_timeout,
    .tell = bbr_tell,
};

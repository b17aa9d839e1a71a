/* BBR: send at the rate the path has been seen to deliver, with as much in flight as its rate and
 * its round trip need; now and then faster, to see whether there is more, and then slower, to drain
 * what that queued. draft-ietf-ccwg-bbr.
 *
 * Where this leaves the draft (deviations.md, S19): a loss is taken for ours only if there is a
 * queue or much more is lost than when we do not push, for a radio that loses 2 % whatever we do
 * would otherwise have it all its way. One that is ours is answered as CUBIC would (RFC 9438 §4.6),
 * by less in flight than there was and not just than was found to be too much, or a flow of CUBIC
 * beside us would starve. */
#include "core/sctp/cc.h"
#include "core/sctp/sctp.h"

enum {
    INITIAL_PACKETS = 10, /* RFC 6928; deviations.md, S1 */
    LEAST_PACKETS = 4,
    FULL_ROUNDS = 3,   /* STARTUP: so many without a quarter more and the pipe is full */
    DRAIN_ROUNDS = 4,  /* DRAIN, DOWN: at most */
    PUSH_ROUNDS = 2,   /* until the losses of a push are all known */
    UP_ROUNDS = 2,     /* UP: what we send is seen to arrive after one */
    WAIT_ROUNDS = 100, /* CRUISE: at most, as Reno would need to fill such a gap (draft §5.3.3.5) */
    LOST_PACKETS = 3,  /* fewer in a round may always happen */
    PERCENT = 100
};

/* Per cent, of the rate and of the window. */
#define STARTUP_GAIN 277u /* 2 / ln 2 */
#define DRAIN_GAIN   50u
#define UP_GAIN      125u
#define DOWN_GAIN    75u
#define CRUISE_GAIN  99u  /* the highest rate seen is a little more than the path has */
#define WINDOW_GAIN  200u /* of the path's product of rate and round trip … */
#define SHARED_GAIN  125u /* … or of what that is with the queue of others in it */
#define HEADROOM     85u  /* CRUISE: of what was too much, so that others find room */
#define YIELD        70u  /* of what was in flight: RFC 9438's beta */
#define FULL_GAIN    125u /* STARTUP: a rate that grows no more than this has arrived … */
#define UP_FULL_GAIN 110u /* … and UP, which half of the path gains by a push */
#define GAINED       113u /* who gains that much by a push has less than half */

/* Parts of a million. */
#define LOSS_STARTUP 200000u /* STARTUP: too much is in flight; later, more than usual by this: */
#define LOSS_MOST    100000u
#define LOSS_QUEUED  20000u /* if there is a queue */

#define WAIT_US         (3 * SECOND) /* CRUISE: until the next push, and up to half as much again */
#define WAIT_GAINED_US  (WAIT_US / 4)
#define PROBE_RTT_EVERY (5 * SECOND)
#define PROBE_RTT_US    (200 * MILLISECOND)
#define RUN_US          (2 * MILLISECOND) /* what may arrive and be acknowledged as one … */
#define RUN_BYTES_MAX   (256u << 10) /* … and no more, or a fast peer's CPU gets a queue of it */

static size_t packets(const struct cc *cc, size_t count)
{
    return count * cc->packet_bytes;
}

static uint64_t percent(uint64_t value, uint64_t gain)
{
    return value * gain / PERCENT;
}

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t at_least(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What we may count on until the next probe. */
static uint64_t rate_of(const struct cc *cc)
{
    uint64_t rate = cc_model_rate(&cc->model), lo = cc->bbr.now.rate_lo;

    return rate < lo ? rate : lo;
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

/* Before losses tighten anything: how it was, should they turn out to be none. */
static void remember(struct cc_bbr *b, size_t lost)
{
    if (!b->blamed) {
        b->before = b->now;
        b->cleared = 0;
    }
    b->blamed += lost;
}

/* Less would be less than the path delivers without a queue. */
static size_t floor_of(const struct cc *cc, uint64_t gain)
{
    return at_least((size_t)percent(cc_model_product(&cc->model), gain),
                    packets(cc, LEAST_PACKETS));
}

static void tighten_hi(struct cc *cc)
{
    size_t was = at_most(cc->bbr.now.inflight_hi, cc->cwnd_bytes);

    remember(&cc->bbr, cc->model.round_lost);
    cc->bbr.now.inflight_hi = at_least((size_t)percent(was, YIELD), floor_of(cc, PERCENT));
    cc->bbr.is_judged = true;
}

/* Down to what the path delivers now without our part of its queue. */
static void tighten_lo(struct cc *cc, size_t flight)
{
    struct cc_bbr *b = &cc->bbr;
    size_t was = at_most(b->now.inflight_lo, flight);
    uint64_t rate = cc->model.recent[cc->model.full_round % CC_ROUNDS];

    remember(b, cc->model.round_lost);
    b->now.inflight_lo = at_least((size_t)percent(was, YIELD), floor_of(cc, HEADROOM));
    if (rate && rate < rate_of(cc))
        b->now.rate_lo = at_least(rate, percent(rate_of(cc), YIELD));
}

static void loosen_lo(struct cc_bbr *b)
{
    b->now.inflight_lo = SIZE_MAX;
    b->now.rate_lo = UINT64_MAX;
    b->blamed = 0;
}

/* ---- The states ------------------------------------------------------------------------------ */

static bool pushes(const struct cc_bbr *b)
{
    return b->state == CC_BBR_STARTUP || b->state == CC_BBR_UP;
}

/* What is lost now may have been sent while we pushed. */
static bool has_pushed(const struct cc *cc)
{
    return pushes(&cc->bbr) || cc->model.round - cc->bbr.push_round <= PUSH_ROUNDS;
}

/* A linear congruential generator: no secret, only unlike the neighbour's. Who gained by the last
 * probe has less than others or than there is, and asks again soon; who did not, later: so that
 * shares become even, and one that has all hardly disturbs. */
static usec wait_of(struct cc *cc)
{
    struct cc_bbr *b = &cc->bbr;
    uint64_t had = b->had_rate;
    bool has_gained = had && cc_model_recent_rate(&cc->model) >= percent(had, GAINED);
    usec wait = has_gained ? WAIT_GAINED_US : WAIT_US;

    b->chance = b->chance * 1664525 + 1013904223;
    return wait + (usec)((uint64_t)(b->chance >> 16) * (uint64_t)(wait / 2) >> 16);
}

static void enter(struct cc *cc, enum cc_bbr_state to, usec now)
{
    struct cc_bbr *b = &cc->bbr;

    b->state = to;
    b->state_at = now;
    b->state_round = cc->model.round;
    b->full_rounds = 0;
    b->full_rate = to == CC_BBR_UP ? cc_model_recent_rate(&cc->model) : 0;
    if (to == CC_BBR_UP) {
        loosen_lo(b);
        b->is_judged = false;
        b->had_rate = cc_model_recent_rate(&cc->model);
    }
    if (to == CC_BBR_CRUISE)
        b->wait_us = wait_of(cc);
}

/* RFC 4015's undoing, for a model: what losses taught is unlearned once most of them were none. */
static void take_back(struct cc *cc, usec now, size_t found)
{
    struct cc_bbr *b = &cc->bbr;

    b->cleared += found;
    if (!b->blamed || b->cleared * 2 < b->blamed)
        return;
    b->now = b->before;
    b->blamed = 0;
    if (!b->now.is_full && b->state != CC_BBR_STARTUP)
        enter(cc, CC_BBR_STARTUP, now);
}

static unsigned rounds_in_state(const struct cc *cc)
{
    return cc->model.round - cc->bbr.state_round;
}

/* Whether the round lost more than the path always does. What STARTUP does not know yet. */
static bool is_too_much(const struct cc *cc)
{
    const struct cc_model *m = &cc->model;
    uint32_t loss = cc_model_loss_ppm(m), usual = m->usual_loss_ppm;
    uint32_t most = cc->bbr.state == CC_BBR_STARTUP ? LOSS_STARTUP : usual + LOSS_MOST;

    if (m->round_lost < packets(cc, LOST_PACKETS))
        return false;
    return loss > most || (loss > usual + LOSS_QUEUED && cc_model_has_queue(m));
}

/* Whether a queue overflows, ours or another's: a single loss tells, as it tells CUBIC, unless the
 * path loses anyway. */
static bool is_crowded(const struct cc *cc)
{
    const struct cc_model *m = &cc->model;
    bool is_unusual = m->round_lost && cc_model_loss_ppm(m) > 2 * m->usual_loss_ppm;

    return is_too_much(cc) || (is_unusual && cc_model_has_queue(m));
}

/* Counts rounds in which the rate has not grown by the gain, in per cent. */
static void check_full(struct cc *cc, const struct cc_sample *sample, uint64_t gain)
{
    struct cc_bbr *b = &cc->bbr;
    uint64_t rate = cc_model_rate(&cc->model);

    if (sample->is_app_limited)
        return;
    if (rate >= percent(b->full_rate, gain)) {
        b->full_rate = rate;
        b->full_rounds = 0;
    } else {
        b->full_rounds++;
    }
}

static void end_startup(struct cc *cc, usec now)
{
    if (is_too_much(cc) && !cc->bbr.is_judged)
        tighten_hi(cc);
    cc->bbr.now.is_full = true;
    cc->bbr.push_round = cc->model.round;
    enter(cc, CC_BBR_DRAIN, now);
}

static void on_startup_round(struct cc *cc, usec now, const struct cc_sample *sample)
{
    check_full(cc, sample, FULL_GAIN);
    if (cc->bbr.full_rounds >= FULL_ROUNDS || is_too_much(cc))
        end_startup(cc, now);
}

static void on_up_round(struct cc *cc, usec now, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;

    if (is_crowded(cc)) {
        tighten_lo(cc, sample->flight);
        enter(cc, CC_BBR_DOWN, now);
        return;
    }
    if (b->now.inflight_hi < cc->cwnd_bytes_max && sample->is_limited)
        b->now.inflight_hi += b->now.inflight_hi / 4;
    if (rounds_in_state(cc) >= UP_ROUNDS)
        check_full(cc, sample, UP_FULL_GAIN);
    if (b->full_rounds || (rounds_in_state(cc) >= UP_ROUNDS && sample->is_app_limited))
        enter(cc, CC_BBR_DOWN, now);
}

static void on_cruise_round(struct cc *cc, usec now)
{
    size_t rounds = cc_model_product(&cc->model) / cc->packet_bytes;

    rounds = at_least(at_most(rounds, WAIT_ROUNDS), CC_ROUNDS);
    if (now - cc->bbr.state_at >= cc->bbr.wait_us || rounds_in_state(cc) >= rounds)
        enter(cc, CC_BBR_UP, now);
}

static void cruise(struct cc *cc, usec now)
{
    if (cc->bbr.state == CC_BBR_DOWN)
        cc_model_end_probe(&cc->model);
    enter(cc, CC_BBR_CRUISE, now);
}

static void on_round(struct cc *cc, usec now, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;
    bool is_pushing = has_pushed(cc);

    if (!is_pushing && is_crowded(cc))
        tighten_lo(cc, sample->flight);
    else if (is_pushing && !b->is_judged && is_too_much(cc))
        tighten_hi(cc);
    if (pushes(b))
        b->push_round = cc->model.round;
    if (b->state == CC_BBR_STARTUP)
        on_startup_round(cc, now, sample);
    else if (b->state == CC_BBR_UP)
        on_up_round(cc, now, sample);
    else if (b->state == CC_BBR_CRUISE)
        on_cruise_round(cc, now);
    else if (b->state == CC_BBR_DOWN && rounds_in_state(cc) >= DRAIN_ROUNDS)
        cruise(cc, now);
    cc_model_end_round(&cc->model, now, is_pushing);
}

static size_t target(const struct cc *cc)
{
    size_t hi = cc->bbr.now.inflight_hi;
    size_t room = hi == SIZE_MAX ? hi : (size_t)percent(hi, HEADROOM);

    return at_most(cc_model_product(&cc->model), room);
}

/* Whether the queue that pushing made has gone. */
static void check_drained(struct cc *cc, usec now, size_t flight)
{
    enum cc_bbr_state state = cc->bbr.state;

    if ((state == CC_BBR_DRAIN || state == CC_BBR_DOWN) && flight <= target(cc))
        cruise(cc, now);
}

static void enter_probe_rtt(struct cc *cc, usec now)
{
    cc->bbr.full_rtt_us = cc->model.last_rtt_us;
    enter(cc, CC_BBR_PROBE_RTT, now);
}

/* A path that has become longer holds more than we dared to send. */
static void leave_probe_rtt(struct cc *cc, usec now)
{
    struct cc_bbr *b = &cc->bbr;
    bool is_longer = cc_model_try_longer(&cc->model, b->full_rtt_us);

    b->drained_at = now;
    if (!b->now.is_full)
        enter(cc, CC_BBR_STARTUP, now);
    else
        enter(cc, is_longer ? CC_BBR_UP : CC_BBR_CRUISE, now);
}

/* The least round trip shows only when there is no queue, not even our own: now and then for a
 * moment there is none. A pause of the application does as well. */
static void check_probe_rtt(struct cc *cc, usec now, const struct cc_sample *sample)
{
    struct cc_bbr *b = &cc->bbr;
    usec since = now - usec_max(b->drained_at, cc->model.min_rtt_at);

    if (b->state == CC_BBR_PROBE_RTT) {
        if (now - b->state_at >= PROBE_RTT_US && rounds_in_state(cc) >= 2)
            leave_probe_rtt(cc, now);
    } else if (since > PROBE_RTT_EVERY && b->state != CC_BBR_STARTUP) {
        if (sample->is_app_limited)
            b->drained_at = now;
        else
            enter_probe_rtt(cc, now);
    }
}

/* ---- What follows from it -------------------------------------------------------------------- */

static void set_pacing(struct cc *cc)
{
    static const uint16_t gains[] = {
        [CC_BBR_STARTUP] = STARTUP_GAIN, [CC_BBR_DRAIN] = DRAIN_GAIN, [CC_BBR_DOWN] = DOWN_GAIN,
        [CC_BBR_CRUISE] = CRUISE_GAIN,   [CC_BBR_UP] = UP_GAIN,       [CC_BBR_PROBE_RTT] = PERCENT,
    };
    enum cc_bbr_state state = cc->bbr.state;
    uint64_t rate = percent(rate_of(cc), gains[state]);

    if (!rate || (state == CC_BBR_STARTUP && rate < cc->pacing_rate))
        return;
    cc->pacing_rate = rate;
}

static size_t window_wanted(const struct cc *cc)
{
    const struct cc_bbr *b = &cc->bbr;
    size_t product = cc_model_product(&cc->model);
    size_t run = at_most((size_t)(rate_of(cc) * RUN_US / SECOND), RUN_BYTES_MAX);
    size_t bunch = at_most(cc_model_bunch(&cc->model), product + RUN_BYTES_MAX);
    size_t wanted = (size_t)percent(product, WINDOW_GAIN) + at_least(run, bunch) + packets(cc, 3);

    wanted = at_least(wanted, (size_t)percent(cc_model_shared(&cc->model), SHARED_GAIN));
    if (b->state == CC_BBR_PROBE_RTT)
        wanted = product / 2;
    else if (b->state == CC_BBR_UP)
        wanted = at_most(wanted, b->now.inflight_hi);
    else if (b->state != CC_BBR_STARTUP && b->now.inflight_hi != SIZE_MAX)
        wanted = at_most(wanted, (size_t)percent(b->now.inflight_hi, HEADROOM));
    wanted = at_most(wanted, b->now.inflight_lo);
    return at_least(wanted, packets(cc, LEAST_PACKETS));
}

/* Up by what was acknowledged, so that after a timeout it returns no faster than it should. */
static void set_window(struct cc *cc, const struct cc_sample *sample)
{
    size_t wanted = window_wanted(cc);

    if (cc->cwnd_bytes + sample->acked <= wanted)
        cc->cwnd_bytes += sample->acked;
    else if (cc->bbr.state != CC_BBR_STARTUP || cc->cwnd_bytes < wanted)
        cc->cwnd_bytes = wanted;
    cc->cwnd_bytes = at_most(cc->cwnd_bytes, cc->cwnd_bytes_max);
}

/* The first rate is a guess: what the first window would be at the round trip that ICE measured. */
static void bbr_start(struct cc *cc, usec now)
{
    cc->bbr = (struct cc_bbr){
        .chance = cc->seed,
    };
    cc->bbr.now.inflight_hi = SIZE_MAX;
    loosen_lo(&cc->bbr);
    cc->cwnd_bytes = packets(cc, INITIAL_PACKETS);
    cc->pacing_rate = 0;
    if (cc->rtt_us)
        cc->pacing_rate = percent(cc->cwnd_bytes * SECOND / (uint64_t)cc->rtt_us, STARTUP_GAIN);
    cc_model_start(&cc->model, now, cc->rtt_us);
    enter(cc, CC_BBR_STARTUP, now);
}

static void bbr_on_ack(struct cc *cc, usec now, const struct cc_sample *sample)
{
    if (!cc->bbr.drained_at)
        cc->bbr.drained_at = now;
    cc_model_learn(&cc->model, now, sample);
    take_back(cc, now, sample->found);
    if (sample->is_round)
        on_round(cc, now, sample);
    else if (cc->bbr.state == CC_BBR_STARTUP && is_too_much(cc))
        end_startup(cc, now); /* the round may last long: losses are answered first */
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
    info->min_rtt_us = cc->model.min_rtt_us;
    info->delivery_rate = cc_model_rate(&cc->model);
}

const struct cc_ops cc_bbr = {
    .name = "bbr",
    .start = bbr_start,
    .on_ack = bbr_on_ack,
    .on_timeout = bbr_on_timeout,
    .tell = bbr_tell,
};

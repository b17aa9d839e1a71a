/* A model of the path: how fast it delivers, how long it takes, what it loses when nobody asks too
 * much of it, and in what bunches its answers come. draft-ietf-ccwg-bbr §4.5.
 *
 * The highest rate of the last two probes is believed, so that a flow which is asked for nothing,
 * need not find it again. But where a queue stands for five rounds the path may have become slower:
 * then only those rounds count. Unless it stands though we have drained what was ours of it: then
 * it is others', who would take all from a flow that believes what they leave it. */
#include "core/sctp/cc.h"

enum { RTT_SMOOTH = 16, QUEUE_ROUNDS = 5 };

#define PPM            1000000u
#define RTT_WINDOW     (10 * SECOND)
#define BUNCH_MOST     (100 * MILLISECOND)
#define USUAL_MOST_PPM (PPM / 5) /* believed of a path that loses by itself */

/* A peer that acknowledges as it likes makes any number of its rate and its round trip: bytes in a
 * second, whose products are still numbers, and bytes in flight. */
#define RATE_MOST   (UINT64_C(1) << 33)
#define FLIGHT_MOST (UINT64_C(1) << 30)

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t rate_of_last(const struct cc_model *m, unsigned rounds)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < rounds; i++)
        most = larger(most, m->recent[(m->full_round - i) % CC_ROUNDS]);
    return most;
}

uint64_t cc_model_recent_rate(const struct cc_model *m)
{
    return rate_of_last(m, CC_ROUNDS);
}

uint64_t cc_model_rate(const struct cc_model *m)
{
    return larger(m->best[0], m->best[1]);
}

/* Where round trips vary by themselves, the least of them would be too little. Where they vary by
 * more than it, that is a queue, and by our own it would grow. */
size_t cc_model_product(const struct cc_model *m)
{
    usec varies_us = usec_min(2 * m->jitter_us, m->min_rtt_us);
    uint64_t took_us = (uint64_t)usec_min(m->min_rtt_us + varies_us, 10 * MINUTE);
    uint64_t bytes = cc_model_rate(m) * took_us / SECOND;

    return (size_t)(bytes < FLIGHT_MOST ? bytes : FLIGHT_MOST);
}

size_t cc_model_shared(const struct cc_model *m)
{
    uint64_t bytes = cc_model_rate(m) * (uint64_t)usec_min(m->mean_rtt_us, 10 * MINUTE) / SECOND;

    return m->is_shared && bytes < FLIGHT_MOST ? (size_t)bytes : 0;
}

size_t cc_model_bunch(const struct cc_model *m)
{
    size_t most = 0;

    for (unsigned i = 0; i < CC_ROUNDS; i++)
        most = m->bunches[i] > most ? m->bunches[i] : most;
    return most;
}

bool cc_model_has_queue(const struct cc_model *m)
{
    return m->round_rtt_us > m->min_rtt_us + m->min_rtt_us / 8 + MILLISECOND + 2 * m->jitter_us;
}

uint32_t cc_model_loss_ppm(const struct cc_model *m)
{
    uint64_t all = (uint64_t)m->round_acked + m->round_lost;

    return all ? (uint32_t)((uint64_t)m->round_lost * PPM / all) : 0;
}

/* What goes first may all be sent again, from a path that died, and measure nothing: so what ICE
 * measured is the first sample. */
void cc_model_start(struct cc_model *m, usec now, usec rtt_us)
{
    *m = (struct cc_model){ .min_rtt_us = rtt_us, .mean_rtt_us = rtt_us };
    m->min_rtt_at = m->window_at = m->bunch_at = now;
}

static void learn_rtt(struct cc_model *m, usec now, usec rtt_us)
{
    usec off;

    if (!rtt_us)
        return;
    if (!m->round_rtt_us || rtt_us < m->round_rtt_us)
        m->round_rtt_us = rtt_us;
    if (!m->mean_rtt_us)
        m->mean_rtt_us = rtt_us;
    off = usec_max(rtt_us - m->mean_rtt_us, m->mean_rtt_us - rtt_us);
    m->jitter_us += (off - m->jitter_us) / RTT_SMOOTH;
    m->mean_rtt_us += (rtt_us - m->mean_rtt_us) / RTT_SMOOTH;
    if (!m->min_rtt_us || rtt_us < m->min_rtt_us)
        m->min_rtt_us = rtt_us;
    if (rtt_us <= m->min_rtt_us + m->min_rtt_us / 32 + MILLISECOND / 4)
        m->min_rtt_at = now; /* seen again, as good as */
}

/* A round trip that has become longer, and steadily so, is the path's; one that goes up and down is
 * a queue that others keep filling, and to take it for the path's would be to do as they do. */
static void watch_longer(struct cc_model *m, usec now)
{
    usec least = m->window_least_us, most = m->window_most_us;

    if (now - m->window_at > RTT_WINDOW) {
        if (least && most - least < least / 16 + MILLISECOND + 2 * m->jitter_us &&
            now - m->min_rtt_at > RTT_WINDOW)
            m->min_rtt_us = least;
        m->window_at = now;
        m->window_least_us = m->window_most_us = least = most = 0;
    }
    if (!m->round_rtt_us)
        return;
    m->window_least_us = least ? usec_min(least, m->round_rtt_us) : m->round_rtt_us;
    m->window_most_us = usec_max(most, m->round_rtt_us);
}

/* What the application held back says only that the path is no slower. */
static void learn_rate(struct cc_model *m, const struct cc_sample *sample)
{
    uint64_t *slot = &m->recent[m->full_round % CC_ROUNDS];
    uint64_t rate = sample->rate < RATE_MOST ? sample->rate : RATE_MOST;

    if (sample->is_app_limited && rate < cc_model_rate(m))
        return;
    m->is_round_full |= rate > 0;
    *slot = larger(*slot, rate);
    m->best[0] = larger(m->best[0], rate);
}

/* draft-ietf-ccwg-bbr §4.5.9: how much more was acknowledged than the rate accounts for since it
 * last kept up. */
static void learn_bunch(struct cc_model *m, usec now, size_t acked)
{
    size_t *slot = &m->bunches[m->round % CC_ROUNDS];
    uint64_t rate = cc_model_rate(m), most = rate * BUNCH_MOST / SECOND, due, ahead;

    if (now - m->bunch_at < SECOND)
        due = rate * (uint64_t)(now - m->bunch_at) / SECOND;
    else
        due = UINT64_MAX; /* long ago */
    if (m->bunch_acked <= due) {
        m->bunch_at = now;
        m->bunch_acked = due = 0;
    }
    m->bunch_acked += acked;
    ahead = m->bunch_acked - due;
    *slot = (size_t)larger(*slot, ahead < most ? ahead : most);
}

void cc_model_learn(struct cc_model *m, usec now, const struct cc_sample *sample)
{
    size_t found = sample->found < m->round_lost ? sample->found : m->round_lost;

    m->round_acked += sample->acked;
    m->round_lost += sample->lost - found;
    learn_rtt(m, now, sample->rtt_us);
    learn_rate(m, sample);
    learn_bunch(m, now, sample->acked);
}

/* Up by a quarter of the difference, and down more slowly: losses come in clusters. */
static void learn_usual_loss(struct cc_model *m)
{
    uint32_t loss = cc_model_loss_ppm(m);

    if (cc_model_has_queue(m))
        return;
    if (loss > USUAL_MOST_PPM)
        loss = USUAL_MOST_PPM;
    if (loss > m->usual_loss_ppm)
        m->usual_loss_ppm += (loss - m->usual_loss_ppm) / 4;
    else
        m->usual_loss_ppm -= (m->usual_loss_ppm - loss) / 16;
}

void cc_model_end_round(struct cc_model *m, usec now, bool is_pushing)
{
    if (!is_pushing) {
        learn_usual_loss(m);
        watch_longer(m, now);
    }
    m->last_rtt_us = m->round_rtt_us ? m->round_rtt_us : m->last_rtt_us;
    if (!cc_model_has_queue(m))
        m->queue_rounds = 0;
    else if (!is_pushing)
        m->queue_rounds++;
    m->is_shared = m->is_shared && m->queue_rounds;
    if (m->queue_rounds >= QUEUE_ROUNDS) {
        m->best[0] = rate_of_last(m, QUEUE_ROUNDS);
        m->best[1] = 0;
    }
    m->round++;
    m->bunches[m->round % CC_ROUNDS] = 0;
    if (m->is_round_full) {
        m->full_round++;
        m->recent[m->full_round % CC_ROUNDS] = 0;
    }
    m->is_round_full = false;
    m->round_acked = m->round_lost = 0;
    m->round_rtt_us = 0;
}

bool cc_model_try_longer(struct cc_model *m, usec full_rtt_us)
{
    if (m->last_rtt_us <= m->min_rtt_us + m->min_rtt_us / 8 ||
        m->last_rtt_us < full_rtt_us - full_rtt_us / 32 - MILLISECOND / 4)
        return false;
    m->min_rtt_us = m->last_rtt_us;
    return true;
}

void cc_model_end_probe(struct cc_model *m)
{
    m->is_shared = cc_model_has_queue(m);
    if (m->probe_round == m->full_round)
        return; /* the application said too little to tell */
    m->probe_round = m->full_round;
    m->best[1] = m->best[0];
    m->best[0] = 0;
}

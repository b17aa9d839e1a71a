#include "core/sctp/cc.h"

enum { INITIAL_PACKETS = 10, LEAST_PACKETS = 4 };

static size_t at_least(size_t value, size_t least)
{
    return value < least ? least : value;
}

static void newreno_start(struct cc *cc, usec now)
{
    (void)now;
    cc->cwnd_bytes = INITIAL_PACKETS * cc->packet_bytes; /* RFC 6928; deviations.md, S1 */
    cc->ssthresh_bytes = cc->cwnd_bytes_max;
    cc->partial_bytes = 0;
}

/* Slow start grows by all that was acknowledged, not by one packet per SACK: a SACK may answer a
 * whole run of packets (deviations.md, S3). */
static void newreno_on_ack(struct cc *cc, usec now, const struct cc_sample *sample)
{
    size_t acked = sample->acked;

    (void)now;
    if (!sample->is_limited || sample->is_recovering)
        return;
    if (cc->cwnd_bytes <= cc->ssthresh_bytes) {
        cc->cwnd_bytes += acked;
    } else {
        cc->partial_bytes += acked;
        if (cc->partial_bytes >= cc->cwnd_bytes) {
            cc->partial_bytes -= cc->cwnd_bytes;
            cc->cwnd_bytes += cc->packet_bytes;
        }
    }
    if (cc->cwnd_bytes > cc->cwnd_bytes_max)
        cc->cwnd_bytes = cc->cwnd_bytes_max;
}

static void newreno_on_loss(struct cc *cc, usec now, size_t flight)
{
    (void)now;
    (void)flight;
    cc->ssthresh_bytes = at_least(cc->cwnd_bytes / 2, LEAST_PACKETS * cc->packet_bytes);
    cc->cwnd_bytes = cc->ssthresh_bytes;
    cc->partial_bytes = 0;
}

static void newreno_on_timeout(struct cc *cc, usec now)
{
    (void)now;
    cc->ssthresh_bytes = at_least(cc->cwnd_bytes / 2, LEAST_PACKETS * cc->packet_bytes);
    cc->cwnd_bytes = cc->packet_bytes;
    cc->partial_bytes = 0;
}

/* Halved, down to where it began. */
static void newreno_on_idle(struct cc *cc, usec now)
{
    size_t least = INITIAL_PACKETS * cc->packet_bytes;

    (void)now;
    if (cc->cwnd_bytes > least)
        cc->cwnd_bytes = at_least(cc->cwnd_bytes / 2, least);
}

const struct cc_ops cc_newreno = {
    .name = "newreno",
    .start = newreno_start,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_timeout = newreno_on_timeout,
    .on_idle = newreno_on_idle,
};

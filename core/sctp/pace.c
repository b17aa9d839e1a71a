/* Pacing: bytes may leave as fast as congestion control says, in bursts no longer than what a timer
 * of a millisecond and one system call a run need. */
#include "core/sctp/assoc.h"

#define BURST_US      (2 * MILLISECOND) /* timers come up to 1 ms late */
#define QUANTUM_US    MILLISECOND       /* how much is worth a wake-up */
#define BURST_PACKETS 10                /* at least: RFC 6928 allows as many after a pause */

static int64_t burst_of(const struct sctp *s)
{
    int64_t least = BURST_PACKETS * (int64_t)s->cc.packet_bytes;
    int64_t burst = (int64_t)(s->cc.pacing_rate * BURST_US / SECOND);

    return burst > least ? burst : least;
}

/* Whole bytes only: time that was too short for one counts on, or who asks often would get fewer,
 * if any. */
static void add_tokens(struct sctp *s, usec since)
{
    uint64_t rate = s->cc.pacing_rate, more = rate * (uint64_t)since / SECOND;

    s->tx.tokens += (int64_t)more;
    s->tx.paced_at += (usec)((more * SECOND + rate - 1) / rate);
}

void pace_refill(struct sctp *s, usec now)
{
    int64_t burst = burst_of(s);
    usec since = now - s->tx.paced_at;
    bool is_long = since >= BURST_US * 8;

    if (!s->cc.pacing_rate)
        return;
    if (!is_long && since > 0)
        add_tokens(s, since);
    if (is_long || s->tx.tokens >= burst) {
        s->tx.tokens = burst;
        s->tx.paced_at = now;
    }
    s->pace_at = USEC_NEVER;
}

bool pace_allows(const struct sctp *s)
{
    return !s->cc.pacing_rate || s->tx.tokens > 0;
}

void pace_take(struct sctp *s, size_t bytes)
{
    if (s->cc.pacing_rate)
        s->tx.tokens -= (int64_t)bytes;
}

/* Something waits for tokens alone: when there will be enough. */
void pace_arm(struct sctp *s, usec now)
{
    uint64_t rate = s->cc.pacing_rate;
    uint64_t quantum = rate * QUANTUM_US / SECOND, wanted;

    if (quantum < s->cc.packet_bytes)
        quantum = s->cc.packet_bytes;
    wanted = quantum + (s->tx.tokens < 0 ? (uint64_t)-s->tx.tokens : 0);
    s->pace_at = now + usec_clamp((usec)(wanted * SECOND / rate), 1, SECOND);
}

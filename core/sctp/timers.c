/* Deadlines. RFC 9260 §16 lists the timers; each is one field of the association. */
#include "core/sctp/assoc.h"

static void repeat_control(struct sctp *s)
{
    s->is_init_due = s->state == STATE_COOKIE_WAIT;
    s->is_cookie_echo_due = s->state == STATE_COOKIE_ECHOED;
    s->is_shutdown_due = s->state == STATE_SHUTDOWN_SENT;
    s->is_shutdown_ack_due = s->state == STATE_SHUTDOWN_ACK_SENT;
}

/* T1 and T2: the handshake's or the farewell's last chunk goes out again. */
static void on_control_due(struct sctp *s, usec now, usec *at)
{
    *at = USEC_NEVER;
    if (++s->attempts > s->cfg.retransmits_max) {
        assoc_end(s, now, SCTP_REASON_TIMEOUT, 0);
        return;
    }
    rto_back_off(&s->rto);
    *at = now + s->rto.rto_us;
    repeat_control(s);
}

/* Never later than it was, or a path that changes all the time would put it off for ever. */
static void restart(usec *at, usec now, usec wait_us, bool is_repeated)
{
    if (*at != USEC_NEVER)
        *at = is_repeated ? now + wait_us : usec_min(*at, now + wait_us);
}

/* Every wait for an answer counts by the new path's round trip. One that a dead path swallowed is
 * asked for again at once, and so that the peer need not guess, it is told what has come. */
void timers_change_path(struct sctp *s, usec now, bool old_is_dead)
{
    restart(&s->t1_at, now, s->rto.rto_us, old_is_dead);
    restart(&s->t2_at, now, s->rto.rto_us, old_is_dead);
    restart(&s->reconfig_at, now, s->rto.rto_us, old_is_dead);
    s->heartbeat_lost_at = USEC_NEVER;
    s->heartbeat_nonce = 0;
    if (!old_is_dead)
        return;
    repeat_control(s);
    s->reconfig.is_due = s->reconfig.asked_count > 0;
    s->rx.is_sack_due = assoc_may_receive_data(s);
}

static void on_guard_due(struct sctp *s, usec now)
{
    assoc_fail(s, now, CAUSE_USER_ABORT, "shutdown takes too long");
    s->reason = SCTP_REASON_TIMEOUT;
    s->cause_code = 0;
}

void sctp_tick(struct sctp *s, usec now)
{
    if (now >= s->t1_at)
        on_control_due(s, now, &s->t1_at);
    if (now >= s->t2_at)
        on_control_due(s, now, &s->t2_at);
    if (now >= s->t5_at)
        on_guard_due(s, now);
    loss_tick(s, now);
    if (now >= s->pace_at)
        s->pace_at = USEC_NEVER; /* sctp_poll_output() counts what may leave */
    if (now >= s->sack_at) {
        s->sack_at = USEC_NEVER;
        s->rx.is_sack_due = true;
    }
    heartbeat_tick(s, now);
    reconfig_tick(s, now);
    pmtu_tick(s, now);
    queue_pool_tick(s, now);
    abandon_tick(s, now);
}

usec sctp_next_timeout(const struct sctp *s)
{
    const usec all[] = { s->t1_at,        s->t2_at,         s->t3_at,
                         s->t5_at,        s->sack_at,       s->heartbeat_at,
                         s->reconfig_at,  s->pool_retry_at, s->heartbeat_lost_at,
                         s->probe_at,     s->hold_at,       s->pace_at,
                         s->pmtu.lost_at, s->give_up_at,    s->overdue_at };
    usec least = USEC_NEVER;

    for (size_t i = 0; i < COUNT(all); i++)
        least = usec_min(least, all[i]);
    return least;
}

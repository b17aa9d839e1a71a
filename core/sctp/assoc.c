/* The association's life: made, states, ended. */
#include "core/sctp/assoc.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/crypto.h>

static void or_default(size_t *field, size_t value)
{
    if (*field == 0)
        *field = value;
}

static void time_or_default(usec *field, usec value)
{
    if (*field == 0)
        *field = value;
}

static void fill_defaults(struct sctp_config *c)
{
    c->local_port = c->local_port ? c->local_port : 5000;
    c->remote_port = c->remote_port ? c->remote_port : 5000;
    c->streams_max = c->streams_max ? c->streams_max : 1024;
    c->retransmits_max = c->retransmits_max ? c->retransmits_max : 10;
    or_default(&c->packet_bytes_max, 1160);
    or_default(&c->message_bytes_max, 262144);
    or_default(&c->tx_bytes_max, 4u << 20);
    or_default(&c->stream_tx_bytes_max, 1u << 20);
    or_default(&c->rx_bytes_max, 4u << 20);
    time_or_default(&c->rto_initial_us, SECOND);
    time_or_default(&c->rto_min_us, 200 * MILLISECOND);
    time_or_default(&c->rto_max_us, 10 * SECOND);
    time_or_default(&c->heartbeat_us, 30 * SECOND);
}

/* The least packet lets INIT ACK with its cookie pass; the most is what out.h can carry. */
static bool is_possible(const struct sctp_config *c)
{
    return c->pool && c->packet_bytes_max >= 256 && c->packet_bytes_max <= 60000 &&
           c->stream_tx_bytes_max >= c->message_bytes_max + sizeof(struct tx_message) &&
           c->tx_bytes_max >= c->stream_tx_bytes_max && c->rx_bytes_max >= 4096 &&
           c->rx_bytes_max <= 1u << 30 && c->tx_bytes_max <= 1u << 30 && c->rto_min_us > 0 &&
           c->rto_min_us <= c->rto_max_us && c->heartbeat_us > 0;
}

static void stop_timers(struct sctp *s)
{
    s->t1_at = s->t2_at = s->t3_at = s->t5_at = s->sack_at = USEC_NEVER;
    s->heartbeat_at = s->heartbeat_lost_at = s->reconfig_at = s->pool_retry_at = USEC_NEVER;
    s->overdue_at = s->probe_at = s->pace_at = s->hold_at = s->pmtu.lost_at = s->give_up_at =
        USEC_NEVER;
}

int sctp_new(struct sctp **out, const struct sctp_config *cfg, const struct rng *rng)
{
    struct sctp *s = *out = calloc(1, sizeof *s);

    if (!s)
        return ERR_NOMEM;
    s->cfg = *cfg;
    fill_defaults(&s->cfg);
    if (!is_possible(&s->cfg)) {
        free(s);
        *out = NULL;
        return ERR_INVALID;
    }
    s->rng = rng;
    s->out_streams = s->cfg.streams_max;
    s->offered = handshake_our_extensions(s);
    s->local_tag = rng_u32(rng) | 1; /* 0 means "no tag" */
    s->initial_tsn = rng_u32(rng);
    rng_fill(rng, s->cookie_key, sizeof s->cookie_key);
    chain_init(&s->replies, s->cfg.pool);
    rto_init(&s->rto, s->cfg.rto_initial_us, s->cfg.rto_min_us, s->cfg.rto_max_us);
    s->cc = (struct cc){
        .ops = &cc_bbr,
        .packet_bytes = s->cfg.packet_bytes_max,
        .seed = s->initial_tsn,
        .cwnd_bytes_max = s->cfg.tx_bytes_max + s->cfg.tx_bytes_max / 8,
    };
    s->cc.ops->start(&s->cc, 0);
    pmtu_change_path(s, s->cfg.packet_bytes_max);
    tx_init(s);
    rx_init(s);
    stop_timers(s);
    return ERR_OK;
}

void sctp_free(struct sctp *s)
{
    if (!s)
        return;
    tx_deinit(s);
    rx_deinit(s);
    streams_free(s);
    chain_deinit(&s->replies);
    free(s->peer_cookie);
    OPENSSL_cleanse(s->cookie_key, sizeof s->cookie_key);
    free(s);
}

/* Row: from; bits: to. RFC 9260 §4. */
#define TO(state) (1u << STATE_##state)
static const uint16_t may_become[STATES] = {
    [STATE_CLOSED] = TO(COOKIE_WAIT) | TO(UP) | TO(ENDED),
    [STATE_COOKIE_WAIT] = TO(COOKIE_ECHOED) | TO(COOKIE_WAIT) | TO(UP) | TO(ENDED),
    [STATE_COOKIE_ECHOED] = TO(UP) | TO(COOKIE_WAIT) | TO(ENDED),
    [STATE_UP] = TO(SHUTDOWN_PENDING) | TO(SHUTDOWN_SENT) | TO(SHUTDOWN_RECEIVED) | TO(ENDED),
    [STATE_SHUTDOWN_PENDING] = TO(SHUTDOWN_SENT) | TO(SHUTDOWN_RECEIVED) | TO(ENDED),
    [STATE_SHUTDOWN_SENT] = TO(SHUTDOWN_ACK_SENT) | TO(ENDED),
    [STATE_SHUTDOWN_RECEIVED] = TO(SHUTDOWN_ACK_SENT) | TO(ENDED),
    [STATE_SHUTDOWN_ACK_SENT] = TO(ENDED),
};
#undef TO

/* Sets what the new state is to send and when it is to be sent again. */
void assoc_enter(struct sctp *s, enum sctp_state to, usec now)
{
    bool is_handshake = to == STATE_COOKIE_WAIT || to == STATE_COOKIE_ECHOED;
    bool is_closing = to == STATE_SHUTDOWN_SENT || to == STATE_SHUTDOWN_ACK_SENT;

    assert(may_become[s->state] & 1u << to);
    s->state = to;
    s->attempts = 0;
    s->is_init_due = to == STATE_COOKIE_WAIT;
    s->is_cookie_echo_due = to == STATE_COOKIE_ECHOED;
    s->is_shutdown_due = to == STATE_SHUTDOWN_SENT;
    s->is_shutdown_ack_due = to == STATE_SHUTDOWN_ACK_SENT;
    s->t1_at = is_handshake ? now + s->rto.rto_us : USEC_NEVER;
    s->t2_at = is_closing ? now + s->rto.rto_us : USEC_NEVER;
    if (is_closing && s->t5_at == USEC_NEVER)
        s->t5_at = now + SHUTDOWN_GUARD_RTOS * s->cfg.rto_max_us;
    if (to == STATE_UP) {
        s->is_up_untold = true;
        s->errors = 0;
        free(s->peer_cookie);
        s->peer_cookie = NULL;
        if (s->tx.base_tsn != s->tx.next_tsn)
            loss_arm_t3(s, now); /* data that rode with COOKIE ECHO */
        heartbeat_postpone(s, now);
    }
    if (to == STATE_ENDED)
        stop_timers(s);
}

/* The one way to end. What was received stays readable. */
void assoc_end(struct sctp *s, usec now, enum sctp_reason reason, uint16_t cause_code)
{
    if (s->state == STATE_ENDED)
        return;
    assoc_enter(s, STATE_ENDED, now);
    s->is_heartbeat_due = s->rx.is_sack_due = s->reconfig.is_due = false;
    chain_drop(&s->replies, s->replies.len);
    s->reason = reason;
    s->cause_code = cause_code;
    s->is_closed_untold = true;
}

/* ABORT towards a peer that broke the rules. */
void assoc_fail(struct sctp *s, usec now, enum cause_code cause, const char *text)
{
    if (s->state == STATE_ENDED)
        return;
    s->is_abort_due = true;
    s->is_abort_reflected = false;
    s->abort_tag = s->peer_tag;
    s->abort_cause = (uint16_t)cause;
    s->abort_text[0] = 0;
    for (size_t i = 0; text[i] && i < ABORT_TEXT_MAX - 1; i++) {
        s->abort_text[i] = text[i];
        s->abort_text[i + 1] = 0;
    }
    assoc_end(s, now, SCTP_REASON_PROTOCOL, (uint16_t)cause);
}

bool assoc_may_send_data(const struct sctp *s)
{
    return s->state == STATE_UP || s->state == STATE_SHUTDOWN_PENDING ||
           s->state == STATE_SHUTDOWN_RECEIVED;
}

bool assoc_may_receive_data(const struct sctp *s)
{
    return s->state == STATE_UP || s->state == STATE_SHUTDOWN_PENDING ||
           s->state == STATE_SHUTDOWN_SENT;
}

bool assoc_count_error(struct sctp *s, usec now)
{
    if (++s->errors <= s->cfg.retransmits_max)
        return true;
    assoc_end(s, now, SCTP_REASON_TIMEOUT, 0);
    return false;
}

bool sctp_is_up(const struct sctp *s)
{
    return s->state == STATE_UP;
}

/* How long what is out may still take by the path it went: its acknowledgement may be a delayed
 * one, and come last. */
static usec time_of_flight(const struct sctp *s)
{
    if (s->rto.srtt_us == 0)
        return s->rto.rto_us;
    return s->rto.srtt_us + usec_max(2 * s->rto.rttvar_us, SACK_DELAY_US);
}

void sctp_path_changed(struct sctp *s, usec now, usec rtt_us, size_t packet_bytes_max,
                       bool old_is_dead)
{
    usec hold_us = time_of_flight(s);

    pmtu_change_path(s, packet_bytes_max >= 256 && packet_bytes_max <= 60000 ? packet_bytes_max
                                                                             : s->pmtu.base);
    s->cc.rtt_us = rtt_us;
    s->cc.ops->start(&s->cc, now);
    throughput_change_path(s, now);
    rto_init(&s->rto, s->cfg.rto_initial_us, s->cfg.rto_min_us, s->cfg.rto_max_us);
    if (rtt_us > 0)
        rto_add_sample(&s->rto, rtt_us);
    s->errors = 0;
    timers_change_path(s, now, old_is_dead);
    loss_change_path(s, now, hold_us, old_is_dead);
}

void sctp_set_rtt(struct sctp *s, usec rtt_us)
{
    if (s->rto.srtt_us || rtt_us <= 0)
        return;
    rto_add_sample(&s->rto, rtt_us);
    s->cc.rtt_us = rtt_us;
    if (s->t3_at == USEC_NEVER)
        return;
    loss_arm_t3(s, s->tx.last_sent_at); /* as if it had been known then */
    loss_arm_probe(s, s->tx.last_sent_at);
}

void sctp_get_info(const struct sctp *s, struct sctp_info *info)
{
    *info = s->info;
    info->extensions = handshake_agreed(s);
    info->srtt_us = s->rto.srtt_us;
    info->rto_us = s->rto.rto_us;
    info->packet_bytes = s->cc.packet_bytes;
    info->cwnd_bytes = s->cc.cwnd_bytes;
    info->flight_bytes = s->tx.flight_bytes;
    info->queued_bytes = s->tx.queued_bytes;
    info->unread_bytes = s->rx.unread_bytes;
    if (s->tx.peer_rwnd > s->tx.flight_payload)
        info->peer_room_bytes = s->tx.peer_rwnd - s->tx.flight_payload;
    info->pacing_rate = s->cc.pacing_rate;
    info->is_app_limited = s->tx.throughput.app_limited_until != 0;
    s->cc.ops->tell(&s->cc, info);
}

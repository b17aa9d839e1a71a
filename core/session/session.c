#include "core/session/internal.h"

#include <assert.h>
#include <stdlib.h>

static usec or_default(usec value, usec usual)
{
    return value ? value : usual;
}

static void fill_defaults(struct session_config *cfg)
{
    cfg->half_open_us = or_default(cfg->half_open_us, 10 * SECOND);
    cfg->dead_us = or_default(cfg->dead_us, 30 * SECOND);
    cfg->flush_us = or_default(cfg->flush_us, SECOND);
    cfg->zombie_us = or_default(cfg->zombie_us, 20 * MINUTE);
    if (!cfg->rx_bytes_max)
        cfg->rx_bytes_max = CHANNEL_UNREAD_MAX;
}

/* The association exists before there is anyone to speak to: its INIT travels in our description.
 * It must not give up before the session does, which is told of paths. */
static int make_sctp(struct session *s)
{
    const struct sctp_config cfg = {
        .pool = s->cfg.pool,
        .packet_bytes_max = SESSION_PACKET_MAX,
        .stream_tx_bytes_max = 4 << 20,
        .tx_bytes_max = 8 << 20,
        .rx_bytes_max = s->cfg.rx_bytes_max,
        .heartbeat_us = USEC_NEVER, /* consent keeps the path, and notices its end */
        .is_protected = true,
        .without = s->cfg.sctp_without,
        .retransmits_max = 10 + (unsigned)(usec_min(s->cfg.dead_us, 10 * MINUTE) / SECOND),
    };
    int err = sctp_new(&s->sctp, &cfg, s->rng);

    return err ? err : channel_init(&s->channels, s->sctp);
}

static void init_times(struct session *s)
{
    s->half_open_at = s->flush_at = s->open_at = USEC_NEVER;
    s->unanswered_at = s->restarts.at = USEC_NEVER;
}

int session_new(struct session **out, const struct session_config *cfg, const struct rng *rng)
{
    struct session *s = *out = calloc(1, sizeof *s);
    int err;

    if (!s)
        return ERR_NOMEM;
    s->cfg = *cfg;
    s->rng = rng;
    init_times(s);
    fill_defaults(&s->cfg);
    chain_init(&s->early, cfg->pool);
    err = make_sctp(s);
    if (!err)
        err = session_agent_init(s, 0, &s->agent, cfg->role == SESSION_OFFERER);
    if (err) {
        session_free(s);
        *out = NULL;
        return err;
    }
    if (cfg->role == SESSION_OFFERER) {
        s->init_len = sctp_get_init(s->sctp, s->init);
        s->has_sped = sped_start(&s->sped) == ERR_OK; /* without memory: the old way */
    }
    return ERR_OK;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    sctp_free(s->sctp);
    dtls_free(s->dtls);
    session_agent_deinit(&s->agent);
    session_agent_deinit(&s->next);
    session_relays_deinit(s);
    sped_deinit(&s->sped);
    chain_deinit(&s->early);
    free(s);
}

/* Row: from; bits: to. */
static const uint16_t may_become[SESSION_STATES] = {
    [SESSION_NEW] = 1 << SESSION_CONNECTING | 1 << SESSION_CLOSED,
    [SESSION_CONNECTING] = 1 << SESSION_SECURING | 1 << SESSION_CLOSED,
    [SESSION_SECURING] = 1 << SESSION_ASSOCIATING | 1 << SESSION_CLOSED,
    [SESSION_ASSOCIATING] = 1 << SESSION_OPEN | 1 << SESSION_CLOSED,
    [SESSION_OPEN] = 1 << SESSION_CLOSING | 1 << SESSION_CLOSED,
    [SESSION_CLOSING] = 1 << SESSION_CLOSED,
};

void session_enter(struct session *s, enum session_state to, usec now)
{
    assert(may_become[s->state] & 1 << to);
    s->state = to;
    switch (to) {
    case SESSION_CONNECTING:
        s->started_at = s->heard_at = now;
        s->half_open_at = now + s->cfg.half_open_us;
        break;
    case SESSION_OPEN:
        s->open_at = s->app_at = s->heard_at = now;
        s->half_open_at = USEC_NEVER;
        s->open_due = true;
        break;
    case SESSION_CLOSING:
        s->flush_at = now + s->cfg.flush_us;
        break;
    case SESSION_CLOSED:
        s->half_open_at = s->flush_at = s->unanswered_at = s->restarts.at = USEC_NEVER;
        s->restarts.is_due = false;
        s->closed_due = true;
        break;
    default:
        break;
    }
}

/* Whether the application may send on this channel now. */
static bool may_send(const struct session *s, unsigned channel)
{
    return s->state == SESSION_OPEN && channel < CHANNEL_COUNT;
}

size_t session_send(struct session *s, usec now, unsigned channel, struct bytes data)
{
    size_t done;

    if (!may_send(s, channel))
        return 0;
    done = channel_send(&s->channels, now, channel, data);
    if (done)
        s->app_at = now;
    return done;
}

size_t session_send_room(const struct session *s, unsigned channel)
{
    return may_send(s, channel) ? channel_send_room(&s->channels, channel) : 0;
}

size_t session_unsent_bytes(const struct session *s, unsigned channel)
{
    return may_send(s, channel) ? sctp_stream_unsent_bytes(s->sctp, (uint16_t)channel) : 0;
}

size_t session_window_bytes(const struct session *s)
{
    return s->state == SESSION_OPEN ? sctp_window_bytes(s->sctp) : 0;
}

size_t session_send_chain(struct session *s, usec now, unsigned channel, struct chain *from,
                          size_t len)
{
    size_t done;

    if (!may_send(s, channel))
        return 0;
    done = channel_send_chain(&s->channels, now, channel, from, len);
    if (done)
        s->app_at = now;
    return done;
}

int session_send_message(struct session *s, usec now, unsigned channel, struct chain *from,
                         size_t len, usec accepted_at)
{
    int err;

    if (!may_send(s, channel))
        return ERR_WRONG_STATE;
    err = channel_send_message(&s->channels, now, channel, from, len, accepted_at);
    if (!err)
        s->app_at = now;
    return err;
}

int session_set_lossy(struct session *s, usec now, unsigned channel, usec lifetime_us,
                      unsigned retransmits_max)
{
    if (!may_send(s, channel))
        return ERR_WRONG_STATE;
    return channel_set_lossy(&s->channels, now, channel, lifetime_us, retransmits_max);
}

bool session_peer_is_lossy(const struct session *s, unsigned channel)
{
    return channel < CHANNEL_COUNT && channel_peer_is_lossy(&s->channels, channel);
}

int session_set_priority(struct session *s, unsigned channel, unsigned priority_class,
                         unsigned weight)
{
    if (!may_send(s, channel))
        return ERR_WRONG_STATE;
    return channel_set_priority(&s->channels, channel, priority_class, weight);
}

/* What arrived can still be read after the end. */
static bool may_recv(const struct session *s, unsigned channel)
{
    return s->open_at != USEC_NEVER && channel < CHANNEL_COUNT;
}

struct bytes session_peek(struct session *s, usec now, unsigned channel)
{
    if (!may_recv(s, channel))
        return bytes_of(NULL, 0);
    return channel_peek(&s->channels, now, channel);
}

void session_consume(struct session *s, usec now, unsigned channel, size_t len)
{
    s->app_at = now;
    channel_consume(&s->channels, now, channel, len);
}

size_t session_recv_chain(struct session *s, usec now, unsigned channel, struct chain *to,
                          size_t len, bool *ends)
{
    *ends = false;
    if (!may_recv(s, channel))
        return 0;
    len = channel_recv_chain(&s->channels, now, channel, to, len, ends);
    if (len)
        s->app_at = now;
    return len;
}

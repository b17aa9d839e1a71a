/* local.c: what this side has to offer. It is remembered, since a restart offers it again. */
#include <string.h>

#include "core/session/internal.h"

struct agent *session_newest(struct session *s)
{
    return s->next.ice ? &s->next : &s->agent;
}

/* Tables of an agent hold as much as the session's: what one took, the next will. */
static int add_all(struct session *s, usec now, struct ice *ice)
{
    int err = ERR_OK;

    for (uint8_t i = 0; i < s->socket_count && !err; i++)
        err = ice_add_host(ice, now, &s->sockets[i].base, s->sockets[i].preference);
    for (uint8_t i = 0; i < s->server_count && !err; i++)
        err = ice_add_stun_server(ice, now, &s->servers[i]);
    return err;
}

int session_agent_init(struct session *s, usec now, struct agent *a, bool is_controlling)
{
    const struct ice_config cfg = {
        .controlling = is_controlling,
        /* five answers may be lost before silence means anything */
        .consent_interval_us = usec_min(5 * SECOND, s->cfg.dead_us / 6),
        .consent_timeout_us = s->cfg.dead_us,
        .fail_after_us = s->cfg.half_open_us,
    };
    int err;

    *a = (struct agent){ 0 };
    err = ice_new(&a->ice, &cfg, s->rng);
    if (!err)
        err = add_all(s, now, a->ice);
    if (err)
        session_agent_deinit(a);
    else
        session_add_relayed(s, now, a);
    return err;
}

void session_agent_deinit(struct agent *a)
{
    ice_free(a->ice);
    *a = (struct agent){ 0 };
}

static void end_agent(usec now, struct agent *a)
{
    if (!a->ice || a->is_local_ended)
        return;
    a->is_local_ended = true;
    ice_end_local(a->ice, now);
}

/* A relay that is still being asked may yet bring a candidate. */
void session_end_gathering(struct session *s, usec now)
{
    if (!s->is_local_ended || session_is_asking_relays(s))
        return;
    end_agent(now, &s->agent);
    end_agent(now, &s->next);
}

void session_end_local(struct session *s, usec now)
{
    s->clock = now;
    s->is_local_ended = true;
    session_end_gathering(s, now);
}

static bool has_socket(const struct session *s, const struct addr *base)
{
    for (uint8_t i = 0; i < s->socket_count; i++)
        if (addr_equal(&s->sockets[i].base, base))
            return true;
    return false;
}

int session_add_socket(struct session *s, usec now, const struct addr *base, uint16_t preference)
{
    int err;

    s->clock = now;
    if (has_socket(s, base))
        return ERR_OK;
    if (s->socket_count == SESSION_SOCKETS_MAX)
        return ERR_LIMIT;
    err = ice_add_host(session_newest(s)->ice, now, base, preference);
    if (err)
        return err;
    if (s->next.ice)
        (void)ice_add_host(s->agent.ice, now, base, preference); /* the newest is what counts */
    s->sockets[s->socket_count++] =
        (struct session_socket){ .base = *base, .preference = preference };
    return ERR_OK;
}

void session_remove_socket(struct session *s, usec now, const struct addr *base)
{
    s->clock = now;
    for (uint8_t i = 0; i < s->socket_count; i++) {
        if (!addr_equal(&s->sockets[i].base, base))
            continue;
        s->sockets[i] = s->sockets[--s->socket_count];
        break;
    }
    session_remove_relays(s, now, base);
    ice_remove_base(s->agent.ice, now, base);
    if (s->next.ice)
        ice_remove_base(s->next.ice, now, base);
}

int session_add_stun_server(struct session *s, usec now, const struct addr *server)
{
    int err;

    s->clock = now;
    for (uint8_t i = 0; i < s->server_count; i++)
        if (addr_equal(&s->servers[i], server))
            return ERR_OK;
    if (s->server_count == ICE_STUN_SERVERS_MAX)
        return ERR_LIMIT;
    err = ice_add_stun_server(session_newest(s)->ice, now, server);
    if (!err)
        s->servers[s->server_count++] = *server;
    return err;
}

static enum session_setup local_setup(const struct session *s)
{
    if (s->cfg.role == SESSION_OFFERER)
        return SESSION_ACTPASS;
    return s->is_client ? SESSION_ACTIVE : SESSION_PASSIVE;
}

void session_get_local(const struct session *s, struct session_description *out)
{
    const struct agent *a = s->next.ice ? &s->next : &s->agent;

    memset(out, 0, sizeof *out);
    memcpy(out->ufrag, ice_ufrag(a->ice), strlen(ice_ufrag(a->ice)) + 1);
    memcpy(out->pwd, ice_pwd(a->ice), strlen(ice_pwd(a->ice)) + 1);
    if (a->number > 0 && a->has_remote)
        memcpy(out->answers, a->remote_ufrag, sizeof out->answers);
    memcpy(out->fingerprint, dtls_identity_fingerprint(s->cfg.identity), DTLS_FINGERPRINT_BYTES);
    out->setup = local_setup(s);
    out->is_hawser = out->is_trickle = out->has_renomination = true;
    out->has_sped = s->has_sped;
    memcpy(out->init, s->init, s->init_len);
    out->init_len = s->init_len;
    out->candidate_count = ice_get_local(a->ice, out->candidates, ICE_CANDIDATES_MAX);
}

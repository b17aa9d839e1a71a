/* INIT chunks by signaling instead of a handshake: draft-hancke-tsvwg-snap.
 *
 * Each side tells its INIT once; who has the other's stands as soon as DTLS does. Signaling may
 * fail one of the two, so one that stands is `unproven` until something comes with its tag, which
 * only its own INIT can have told. Up to then an INIT of the peer is answered as in COOKIE-WAIT,
 * not as a restart (RFC 9260 §5.2.1), and its cookie is taken even if its numbers are others. */
#include "core/sctp/assoc.h"

size_t sctp_get_init(struct sctp *s, uint8_t out[SCTP_INIT_MAX])
{
    uint8_t chunk[SCTP_INIT_MAX];
    struct wr w = wr_of(chunk, sizeof chunk);
    struct rd r;
    struct chunk whole;

    handshake_encode_init(s, &w);
    r = rd_of(wr_written(&w));
    if (!chunk_read(&r, &whole))
        return 0;
    s->has_told_init = true;
    memcpy(out, whole.whole.data, whole.whole.len); /* without padding */
    return whole.whole.len;
}

/* Whether the parameter's type occurs in front of it, or does not belong into an INIT. */
static bool is_out_of_place(struct rd params, const struct param *one)
{
    struct param before;

    if (one->type == PARAM_STATE_COOKIE || one->type == PARAM_UNRECOGNIZED)
        return true;
    while (param_read(&params, &before) && before.whole.data != one->whole.data)
        if (before.type == one->type)
            return true;
    return false;
}

/* Stricter than with a packet's INIT: whoever made this one had no reason to be sloppy. */
static bool are_params_sound(struct bytes body)
{
    enum { FIXED_LEN = 16 };
    struct rd params = rd_of(body), r;
    struct param p;

    rd_skip(&params, FIXED_LEN);
    r = params;
    while (param_read(&r, &p))
        if (is_out_of_place(params, &p))
            return false;
    return r.ok;
}

int sctp_set_remote_init(struct sctp *s, struct bytes bytes)
{
    struct rd r = rd_of(bytes);
    struct chunk c;
    struct init_chunk init;

    if (s->state != STATE_CLOSED)
        return ERR_WRONG_STATE;
    if (bytes.len > SCTP_INIT_MAX || !chunk_read(&r, &c) || c.whole.len != bytes.len ||
        c.type != CHUNK_INIT || !init_decode(&init, c.body) || !handshake_is_valid(&init) ||
        !are_params_sound(c.body))
        return ERR_INVALID;
    s->remote_init = (struct peer_init){ .tag = init.tag,
                                         .tsn = init.tsn,
                                         .a_rwnd = init.a_rwnd,
                                         .in_streams = init.in_streams,
                                         .extensions = init.extensions };
    s->has_remote_init = true;
    return ERR_OK;
}

void snap_stand(struct sctp *s, usec now)
{
    handshake_learn_peer(s, &s->remote_init);
    s->is_unproven = true;
    assoc_enter(s, STATE_UP, now);
}

/* Our tag can only come from our INIT. If we have not begun yet, the peer stands by it already. */
void snap_on_tagged(struct sctp *s, usec now)
{
    if (s->state == STATE_CLOSED && s->has_told_init)
        (void)sctp_connect(s, now);
    s->is_unproven = false;
}

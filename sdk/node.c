/* node.c: the loop's side of a link: the session's turns, bytes to and from the rings. */
#include <limits.h>
#include <string.h>

#include "sdk/connect.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "sdk/link.h"
#include "sdk/log.h"
#include "sdk/signals.h"

/* ---- The outside ----------------------------------------------------------------------------- */

static void on_timer(void *ctx)
{
    struct link *l = ctx;

    if (l->session && l->phase != LINK_ENDED)
        session_tick(l->session, io_now());
    link_turn(l);
}

static void on_moved(void *ctx)
{
    link_turn(ctx);
}

int link_start(struct link *l)
{
    const struct options *o = &lib.options;
    const struct outside_config cfg = { .loop = lib.loop,
                                        .session = l->session,
                                        .trace = l->trace,
                                        .bind = o->bind,
                                        .bind_count = o->bind_count,
                                        .has_offload = o->offload,
                                        .stun = o->stun,
                                        .stun_count = o->stun_count,
                                        .turn = o->turn,
                                        .turn_count = o->turn_count,
                                        .turn_username = o->turn_username,
                                        .turn_password = o->turn_password,
                                        .turn_ca = o->turn_ca,
                                        .moved = on_moved,
                                        .ctx = l };

    if (io_timer_init(&l->timer, lib.loop, on_timer, l))
        return ERR_NOMEM;
    return outside_new(&l->outside, &cfg);
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void on_path(struct link *l, const struct ice_path *path)
{
    char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];

    log_line(HAWSER_LOG_INFO, l->trace, "path %s to %s, %lld us", addr_format(&path->local, local),
             addr_format(&path->remote, remote), (long long)path->rtt_us);
    link_tell_path(l);
}

static void on_open(struct link *l)
{
    if (l->phase != LINK_CONNECTING)
        return;
    l->phase = LINK_OPEN;
    log_line(HAWSER_LOG_INFO, l->trace, "open");
    if (l->side == LINK_APP)
        connect_on_open(l);
    else
        device_on_open(l);
}

static void on_closed(struct link *l, const struct session_event *ev)
{
    int code = link_code_of_end(l, ev);

    if (l->side == LINK_APP && l->phase < LINK_OPEN)
        connect_finish(l, code);
    link_end(l, code);
}

static void on_event(struct link *l, const struct session_event *ev)
{
    outside_on_event(l->outside, ev);
    switch (ev->type) {
    case SESSION_EVENT_CANDIDATE:
        signals_add_candidate(l, &ev->candidate);
        break;
    case SESSION_EVENT_GATHERED:
        l->trickle.has_ended = true;
        break;
    case SESSION_EVENT_OPEN:
        on_open(l);
        break;
    case SESSION_EVENT_RESTART:
        signals_restart(l);
        break;
    case SESSION_EVENT_RELAY:
        break; /* the outside's */
    case SESSION_EVENT_PATH:
        on_path(l, &ev->path);
        break;
    case SESSION_EVENT_READABLE:
        l->rx_ready |= (uint8_t)(1u << ev->channel);
        break;
    case SESSION_EVENT_WRITABLE:
        l->tx_full &= (uint8_t) ~(1u << ev->channel);
        break;
    case SESSION_EVENT_CLOSED:
        on_closed(l, ev);
        break;
    }
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* Below this much unsent a channel's queue is filled up by as much again: two runs, so that the
 * path never waits for more, and what goes next is decided late. */
#define QUEUE_BYTES (64 * 1024)

/* What the front of a ring is, to the session. False: it takes no more just now. */
static bool send_front(struct link *l, unsigned channel, const struct ring_front *front)
{
    usec now = io_now();
    size_t len = front->len < QUEUE_BYTES ? front->len : QUEUE_BYTES;

    if (front->is_message)
        return session_send_message(l->session, now, channel, front->chain, front->len,
                                    front->accepted_at) == ERR_OK;
    return session_send_chain(l->session, now, channel, front->chain, len) == len;
}

/* A little of each channel, so that none waits for another's megabytes. */
static bool pump_tx(struct link *l)
{
    uint8_t ready = rings_tx_filled(&l->rings) & (uint8_t)~l->tx_full;
    bool has_moved = false;

    for (unsigned i = 0; ready >> i; i++) {
        struct ring_front front;
        size_t before;

        if (!(ready >> i & 1) || session_unsent_bytes(l->session, i) >= QUEUE_BYTES ||
            !rings_tx_begin(&l->rings, i, &front))
            continue;
        before = front.chain->len;
        if (!send_front(l, i, &front))
            l->tx_full |= (uint8_t)(1u << i);
        has_moved |= front.chain->len < before;
        rings_tx_end(&l->rings, i);
    }
    return has_moved;
}

/* Nobody may have what comes on a channel that was not granted. */
static bool discard(struct link *l, unsigned channel)
{
    struct bytes unread = session_peek(l->session, io_now(), channel);

    if (unread.len)
        session_consume(l->session, io_now(), channel, unread.len);
    else
        l->rx_ready &= (uint8_t) ~(1u << channel);
    return unread.len > 0;
}

/* Nothing came: there is nothing left, or not all of a message that may be lost. Without memory it
 * is asked again in the next turn. */
static void on_none(struct link *l, unsigned channel)
{
    if (session_peek(l->session, io_now(), channel).len &&
        !session_peer_is_lossy(l->session, channel))
        return;
    l->rx_ready &= (uint8_t) ~(1u << channel);
    rings_rx_none_left(&l->rings, channel);
}

/* True: something has moved. */
static bool receive(struct link *l, unsigned channel)
{
    struct ring_space space;
    bool ends = false;
    size_t len;

    if (session_peer_is_lossy(l->session, channel))
        rings_set_lossy(&l->rings, channel);
    if (!rings_rx_begin(&l->rings, channel, &space)) {
        l->rx_ready &= (uint8_t) ~(1u << channel);
        l->rx_held |= (uint8_t)(1u << channel);
        return false;
    }
    len = session_recv_chain(l->session, io_now(), channel, space.chain, space.room, &ends);
    rings_rx_end(&l->rings, channel, ends);
    l->is_answered |= len > 0;
    if (len == 0 && !ends)
        on_none(l, channel);
    return len > 0 || ends;
}

static bool pump_rx(struct link *l)
{
    uint8_t ready = l->rx_ready;
    bool has_moved = false;

    for (unsigned i = 0; ready >> i; i++)
        if (ready >> i & 1)
            has_moved |= l->channels >> i & 1 ? receive(l, i) : discard(l, i);
    return has_moved;
}

/* What was accepted before the close goes out first, but not for ever. */
static bool finish_flush(struct link *l, usec now)
{
    if (l->phase != LINK_FLUSHING || (now < l->flush_until && rings_tx_filled(&l->rings)))
        return false;
    l->phase = LINK_CLOSING;
    l->flush_until = USEC_NEVER;
    session_close(l->session, now, l->close_reason);
    return true;
}

static bool is_sending(const struct link *l)
{
    return l->phase == LINK_OPEN || l->phase == LINK_FLUSHING;
}

/* What a ring holds follows the path: more would only be delay. */
static void follow_window(struct link *l)
{
    size_t window = 2 * session_window_bytes(l->session);

    if (window > l->window + l->window / 8 || window + window / 4 < l->window) {
        l->window = window;
        rings_set_window(&l->rings, window);
    }
}

/* Whose turn it is. A call of the application works off no more steps than it should be kept, and
 * handles only what concerns bytes: what may write to a stream is the loop's thread's, which has no
 * SIGPIPE. */
enum doer { LOOP_THREAD, GUEST };

#define GUEST_STEPS_MAX 16

static bool is_for(enum doer doer, const struct session_event *ev)
{
    return doer == LOOP_THREAD || ev->type == SESSION_EVENT_READABLE ||
           ev->type == SESSION_EVENT_WRITABLE;
}

/* True: there was an event. One that is not for a guest is left. */
static bool take_event(struct link *l, enum doer doer)
{
    struct session_event ev;

    if (l->phase == LINK_ENDED || l->has_event_left)
        return false;
    if (!session_poll_event(l->session, &ev))
        return false;
    if (is_for(doer, &ev)) {
        on_event(l, &ev);
    } else {
        l->event_left = ev;
        l->has_event_left = true;
    }
    return true;
}

static void take_left_event(struct link *l)
{
    struct session_event ev = l->event_left;

    if (!l->has_event_left)
        return;
    l->has_event_left = false;
    if (l->phase != LINK_ENDED)
        on_event(l, &ev);
}

/* STYLE's node_drain(): output, then events, then what the rings have, until nothing moves or a
 * guest's steps are done. What the rings have to send goes first: a queue that ran dry would look
 * as if the application had no more. False: there is more to do. */
static bool drain(struct link *l, enum doer doer)
{
    unsigned steps = doer == GUEST ? GUEST_STEPS_MAX : UINT_MAX;
    struct out out;

    out_init(&out, lib.run, OUT_BYTES_MAX);
    for (; steps; steps--) {
        bool has_moved = is_sending(l) && pump_tx(l);

        if (l->outside && outside_can_send(l->outside) &&
            session_poll_output(l->session, io_now(), &out))
            outside_send(l->outside, &out);
        else if (!take_event(l, doer) && !pump_rx(l) && !finish_flush(l, io_now()) && !has_moved)
            break;
    }
    follow_window(l);
    if (rings_is_untold(&l->rings))
        io_loop_after(lib.loop, &l->told);
    return steps > 0 && !l->has_event_left;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static void begin_close(struct link *l, unsigned reason)
{
    if (l->phase == LINK_OPEN) {
        l->phase = LINK_FLUSHING;
        l->flush_until = io_now() + lib.options.flush_ms * MILLISECOND;
        return;
    }
    if (l->is_described)
        link_send_bye(l, reason);
    if (l->side == LINK_APP)
        connect_finish(l, HAWSER_ERR_CONNECT_BROKEN);
    link_end(l, HAWSER_ERR_CLOSED_LOCALLY);
}

static void take_orders(struct link *l)
{
    bool close, is_network_changed;
    unsigned reason;

    pthread_mutex_lock(&lib.lock);
    close = l->close_asked;
    reason = l->close_reason;
    is_network_changed = l->is_network_changed;
    l->is_network_changed = false;
    pthread_mutex_unlock(&lib.lock);
    if (is_network_changed && l->outside)
        outside_on_network_change(l->outside);
    if (close && l->phase <= LINK_OPEN)
        begin_close(l, reason);
    else if (l->phase == LINK_IDLE && l->side == LINK_APP)
        connect_begin(l);
    else if (l->side == LINK_APP && l->phase == LINK_CONNECTING && io_now() >= l->give_up_at)
        connect_on_timeout(l);
    else if (l->phase == LINK_CONNECTING && io_now() >= l->resend_at)
        connect_send_again(l);
}

static void send_description(struct link *l)
{
    if (l->side == LINK_APP)
        connect_send_offer(l);
    else
        device_send_answer(l);
}

#define FAR_US  (2 * SECOND)
#define GRID_US (250 * MILLISECOND)

/* Far deadlines may be a little late: so those of many idle sessions meet, and the process wakes
 * for all of them at once. */
static usec on_grid(usec at)
{
    bool is_far = at != USEC_NEVER && at >= io_now() + FAR_US;

    return is_far ? (at + GRID_US - 1) / GRID_US * GRID_US : at;
}

static void set_timer(struct link *l)
{
    usec at = USEC_NEVER;

    if (l->phase > LINK_IDLE && l->phase < LINK_ENDED)
        at = usec_min(session_next_timeout(l->session), l->flush_until);
    if (l->phase == LINK_CONNECTING)
        at = usec_min(at, usec_min(l->give_up_at, l->resend_at));
    if (l->phase == LINK_CONNECTING || l->phase == LINK_OPEN)
        at = usec_min(at, l->restart.again_at);
    if (l->timer.loop)
        io_timer_set(&l->timer, on_grid(at));
}

#define TRIM_US (5 * SECOND)

/* Where nothing flows, nothing is kept for it. */
static void trim(struct link *l)
{
    usec now = io_now();

    if (now - l->trimmed_at < TRIM_US)
        return;
    l->trimmed_at = now;
    rings_trim(&l->rings);
}

void link_turn(struct link *l)
{
    take_orders(l);
    if (l->session && l->phase > LINK_IDLE) {
        take_left_event(l);
        (void)drain(l, LOOP_THREAD);
    }
    if (l->phase == LINK_CONNECTING && !l->is_described) /* what is known so far goes with it */
        send_description(l);
    if (l->phase == LINK_CONNECTING || l->phase == LINK_OPEN) {
        signals_restart_again(l);
        signals_flush_candidates(l);
    }
    if (l->phase == LINK_ENDED && l->session && !(l->rx_ready | l->rx_held)) {
        session_free(l->session);
        l->session = NULL;
    }
    set_timer(l);
    trim(l);
    link_free_if_unused(l);
}

void link_task(void *ctx)
{
    struct link *l = ctx;

    l->rx_ready |= l->rx_held; /* a ring may have room again */
    l->rx_held = 0;
    link_turn(l);
}

/* A call that sends again so soon, unanswered, is sending a stream of small pieces: these go better
 * together, as the loop's thread finds them. */
#define GUEST_PAUSE_US  30
#define GUEST_BYTES_MAX CHANNEL_MESSAGE_MAX

static bool may_be_guest(const struct link *l, usec now)
{
    bool is_stream = now - l->guest_at < GUEST_PAUSE_US && !l->is_answered;

    return l->phase == LINK_OPEN && !l->has_event_left && !is_stream && l->outside &&
           !outside_has_streams(l->outside);
}

void link_turn_as_guest(struct link *l, size_t len)
{
    bool is_done = false;
    usec now = io_now();

    if (len <= GUEST_BYTES_MAX && io_loop_try_enter(lib.loop)) {
        if (may_be_guest(l, now)) {
            is_done = drain(l, GUEST) && l->phase == LINK_OPEN;
            l->guest_at = now;
            l->is_answered = false;
            set_timer(l);
        }
        io_loop_leave(lib.loop);
    }
    if (!is_done)
        io_loop_wake(lib.loop, &l->task);
}

#define TALK_US (2 * MILLISECOND) /* an answer that takes longer is not worth a thread's place */

void link_wait_as_guest(struct link *l, bool (*is_done)(void *what), void *what, usec until)
{
    usec now = io_now();

    if (!io_loop_try_enter(lib.loop))
        return;
    if (now - l->guest_at >= TALK_US) {
        io_loop_leave(lib.loop);
        return;
    }
    io_loop_stand_in(lib.loop, is_done, what, usec_min(until, l->guest_at + TALK_US));
}

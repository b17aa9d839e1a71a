/* data.c: bytes of a session, its life and its end. */
#include <stdatomic.h>
#include <stddef.h>

#include "sdk/internal.h"
#include "sdk/link.h"

static bool is_valid(int channel, const void *data, int len)
{
    return channel >= 0 && channel < HAWSER_CHANNELS && data && len >= 0;
}

/* As call_enter_link(), for a call that moves bytes: HAWSER_ERR_INVALID is for arguments that make
 * no sense, HAWSER_ERR_UNAUTHORISED for a channel that the grant does not name. */
static int call_enter_channel(int handle, int channel, const void *data, int len, struct link **out)
{
    int code = call_enter();

    if (code)
        return code;
    call_leave();
    if (!is_valid(channel, data, len))
        return HAWSER_ERR_INVALID;
    code = call_enter_link(handle, out);
    if (code || (*out)->channels >> channel & 1)
        return code;
    call_leave_link(*out);
    return HAWSER_ERR_UNAUTHORISED;
}

/* Whether this side has made the channel lossy: it is for messages alone then. */
static bool is_lossy(struct link *l, int channel)
{
    return atomic_load(&l->lossy) >> channel & 1;
}

int hawser_send_data(int handle, int channel, const void *data, int len, int timeout_ms)
{
    struct link *l;
    int code = call_enter_channel(handle, channel, data, len, &l);

    if (code)
        return code;
    if (is_lossy(l, channel))
        code = HAWSER_ERR_INVALID;
    else
        code = rings_send(&l->rings, (unsigned)channel, bytes_of(data, (size_t)len), timeout_ms);
    call_leave_link(l);
    return code;
}

int hawser_recv_data(int handle, int channel, void *data, int len, int timeout_ms)
{
    struct link *l;
    int code = call_enter_channel(handle, channel, data, len, &l);

    if (code)
        return code;
    if (is_lossy(l, channel))
        code = HAWSER_ERR_INVALID;
    else
        code = rings_recv(&l->rings, (unsigned)channel, data, (size_t)len, timeout_ms);
    call_leave_link(l);
    return code;
}

int hawser_send_message(int handle, int channel, const void *data, int len, int timeout_ms)
{
    struct link *l;
    int code = call_enter_channel(handle, channel, data, len, &l);

    if (code)
        return code;
    code =
        rings_send_message(&l->rings, (unsigned)channel, bytes_of(data, (size_t)len), timeout_ms);
    if (code == HAWSER_ERR_TIMEOUT && is_lossy(l, channel))
        code = HAWSER_ERR_PEER_BUFFER_FULL;
    call_leave_link(l);
    return code;
}

int hawser_recv_message(int handle, int channel, void *data, int len, int timeout_ms)
{
    struct link *l;
    int code = call_enter_channel(handle, channel, data, len, &l);
    size_t whole;

    if (code)
        return code;
    code = rings_recv_message(&l->rings, (unsigned)channel, data, (size_t)len, &whole, timeout_ms);
    call_leave_link(l);
    return code;
}

int hawser_message_size(int handle, int channel, int timeout_ms)
{
    struct link *l;
    int code = call_enter_channel(handle, channel, "", 0, &l);
    size_t whole = 0;

    if (code)
        return code;
    code = rings_recv_message(&l->rings, (unsigned)channel, NULL, 0, &whole, timeout_ms);
    call_leave_link(l);
    return whole > 0 ? (int)whole : code;
}

int hawser_active_check(int handle)
{
    struct link *l;
    int code = call_enter_link(handle, &l);

    if (code)
        return code;
    code = rings_end_code(&l->rings);
    call_leave_link(l);
    return code;
}

struct keeping {
    struct link *link;
    bool is_on;
};

static void keep_on_loop(void *ctx)
{
    const struct keeping *k = ctx;

    if (!k->link->session || k->link->phase != LINK_OPEN)
        return;
    session_keep_alive(k->link->session, io_now(), k->is_on);
    link_turn(k->link);
}

int hawser_keep_alive(int handle, int on)
{
    struct keeping k = { .is_on = on == 1 };
    int code = call_enter_link(handle, &k.link);

    if (code)
        return code;
    if (on == 0 || on == 1)
        io_loop_run(lib.loop, keep_on_loop, &k);
    else
        code = HAWSER_ERR_INVALID;
    call_leave_link(k.link);
    return code;
}

/* What a channel is to be like, asked on the loop's thread. */
struct wish {
    struct link *link;
    unsigned channel, priority_class, weight;
    usec lifetime_us;
    unsigned retransmits_max;
    int err;
};

static void set_priority_on_loop(void *ctx)
{
    struct wish *w = ctx;

    w->err = ERR_WRONG_STATE;
    if (w->link->session)
        w->err = session_set_priority(w->link->session, w->channel, w->priority_class, w->weight);
}

static void set_lossy_on_loop(void *ctx)
{
    struct wish *w = ctx;

    w->err = ERR_WRONG_STATE;
    if (!w->link->session)
        return;
    w->err = session_set_lossy(w->link->session, io_now(), w->channel, w->lifetime_us,
                               w->retransmits_max);
    if (w->err)
        return;
    atomic_fetch_or(&w->link->lossy, (unsigned char)(1u << w->channel));
    rings_set_by_message(&w->link->rings, w->channel);
    link_turn(w->link); /* the peer is told at once */
}

/* What a call on a session that is over, or closing, answers. */
static int code_of(struct link *l, int err)
{
    int code = rings_end_code(&l->rings);

    if (err == ERR_OK)
        return HAWSER_ERR_OK;
    if (err == ERR_NOMEM)
        return HAWSER_ERR_NO_MEMORY;
    if (err == ERR_INVALID)
        return HAWSER_ERR_INVALID;
    return code ? code : HAWSER_ERR_CLOSED_LOCALLY;
}

int hawser_set_priority(int handle, int channel, int priority_class, int weight)
{
    struct wish w = { .channel = (unsigned)channel,
                      .priority_class = (unsigned)priority_class,
                      .weight = (unsigned)weight };
    int code = call_enter_channel(handle, channel, "", 0, &w.link);

    if (code)
        return code;
    if (priority_class < 1 || priority_class >= HAWSER_CLASSES || weight < 1 ||
        weight > HAWSER_WEIGHT_MAX) {
        code = HAWSER_ERR_INVALID;
    } else {
        io_loop_run(lib.loop, set_priority_on_loop, &w);
        code = code_of(w.link, w.err);
    }
    call_leave_link(w.link);
    return code;
}

#define LIFETIME_MAX_MS 60000
#define RETRANSMITS_MAX 1000

int hawser_set_lossy(int handle, int channel, int lifetime_ms, int retransmits)
{
    struct wish w = {
        .channel = (unsigned)channel,
        .lifetime_us = lifetime_ms < 0 ? USEC_NEVER : lifetime_ms * MILLISECOND,
        .retransmits_max = retransmits < 0 ? SCTP_RETRANSMITS_ANY : (unsigned)retransmits,
    };
    int code = call_enter_channel(handle, channel, "", 0, &w.link);

    if (code)
        return code;
    if (lifetime_ms == 0 || lifetime_ms > LIFETIME_MAX_MS || retransmits > RETRANSMITS_MAX ||
        (lifetime_ms < 0 && retransmits < 0)) {
        code = HAWSER_ERR_INVALID;
    } else {
        io_loop_run(lib.loop, set_lossy_on_loop, &w);
        code = code_of(w.link, w.err);
    }
    call_leave_link(w.link);
    return code;
}

static int close_link(int handle, unsigned reason)
{
    struct link *l;
    int code = call_enter_link(handle, &l);

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    code = l->handle == handle ? HAWSER_ERR_OK : HAWSER_ERR_INVALID_SESSION; /* another was first */
    if (!code) {
        link_forget(l);
        link_ask_close(l, HAWSER_ERR_CLOSED_LOCALLY, reason);
    }
    pthread_mutex_unlock(&lib.lock);
    call_leave_link(l);
    return code;
}

int hawser_disconnect(int handle)
{
    return close_link(handle, HAWSER_REASON_TERMINATED);
}

int hawser_close(int handle, int reason)
{
    int code = call_enter();

    if (code)
        return code;
    call_leave();
    if (reason < 0 || reason > HAWSER_REASON_MAX)
        return HAWSER_ERR_INVALID;
    return close_link(handle, (unsigned)reason);
}

int hawser_set_state_callback(hawser_state_cb *cb, void *ctx)
{
    int code = call_enter();

    if (code)
        return code;
    pthread_mutex_lock(&lib.lock);
    lib.state_cb = cb;
    lib.state_ctx = ctx;
    pthread_mutex_unlock(&lib.lock);
    call_leave();
    return HAWSER_ERR_OK;
}

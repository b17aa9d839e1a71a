#include "sdk/ways.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "io/lan.h"
#include "sdk/connect.h"
#include "sdk/internal.h"
#include "sdk/log.h"

#define LEG_US        (3 * SECOND) /* half the time of a connect that has less than two legs' */
#define HEAD_START_US (10 * MILLISECOND)

/* An unanswered offer is sent again, since a flooded inbox or a broker that restarts loses some. It
 * is the same text, so a device that has had it only looks it up. */
#define OFFER_AGAIN_US    (3 * SECOND)
#define OFFERS_BY_LAN_MAX 4             /* a connection that is lost again and again */
#define ANSWERS_MAX       8             /* to an offer that comes again and again */
#define LAN_SEND_US       (30 * SECOND) /* as long as a connect may last */

/* ---- The process ----------------------------------------------------------------------------- */

static int start_result;

static void start_on_loop(void *ctx)
{
    const struct options *o = &lib.options;
    struct lan_config cfg = { .bind_count = 0 };

    (void)ctx;
    for (size_t i = 0; i < o->bind_count && i < LAN_BINDS_MAX; i++)
        cfg.bind[cfg.bind_count++] = o->bind[i];
    start_result = lan_new(&lib.lan, lib.loop, &cfg);
}

/* Where only loopback addresses are used there is no LAN. */
static bool has_lan(const struct options *o)
{
    bool has = o->lan && o->bind_count == 0;

    for (size_t i = 0; i < o->bind_count; i++)
        has = has || (o->lan && addr_scope_of(&o->bind[i]) != ADDR_SCOPE_LOOPBACK);
    return has;
}

int ways_start(void)
{
    start_result = ERR_OK;
    if (has_lan(&lib.options))
        io_loop_run(lib.loop, start_on_loop, NULL);
    return start_result;
}

static void stop_on_loop(void *ctx)
{
    (void)ctx;
    lan_free(lib.lan);
    lib.lan = NULL;
}

void ways_stop(void)
{
    io_loop_run(lib.loop, stop_on_loop, NULL);
}

void ways_on_network_change(void)
{
    if (!lib.lan)
        return;
    lan_nudge(lib.lan);
    pthread_mutex_lock(&lib.lock);
    for (struct link *l = lib.links; l; l = l->next)
        signaling_kick(l->ways.lan);
    pthread_mutex_unlock(&lib.lock);
}

/* ---- A link ---------------------------------------------------------------------------------- */

void ways_init(struct ways *w)
{
    *w = (struct ways){ .broker_at = USEC_NEVER, .lan_at = USEC_NEVER, .lan_until = USEC_NEVER };
}

void ways_deinit(struct ways *w)
{
    free(w->answer);
    OPENSSL_cleanse(w->secret, sizeof w->secret);
    ways_init(w);
}

static void set_guest(struct ways *w, uint64_t guest)
{
    if (guest == w->heard.guest)
        return;
    if (guest)
        lan_hold(lib.lan, guest);
    if (w->heard.guest)
        lan_release(lib.lan, w->heard.guest);
    w->heard.guest = guest;
}

void ways_close(struct link *l)
{
    struct ways *w = &l->ways;

    signaling_close(w->lan);
    w->lan = NULL;
    w->is_lan_up = false;
    set_guest(w, 0);
    free(w->answer);
    w->answer = NULL;
}

/* ---- The LAN's signaling of an app's link ---------------------------------------------------- */

static void on_lan_message(void *ctx, struct bytes message)
{
    struct link *l = ctx;

    if (l->identity)
        identity_receive(l->identity, message, &(struct origin){ .link = l });
}

static void on_lan_sent(void *ctx, uint64_t request, enum signaling_result result)
{
    (void)ctx; /* whether the device answers says more */
    (void)request;
    (void)result;
}

static void send_offer_by_lan(struct link *l)
{
    struct ways *w = &l->ways;

    if (l->offer && w->offers_by_lan++ < OFFERS_BY_LAN_MAX)
        (void)signaling_send(w->lan, l->peer.id, bytes_of_string(l->offer), 0);
}

/* A connection that is lost before there is an answer may be found again; the other leg does not
 * wait for that. */
static void on_lan_state(void *ctx, enum signaling_state state, const char *detail)
{
    struct link *l = ctx;
    struct ways *w = &l->ways;

    w->is_lan_up = state == SIGNALING_ONLINE;
    log_line(HAWSER_LOG_INFO, l->trace, "%s: %s", detail, signaling_state_string(state));
    if (w->is_lan_up || !l->offer || l->phase != LINK_CONNECTING)
        return;
    w->lan_until = io_now() + LEG_US;
    if (w->broker_at != USEC_NEVER)
        w->broker_at = usec_min(w->broker_at, io_now());
    send_offer_by_lan(l);
    l->resend_at = ways_next_timeout(l);
    link_turn(l);
}

static bool open_lan(struct link *l)
{
    const struct signaling_handler handler = {
        .on_message = on_lan_message, .on_sent = on_lan_sent, .on_state = on_lan_state, .ctx = l
    };
    struct ways *w = &l->ways;

    if (!w->lan && lib.lan && w->has_secret &&
        lan_open(&w->lan, lib.lan, w->secret, LAN_SEND_US, &handler))
        w->lan = NULL;
    return w->lan != NULL;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static int send_by_broker(struct link *l, const char *text, uint64_t request)
{
    if (!l->identity || !l->identity->signaling)
        return ERR_WRONG_STATE;
    return identity_send(l->identity, l->peer.id, text, request);
}

static int send_by_lan(struct link *l, const char *text)
{
    struct ways *w = &l->ways;

    if (w->lan)
        return signaling_send(w->lan, l->peer.id, bytes_of_string(text), 0);
    return w->heard.guest ? lan_reply(lib.lan, w->heard.guest, bytes_of_string(text))
                          : ERR_WRONG_STATE;
}

/* By which ways a message goes now, as the header says. */
static void choose(struct link *l, bool *by_broker, bool *by_lan)
{
    const struct ways *w = &l->ways;
    bool is_heard = w->heard.is_by_broker || w->heard.guest || w->heard.link;
    bool has_lan = w->lan || w->heard.guest;

    if (l->phase >= LINK_OPEN) {
        *by_broker = !has_lan || (l->identity && l->identity->state == SIGNALING_ONLINE);
        *by_lan = has_lan;
        return;
    }
    *by_broker = is_heard ? w->heard.is_by_broker : w->is_broker_begun;
    *by_lan = !is_heard || w->heard.guest || w->heard.link;
}

int ways_send(struct link *l, const char *text, uint64_t request)
{
    bool by_broker, by_lan;
    int lan = ERR_WRONG_STATE, broker = ERR_WRONG_STATE;

    if (l->phase >= LINK_OPEN && l->identity && l->identity->state != SIGNALING_ONLINE)
        (void)open_lan(l);
    choose(l, &by_broker, &by_lan);
    if (by_lan)
        lan = send_by_lan(l, text);
    if (by_broker || (lan && !l->ways.lan)) /* a guest that is gone: the other way is left */
        broker = send_by_broker(l, text, request);
    return lan && broker ? (by_broker ? broker : lan) : ERR_OK;
}

bool ways_are_open(const struct link *l)
{
    const struct ways *w = &l->ways;

    return (l->identity && l->identity->state == SIGNALING_ONLINE) || w->heard.guest ||
           w->is_lan_up || (lib.lan && w->has_secret && lan_is_usable(lib.lan));
}

void ways_heard(struct link *l)
{
    const struct origin *o = &l->identity->origin;
    struct ways *w = &l->ways;

    if (o->is_by_broker)
        w->heard.is_by_broker = true;
    if (o->guest)
        set_guest(w, o->guest);
    if (o->link == l)
        w->heard.link = l;
}

/* ---- Legs ------------------------------------------------------------------------------------ */

static usec leg_of(const struct link *l)
{
    return usec_min(LEG_US, (l->give_up_at - l->called_at) / 2);
}

static bool is_broker_bad(const struct identity *id)
{
    return !id->signaling || id->state == SIGNALING_DOWN || id->state == SIGNALING_REFUSED ||
           id->state == SIGNALING_REPLACED;
}

void ways_begin(struct link *l)
{
    struct ways *w = &l->ways;
    bool has_lan = lib.lan && w->has_secret && lan_is_usable(lib.lan);
    usec now = io_now(), leg = leg_of(l);

    w->lan_at = w->broker_at = now;
    if (w->mode == HAWSER_INTERNET_FIRST && !is_broker_bad(l->identity))
        w->lan_at = now + leg;
    if (w->mode == HAWSER_LAN_AUTO && has_lan)
        w->broker_at = now + HEAD_START_US;
    if (w->mode == HAWSER_LAN_FIRST && has_lan)
        w->broker_at = now + leg;
    if (!has_lan)
        w->lan_at = USEC_NEVER;
    if (!l->identity->signaling)
        w->broker_at = USEC_NEVER;
    if (!has_lan && !l->identity->signaling)
        log_line(HAWSER_LOG_WARNING, l->trace, "neither a broker nor a LAN leads to the device");
}

static void begin_lan(struct link *l)
{
    struct ways *w = &l->ways;

    w->lan_at = USEC_NEVER;
    if (open_lan(l)) {
        w->lan_until = io_now() + leg_of(l);
        send_offer_by_lan(l);
    } else if (w->broker_at != USEC_NEVER) {
        w->broker_at = io_now();
    }
}

static void send_offer_by_broker(struct link *l)
{
    struct ways *w = &l->ways;
    int err = send_by_broker(l, l->offer, l->serial);

    w->is_broker_begun = true;
    w->broker_at = io_now() + OFFER_AGAIN_US;
    if (err)
        log_line(HAWSER_LOG_WARNING, l->trace, "the offer was not sent: %s", err_string(err));
}

/* Nothing that could still bring word of the device. */
bool ways_are_offline(const struct link *l)
{
    const struct ways *w = &l->ways;

    return w->is_offline && !w->is_lan_up && w->lan_at == USEC_NEVER && w->lan_until == USEC_NEVER;
}

bool ways_tick(struct link *l)
{
    struct ways *w = &l->ways;
    usec now = io_now();

    if (!l->offer)
        return true;
    if (now >= w->lan_at)
        begin_lan(l);
    if (now >= w->broker_at)
        send_offer_by_broker(l);
    if (now >= w->lan_until) {
        w->lan_until = USEC_NEVER;
        if (!w->is_lan_up)
            log_line(HAWSER_LOG_INFO, l->trace, "the local network is silent");
    }
    return !ways_are_offline(l);
}

usec ways_next_timeout(const struct link *l)
{
    const struct ways *w = &l->ways;

    return l->offer ? usec_min(w->lan_until, usec_min(w->broker_at, w->lan_at)) : USEC_NEVER;
}

void ways_on_broker_bad(struct link *l)
{
    struct ways *w = &l->ways;

    if (w->lan_at != USEC_NEVER)
        w->lan_at = io_now();
    l->resend_at = ways_next_timeout(l);
}

void ways_on_offline(struct link *l)
{
    l->ways.is_offline = true;
    ways_on_broker_bad(l);
}

/* ---- Answers --------------------------------------------------------------------------------- */

void ways_take_origin(struct link *l, const struct origin *o)
{
    memcpy(l->ways.heard.digest, o->digest, sizeof o->digest);
    l->ways.heard.is_by_broker = o->is_by_broker;
    set_guest(&l->ways, o->guest);
}

static void send_answer(struct link *l)
{
    int err = ways_send(l, l->ways.answer, 0);

    l->ways.answers++;
    if (err)
        log_line(HAWSER_LOG_WARNING, l->trace, "the answer was not sent: %s", err_string(err));
}

void ways_send_answer(struct link *l, char *text)
{
    free(l->ways.answer);
    l->ways.answer = text;
    send_answer(l);
}

/* Whoever asks again has not had the answer, or has another way to be asked by. The app drops what
 * it has had. */
void ways_on_repeat(struct link *l, const struct origin *o)
{
    struct ways *w = &l->ways;

    if (l->phase != LINK_CONNECTING)
        return;
    w->heard.is_by_broker |= o->is_by_broker;
    if (o->guest)
        set_guest(w, o->guest);
    if (w->answer && w->answers < ANSWERS_MAX)
        send_answer(l);
}

void ways_on_open(struct link *l)
{
    free(l->ways.answer);
    l->ways.answer = NULL;
}

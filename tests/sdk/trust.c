/* trust.c: a hostile broker, replays, forged goodbyes, false certificates, wrong invites. App and
 * device are in one process here, so that the device's counters can be looked at; the broker lets
 * everybody read and write everything. */
#include <mosquitto.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "sdk/devices.h"
#include "sdk/internal.h"
#include "tests/check.h"
#include "tests/sdk/support/here.h"
#include "tests/sdk/support/peer.h"

static struct mosquitto *spy;
static char device_id[HAWSER_ID_MAX];
static int device;

/* ---- The spy at the broker ------------------------------------------------------------------ */

static struct {
    bool is_subscribed;
    char offer[ENVELOPE_TEXT_MAX + 1]; /* the first message to the device since it was cleared */
    int to_device, to_app;
} seen;

static void on_subscribed(struct mosquitto *m, void *ctx, int mid, int count, const int *qos)
{
    (void)m;
    (void)ctx;
    (void)mid;
    (void)count;
    (void)qos;
    seen.is_subscribed = true;
}

static void on_message(struct mosquitto *m, void *ctx, const struct mosquitto_message *msg)
{
    (void)m;
    (void)ctx;
    if (!strstr(msg->topic, device_id)) {
        seen.to_app++;
        return;
    }
    if (seen.to_device++ == 0 && msg->payloadlen <= ENVELOPE_TEXT_MAX)
        memcpy(seen.offer, msg->payload, (size_t)msg->payloadlen);
}

/* Runs the spy until the condition holds; 10 s at most. */
#define SPY_UNTIL(condition)                                                     \
    for (usec until = io_now() + 10 * SECOND; !(condition) && io_now() < until;) \
    (void)mosquitto_loop(spy, 10, 1)

static bool spy_start(void)
{
    (void)mosquitto_lib_init();
    spy = mosquitto_new("spy", true, NULL);
    mosquitto_message_callback_set(spy, on_message);
    mosquitto_subscribe_callback_set(spy, on_subscribed);
    if (!spy || mosquitto_connect(spy, "127.0.0.1", here.broker.port, 60) ||
        mosquitto_subscribe(spy, NULL, "hawser/v1/#", 1))
        return false;
    SPY_UNTIL(seen.is_subscribed);
    return seen.is_subscribed;
}

static void spy_publish(const char *text)
{
    char topic[64];

    (void)snprintf(topic, sizeof topic, "hawser/v1/%s", device_id);
    (void)mosquitto_publish(spy, NULL, topic, (int)strlen(text), text, 1, false);
}

/* ---- The device's counters ------------------------------------------------------------------ */

struct look {
    struct identity_counts messages;
    struct device_counts offers;
};

static struct device *own_device(void)
{
    struct device *d;

    pthread_mutex_lock(&lib.lock);
    d = handles_find(&lib.devices, device);
    pthread_mutex_unlock(&lib.lock);
    return d;
}

static void look_on_loop(void *ctx)
{
    struct look *l = ctx;

    l->messages = own_device()->identity->counts;
    l->offers = own_device()->counts;
}

static struct look look(void)
{
    struct look l;

    io_loop_run(lib.loop, look_on_loop, &l);
    return l;
}

static struct pair_of_handles connect_here(void)
{
    struct pair_of_handles h;

    memset(&seen.offer, 0, sizeof seen.offer);
    seen.to_device = seen.to_app = 0;
    h = here_connect(device_id, device);
    CHECK("connected", h.app >= 0 && h.device >= 0);
    SPY_UNTIL(seen.to_device > 0);
    return h;
}

/* ---- Replays -------------------------------------------------------------------------------- */

TEST(a_replayed_offer_costs_one_look_up)
{
    struct pair_of_handles h = connect_here();
    struct look before = look(), after = before;

    for (int i = 0; i < 5; i++)
        spy_publish(seen.offer);
    SPY_UNTIL((after = look()).messages.received >= before.messages.received + 5);
    CHECK("each was looked up", after.messages.repeated == before.messages.repeated + 5);
    CHECK("none was opened", after.offers.offers == before.offers.offers &&
                                 after.messages.unreadable == before.messages.unreadable);
    CHECK("none was answered", after.offers.admitted == before.offers.admitted &&
                                   after.offers.refused == before.offers.refused);
    CHECK("the session does not care", hawser_active_check(h.app) == 0);
    here_disconnect(h);
}

static uint8_t last_sid[ENVELOPE_SID_BYTES];

static void note_sid(int handle)
{
    struct link *l;

    CHECK("a link", call_enter_link(handle, &l) == 0);
    memcpy(last_sid, l->sid, sizeof last_sid);
    call_leave_link(l);
}

struct forgery {
    struct identity *by;
    enum envelope_type type;
    const char *body; /* JSON; NULL: {} */
    uint32_t seq;     /* 0: 99 */
};

/* A new message, properly sealed, of the last session. */
static void forge_on_loop(void *ctx)
{
    const struct forgery *f = ctx;
    struct signal s = { .type = f->type, .seq = f->seq ? f->seq : 99, .has_card = true };
    const struct card *card = &own_device()->identity->card;
    struct recipient to;

    s.body = f->body ? json_loads(f->body, 0, NULL) : json_object();
    memcpy(s.sid, last_sid, sizeof s.sid);
    memcpy(to.id, card->id, sizeof to.id);
    memcpy(to.x25519, card->x25519, sizeof to.x25519);
    identity_signal(f->by, &to, &s);
    json_decref(s.body);
}

static struct look forge_with(const struct forgery *f)
{
    struct look before = look(), after = before;

    io_loop_run(lib.loop, forge_on_loop, (void *)(uintptr_t)f);
    SPY_UNTIL((after = look()).messages.received > before.messages.received);
    return after;
}

static struct look forge(struct identity *by, enum envelope_type type)
{
    return forge_with(&(struct forgery){ .by = by, .type = type });
}

TEST(a_session_is_answered_once)
{
    struct pair_of_handles h = connect_here();
    struct look before = look(), after;

    note_sid(h.app);
    after = forge(lib.app, ENVELOPE_OFFER);
    CHECK("noticed", after.offers.repeated == before.offers.repeated + 1);
    CHECK("not answered", after.offers.admitted == before.offers.admitted &&
                              after.offers.refused == before.offers.refused);
    CHECK("the session does not care", hawser_active_check(h.app) == 0);
    here_disconnect(h);
}

TEST(only_the_peer_may_say_goodbye)
{
    struct pair_of_handles h = connect_here();
    int intruder = hawser_device_open("intruder");
    struct device *d = NULL;

    note_sid(h.app);
    CHECK("an intruder", intruder >= 0 && hawser_device_wait_online(intruder, 10000) == 1);
    pthread_mutex_lock(&lib.lock);
    d = handles_find(&lib.devices, intruder);
    pthread_mutex_unlock(&lib.lock);
    (void)forge(d->identity, ENVELOPE_BYE);
    CHECK("the intruder's goodbye", hawser_active_check(h.device) == 0);
    (void)forge(lib.app, ENVELOPE_BYE);
    CHECK("the peer's", hawser_active_check(h.device) == HAWSER_ERR_TERMINATED);
    CHECK("gone", hawser_device_close(intruder) == 0);
    here_disconnect(h);
}

/* ---- Restarts -------------------------------------------------------------------------------- */

struct restart_look {
    int handle;
    struct session_info info;
    char fingerprint[ICE_UFRAG_MAX + 1]; /* or the ufrag heard last */
};

static void look_at_restarts(void *ctx)
{
    struct restart_look *r = ctx;
    struct session_description d;
    json_t *json = NULL;
    struct link *l;

    CHECK("a link", call_enter_link(r->handle, &l) == 0);
    session_get_info(l->session, &r->info);
    session_get_local(l->session, &d);
    CHECK("a description", session_description_to_json(&d, &json) == ERR_OK);
    (void)snprintf(r->fingerprint, sizeof r->fingerprint, "%s",
                   json_string_value(json_object_get(json, "fingerprint")));
    json_decref(json);
    call_leave_link(l);
}

static bool is_restarting(int handle)
{
    struct restart_look r = { .handle = handle };

    io_loop_run(lib.loop, look_at_restarts, &r);
    return r.info.is_restarting;
}

/* A description as the app might send it, with this ufrag; its fingerprint is the app's, or not. */
static struct look forge_restart(struct identity *by, int app, const char *ufrag, bool is_true)
{
    struct restart_look r = { .handle = app };
    struct forgery f = { .by = by, .type = ENVELOPE_RESTART };
    char body[640];

    io_loop_run(lib.loop, look_at_restarts, &r);
    if (!is_true)
        r.fingerprint[strlen(r.fingerprint) - 1] ^= 1;
    (void)snprintf(body, sizeof body,
                   "{\"session\":{\"ufrag\":\"%s\",\"pwd\":\"abcdefghijklmnopqrstuvwx\","
                   "\"setup\":\"actpass\",\"fingerprint\":\"%s\",\"candidates\":[]}}",
                   ufrag, r.fingerprint);
    f.body = body;
    f.seq = (uint32_t)strtoul(ufrag, NULL, 10);
    return forge_with(&f);
}

TEST(only_the_peer_may_restart)
{
    struct pair_of_handles h = connect_here();
    int intruder = hawser_device_open("intruder");
    struct device *d;

    note_sid(h.app);
    CHECK("an intruder", intruder >= 0 && hawser_device_wait_online(intruder, 10000) == 1);
    pthread_mutex_lock(&lib.lock);
    d = handles_find(&lib.devices, intruder);
    pthread_mutex_unlock(&lib.lock);
    (void)forge_restart(d->identity, h.app, "2000", true);
    CHECK("the intruder's is not heard", !is_restarting(h.device));
    (void)forge_restart(lib.app, h.app, "3000", false);
    CHECK("nor one with another certificate", !is_restarting(h.device));
    (void)forge_restart(lib.app, h.app, "1000", true);
    CHECK("the peer's is", is_restarting(h.device));
    CHECK("gone", hawser_device_close(intruder) == 0);
    CHECK("the session lives",
          hawser_active_check(h.app) == 0 && hawser_active_check(h.device) == 0);
    here_disconnect(h);
}

static void get_heard(void *ctx)
{
    struct restart_look *r = ctx;
    struct link *l;

    CHECK("a link", call_enter_link(r->handle, &l) == 0);
    (void)snprintf(r->fingerprint, sizeof r->fingerprint, "%s", l->restart.heard);
    call_leave_link(l);
}

TEST(what_the_peer_said_before_does_not_count)
{
    struct pair_of_handles h = connect_here();
    struct restart_look r = { .handle = h.device };

    note_sid(h.app);
    (void)forge_restart(lib.app, h.app, "2000", true);
    io_loop_run(lib.loop, get_heard, &r);
    CHECK("heard", strcmp(r.fingerprint, "2000") == 0);
    (void)forge_restart(lib.app, h.app, "1999", true);
    io_loop_run(lib.loop, get_heard, &r);
    CHECK("an older one is not", strcmp(r.fingerprint, "2000") == 0);
    (void)forge_restart(lib.app, h.app, "2001", true);
    io_loop_run(lib.loop, get_heard, &r);
    CHECK("a newer one is", strcmp(r.fingerprint, "2001") == 0);
    here_disconnect(h);
}

#define DESCRIPTION(candidates)                                                           \
    "{\"ufrag\":\"abcdefgh\",\"pwd\":\"abcdefghijklmnopqrstuvwx\",\"setup\":\"actpass\"," \
    "\"fingerprint\":\"sha-256 00\",\"candidates\":" candidates "}"

/* From somebody who holds a good grant, for a session that is there, and for none. */
TEST(nonsense_from_a_friend_changes_nothing)
{
    static const struct {
        enum envelope_type type;
        const char *body;
    } rows[] = {
        { ENVELOPE_OFFER, "{}" },
        { ENVELOPE_OFFER, "{\"grant\":17}" },
        { ENVELOPE_OFFER, "{\"grant\":[],\"session\":{}}" },
        { ENVELOPE_OFFER, "{\"grant\":[[],{},null],\"session\":[]}" },
        { ENVELOPE_OFFER, "{\"grant\":[\"a.b.c\"],\"session\":" DESCRIPTION("[]") "}" },
        { ENVELOPE_ANSWER, "{\"session\":" DESCRIPTION("[]") "}" },
        { ENVELOPE_ANSWER, "{\"session\":null}" },
        { ENVELOPE_REFUSE, "{\"code\":\"-1\"}" },
        { ENVELOPE_REFUSE, "{\"code\":-9223372036854775807}" },
        { ENVELOPE_CANDIDATE, "{\"candidates\":5}" },
        { ENVELOPE_CANDIDATE, "{\"candidates\":[1,null,{},[],\"\",\"candidate:\"],\"end\":7}" },
        { ENVELOPE_CANDIDATE,
          "{\"candidates\":[\"candidate:1 1 udp 1 0.0.0.0 9 typ host\",\"candidate:1 1 udp 1 "
          "224.0.0.1 9 typ host\",\"candidate:1 1 udp 4294967296 192.0.2.1 65536 typ host\"]}" },
        { ENVELOPE_CANDIDATE, "{\"candidates\":[],\"ufrag\":7}" },
        { ENVELOPE_RESTART, "{}" },
        { ENVELOPE_RESTART, "{\"session\":" DESCRIPTION("[]") "}" },
        { ENVELOPE_PAIR, "{\"proof\":\"\"}" },
        { ENVELOPE_PAIR, "{\"proof\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"]}" },
        { ENVELOPE_PAIRED, "{\"grant\":{}}" },
    };
    struct pair_of_handles h = connect_here();

    note_sid(h.app);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const struct forgery f = { .by = lib.app,
                                   .type = rows[i / 2].type,
                                   .body = rows[i / 2].body };

        last_sid[0] ^= (uint8_t)(i & 1 ? i + 1 : 0); /* every other one is of no session */
        (void)forge_with(&f);
        note_sid(h.app);
        CHECK(rows[i / 2].body, hawser_active_check(h.app) == 0);
        CHECK(rows[i / 2].body, hawser_active_check(h.device) == 0);
    }
    here_disconnect(h);
    h = connect_here();
    here_disconnect(h);
}

TEST(garbage_is_counted)
{
    struct look before = look(), after = before;

    spy_publish("no envelope");
    spy_publish("a.b.c.d.e");
    SPY_UNTIL((after = look()).messages.received >= before.messages.received + 2);
    CHECK("counted", after.messages.unreadable == before.messages.unreadable + 2);
}

/* More than the inbox takes in a row: the rest is dropped, and the device goes on. */
TEST(a_flood_does_not_stop_the_device)
{
    struct look before = look(), after = before;
    struct pair_of_handles h;

    for (int i = 0; i < 1000; i++) {
        char text[32];

        (void)snprintf(text, sizeof text, "flood %d", i);
        spy_publish(text);
    }
    SPY_UNTIL((after = look()).messages.flooded > before.messages.flooded);
    CHECK("dropped unread", after.messages.flooded > before.messages.flooded);
    h = connect_here(); /* the offer may be dropped too, but is sent again */
    here_disconnect(h);
}

/* ---- A broker that dies --------------------------------------------------------------------- */

TEST(sessions_outlive_the_broker)
{
    struct pair_of_handles h = connect_here();
    char byte;

    process_freeze(here.broker.pid);
    CHECK("a byte", hawser_send_data(h.app, 0, "x", 1, 1000) == 1);
    CHECK("arrives", hawser_recv_data(h.device, 0, &byte, 1, 10000) == 1);
    CHECK("closed by reason", hawser_close(h.device, 9) == 0);
    CHECK("which arrives too",
          hawser_recv_data(h.app, 0, &byte, 1, 10000) == HAWSER_ERR_CLOSED_BY_APPLICATION);
    process_thaw(here.broker.pid);
    here_disconnect(h);
}

/* ---- False certificates --------------------------------------------------------------------- */

TEST(a_tampered_fingerprint_fails)
{
    char directory[64], id[HAWSER_ID_MAX];
    struct peer p;

    setenv("TAMPER", "1", 1);
    CHECK("a device that lies",
          directory_make(directory) && peer_start(&p, directory, here.broker.url));
    unsetenv("TAMPER");
    CHECK("pairs", hawser_pair(peer_invite(&p), 10000, id) == 0);
    CHECK("does not connect", dial(id, 10000) == HAWSER_ERR_UNAUTHORISED);
    peer_stop(&p);
    directory_remove(directory);
}

/* ---- Pairing -------------------------------------------------------------------------------- */

/* Another secret in an otherwise good line. */
static void spoil(char invite[HAWSER_INVITE_MAX])
{
    struct invite in;

    CHECK("decodes", invite_decode(&in, invite) == ERR_OK);
    in.secret[0] ^= 1;
    CHECK("encodes", invite_encode(&in, invite) == ERR_OK);
}

TEST(invites)
{
    char good[HAWSER_INVITE_MAX], bad[HAWSER_INVITE_MAX], id[HAWSER_ID_MAX];

    CHECK("not one", hawser_pair("hawser:nonsense", 1000, id) == HAWSER_ERR_INVALID);
    CHECK("made", hawser_device_invite(device, 60, good) == 0);
    memcpy(bad, good, sizeof bad);
    spoil(bad);
    for (int i = 0; i < PAIRING_TRIES; i++)
        CHECK("a wrong secret", hawser_pair(bad, 10000, id) == HAWSER_ERR_UNAUTHORISED);
    CHECK("after five the right one is void",
          hawser_pair(good, 10000, id) == HAWSER_ERR_UNAUTHORISED);
    CHECK("made anew", hawser_device_invite(device, 60, bad) == 0);
    CHECK("good again", hawser_pair(bad, 10000, id) == 0);
    CHECK("out of range", hawser_device_invite(device, 3601, bad) == HAWSER_ERR_INVALID);
}

/* ---- Set-up --------------------------------------------------------------------------------- */

/* Here the goodbyes have the usual time. */
static int open_here(void **state)
{
    unsetenv("MOSQUITTO_PLUGIN");
    if (here_open(state) || hawser_set_option("flush_ms", NULL))
        return -1;
    device = here_open_paired_device(device_id);
    return device >= 0 && spy_start() ? 0 : -1;
}

static int close_here(void **state)
{
    mosquitto_destroy(spy);
    return here_close(state);
}

TESTS_BETWEEN(open_here, close_here, TEST_ROW(a_replayed_offer_costs_one_look_up),
              TEST_ROW(a_session_is_answered_once), TEST_ROW(only_the_peer_may_say_goodbye),
              TEST_ROW(only_the_peer_may_restart),
              TEST_ROW(what_the_peer_said_before_does_not_count),
              TEST_ROW(a_tampered_fingerprint_fails),
              TEST_ROW(invites), /* before those that use up the device's patience with strangers */
              TEST_ROW(garbage_is_counted), TEST_ROW(nonsense_from_a_friend_changes_nothing),
              TEST_ROW(sessions_outlive_the_broker), TEST_ROW(a_flood_does_not_stop_the_device))

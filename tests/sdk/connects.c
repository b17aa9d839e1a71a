/* connects.c: what becomes of a connect, each code by its real cause; how a device goes away. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/token/grant.h"
#include "io/loop.h"
#include "sdk/internal.h"
#include "sdk/link.h"
#include "sdk/store.h"
#include "tests/sdk/support/rows.h"
#include "tests/sdk/support/stage.h"
#include "tests/support/alloc.h"

static int connects(void)
{
    return stage_prove(stage_connect());
}

/* ---- Grants --------------------------------------------------------------------------------- */

/* A connect with another chain in place of the stored one. Takes the chain. */
static int connect_with_grant(json_t *chain)
{
    struct device_record record;
    json_t *stored;
    int code = INT_MAX;

    if (store_load_device(&record, stage.app_home, USER, stage.device.id) == ERR_OK) {
        stored = record.grant;
        record.grant = chain;
        if (store_save_device(&record, stage.app_home, USER) == ERR_OK)
            code = dial(stage.device.id, 10000);
        record.grant = stored;
        (void)store_save_device(&record, stage.app_home, USER);
        device_record_deinit(&record);
    }
    json_decref(chain);
    return code;
}

static uint8_t channels = GRANT_CHANNELS_ALL; /* of the grants made */

/* A chain of one, signed by the key `label` of `home`, for this app. */
static json_t *make_grant(const char *home, const char *label, enum grant_role role, int64_t exp_s)
{
    struct grant g = { .channels = channels, .role = role, .exp_s = exp_s };
    struct key *issuer = NULL, *holder = NULL;
    json_t *chain = json_array();
    char *text = NULL;

    (void)store_key(&holder, stage.app_home, USER);
    (void)store_key(&issuer, home, label);
    (void)id_decode(g.device, stage.device.id);
    memcpy(g.holder, key_public(holder), sizeof g.holder);
    g.iat_s = io_wall_s() - 7200;
    if (grant_sign(issuer, &g, &text) == ERR_OK)
        (void)json_array_append_new(chain, json_string(text));
    free(text);
    key_free(issuer);
    key_free(holder);
    return chain;
}

static int never_paired(void)
{
    return dial(NOBODY, 1000);
}

static int no_grant(void)
{
    return connect_with_grant(NULL);
}

static int expired(void)
{
    return connect_with_grant(
        make_grant(stage.device_home, "device", GRANT_USER, io_wall_s() - 3600));
}

static int another_devices(void)
{
    return connect_with_grant(make_grant(stage.device_home, "another", GRANT_OWNER, GRANT_NEVER));
}

/* A session with a grant that this test has made. */
static struct pair_of_handles connect_as_guest(void)
{
    struct pair_of_handles h;

    peer_tell(&stage.device, "listen 10000");
    h.app = connect_with_grant(
        make_grant(stage.device_home, "device", GRANT_GUEST, io_wall_s() + 3600));
    h.device = (int)strtol(peer_answer(&stage.device), NULL, 10);
    return h;
}

/* That the others fail for what is wrong with them, not for how they are made. */
static int good(void)
{
    return stage_prove(connect_as_guest());
}

/* Neither side may use another channel, and an app that does so nevertheless is not heard. */
static int only_channel_0(void)
{
    struct pair_of_handles h;
    struct link *l;
    char byte;
    int code;

    channels = 1;
    h = connect_as_guest();
    channels = GRANT_CHANNELS_ALL;
    CHECK("the granted one works", hawser_send_data(h.app, 0, "x", 1, 1000) == 1);
    CHECK("both ways", peer_ask(&stage.device, "send %d 0 1 1000", h.device) == 1 &&
                           hawser_recv_data(h.app, 0, &byte, 1, 10000) == 1);
    CHECK("the device may not either",
          peer_ask(&stage.device, "send %d 1 1 1000", h.device) == HAWSER_ERR_UNAUTHORISED);
    code = hawser_send_data(h.app, 1, "x", 1, 1000);
    CHECK("an app without manners", call_enter_link(h.app, &l) == 0);
    l->channels = GRANT_CHANNELS_ALL;
    call_leave_link(l);
    CHECK("sends", hawser_send_data(h.app, 1, "x", 1, 1000) == 1);
    CHECK("more", hawser_send_data(h.app, 0, "y", 1, 1000) == 1);
    CHECK("the device hears what it may",
          peer_ask(&stage.device, "recv %d 0 2 5000", h.device) > 0);
    CHECK("but not that",
          peer_ask(&stage.device, "recv %d 1 1 0", h.device) == HAWSER_ERR_UNAUTHORISED);
    stage_disconnect(h);
    return code;
}

static const struct row grant_rows[] = {
    { "a device we have not paired with", -105, never_paired },
    { "no grant", -105, no_grant },
    { "an expired grant", -105, expired },
    { "another device's signature", -105, another_devices },
    { "a grant made like these, but good", 0, good },
    { "a channel that is not granted", -105, only_channel_0 },
};

TEST(grants)
{
    run_rows(grant_rows, COUNT(grant_rows));
}

/* ---- Connects that come to nothing ---------------------------------------------------------- */

static int dial_with_frozen(pid_t pid)
{
    int code;

    process_freeze(pid);
    code = dial(stage.device.id, 1000);
    process_thaw(pid);
    return code;
}

static int silent_device(void)
{
    return dial_with_frozen(stage.device.pid);
}

static int dead_broker(void)
{
    return dial_with_frozen(stage.broker.pid);
}

static int broken(void)
{
    char trace[HAWSER_TRACE_ID_MAX];
    int code = HAWSER_ERR_OK;

    process_freeze(stage.device.pid);
    code = dial_begin(stage.device.id, 30000, trace);
    if (!code)
        code = hawser_connect_break(trace);
    if (!code)
        code = dial_result();
    process_thaw(stage.device.pid);
    return code;
}

static int deinit_while_connecting(void)
{
    int code;

    process_freeze(stage.device.pid);
    code = dial_begin(stage.device.id, 30000, NULL);
    if (!code)
        code = hawser_deinit();
    if (!code)
        code = dial_result();
    process_thaw(stage.device.pid);
    (void)hawser_init(USER);
    return code;
}

static int pending_code;

static void note_pending(void *ctx, const char *trace_id, int result)
{
    (void)ctx;
    (void)trace_id;
    if (result != HAWSER_ERR_CONNECT_BROKEN)
        pending_code = result;
}

static int too_many(void)
{
    int code = HAWSER_ERR_OK;

    pending_code = 0;
    process_freeze(stage.device.pid);
    for (int i = 0; i < 65 && !code; i++)
        code = hawser_connect(stage.device.id, 0, 30000, note_pending, NULL, NULL);
    (void)hawser_deinit(); /* runs every callback, and tells the device */
    process_thaw(stage.device.pid);
    (void)peer_ask(&stage.device, "restart"); /* a full inbox may have lost some of that */
    (void)hawser_init(USER);
    return code ? code : pending_code;
}

static int own_limit(void)
{
    struct pair_of_handles h;
    int code;

    if (!stage_reinit("sessions_max", "1"))
        return INT_MAX;
    h = stage_connect();
    CHECK("the first is connected", h.app >= 0);
    code = dial(stage.device.id, 10000);
    stage_disconnect(h);
    (void)stage_reinit("sessions_max", NULL);
    return code;
}

static int dial_bound_to(const char *addr)
{
    int code;

    if (!stage_reinit("bind", addr))
        return INT_MAX;
    code = dial(stage.device.id, 15000); /* it gives up after 10 s, by the half-open timer */
    (void)stage_reinit("bind", "127.0.0.1");
    return code;
}

static int no_port(void)
{
    return dial_bound_to("198.51.100.77"); /* of nobody: RFC 5737 */
}

/* Neither side has an address of the other's family. */
static int no_path(void)
{
    return dial_bound_to("::1");
}

/* Every allocation of the call fails in turn: it says so at once, and there is no callback; or it
 * was one that a session does without. */
static int out_of_memory(void)
{
    unsigned expected = dial_callbacks();
    size_t nth = 0, refused = 0;
    bool has_failed = true, all = true;

    while (has_failed) {
        struct pair_of_handles h;
        int code;

        alloc_fail_nth(++nth);
        code = dial_begin(stage.device.id, 10000, NULL);
        has_failed = alloc_has_failed();
        alloc_fail_nth(0);
        refused += code == HAWSER_ERR_NO_MEMORY;
        all = all && (code == HAWSER_ERR_NO_MEMORY || code == HAWSER_ERR_OK);
        if (code != HAWSER_ERR_OK)
            continue;
        expected++;
        h.app = dial_result();
        h.device = (int)peer_ask(&stage.device, "listen 5000");
        CHECK("what went on works", h.app >= 0 && h.device >= 0);
        stage_disconnect(h);
    }
    CHECK("several allocations were refused", refused > 5);
    CHECK("each with -29, or not missed", all);
    CHECK("only those that went on have a callback", dial_callbacks() == expected);
    return all ? HAWSER_ERR_NO_MEMORY : HAWSER_ERR_OK;
}

static const struct row connect_rows[] = {
    { "the device is subscribed, but silent", -3, silent_device },
    { "the broker does not answer", -3, dead_broker },
    { "connect_break while connecting", -19, broken },
    { "deinit while connecting", -19, deinit_while_connecting },
    { "64 connects are pending", -17, too_many },
    { "this side's limit of sessions", -23, own_limit },
    { "no address to bind", -18, no_port },
    { "no pair of addresses works", -10, no_path },
    { "an allocation fails", -29, out_of_memory },
    { "and after all that a session", 0, connects },
};

TEST(connects_that_come_to_nothing)
{
    run_rows(connect_rows, COUNT(connect_rows));
}

/* ---- The device goes away ------------------------------------------------------------------- */

static int aborted(void)
{
    struct pair_of_handles h = stage_connect();

    if (peer_ask(&stage.device, "abort %d", h.device))
        return INT_MAX;
    return stage_wait_end(h);
}

/* We read nothing, so what the device sent fills every buffer on the way; but not the control
 * stream's. */
static int closed_over_full_buffers(void)
{
    struct pair_of_handles h = stage_connect();

    if (peer_ask(&stage.device, "fill %d 1", h.device) != HAWSER_ERR_TIMEOUT)
        return INT_MAX;
    (void)peer_ask(&stage.device, "close %d 9", h.device);
    return stage_wait_end(h);
}

/* Nobody says anything for longer than `zombie_ms`. */
static int zombie(void)
{
    int code;

    if (!stage_reinit("zombie_ms", "300"))
        return INT_MAX;
    code = stage_wait_end(stage_connect());
    (void)stage_reinit("zombie_ms", NULL);
    return code;
}

/* The same, but for hawser_keep_alive(): then only the bye ends it. */
static int kept(void)
{
    struct pair_of_handles h;
    int code = INT_MAX;

    if (!stage_reinit("zombie_ms", "300"))
        return INT_MAX;
    h = stage_connect();
    if (hawser_keep_alive(h.app, 2) == HAWSER_ERR_INVALID && hawser_keep_alive(h.app, 1) == 0 &&
        hawser_recv_data(h.app, 0, &code, 1, 1000) == HAWSER_ERR_TIMEOUT)
        code = hawser_active_check(h.app) >= 0 ? 0 : INT_MAX;
    (void)hawser_disconnect(h.app);
    (void)stage_reinit("zombie_ms", NULL);
    return code;
}

static int killed(void)
{
    struct pair_of_handles h;
    int code;

    if (!stage_reinit("dead_ms", "6000"))
        return INT_MAX;
    h = stage_connect();
    process_kill(stage.device.pid);
    code = session_wait_end(h.app);
    (void)hawser_disconnect(h.app);
    (void)stage_reinit("dead_ms", NULL);
    return code;
}

/* The broker has seen its connection end: nobody subscribes to that inbox. */
static int not_online(void)
{
    return dial(stage.device.id, 10000);
}

static const struct row gone_rows[] = {
    { "the device aborts without a word", -12, aborted },
    { "it closes while nobody reads", -109, closed_over_full_buffers },
    { "no application data", -108, zombie },
    { "none, and it is to be kept", 0, kept },
    { "the device's process is killed", -13, killed },
    { "the device is not online", -6, not_online },
};

TEST(the_device_goes_away)
{
    run_rows(gone_rows, COUNT(gone_rows));
    CHECK("the device comes back", stage_restart_device());
}

TESTS_BETWEEN(stage_open, stage_close, TEST_ROW(grants), TEST_ROW(connects_that_come_to_nothing),
              TEST_ROW(the_device_goes_away))

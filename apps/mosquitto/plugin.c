/* The mosquitto plugin: the user name is an ID, the password its fresh signature for this broker
 * (core/token/broker_login.h). The client ID must be the ID too, so that mosquitto itself lets the
 * newest connection of a key take over from the one before, and no other key can. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "apps/mosquitto/access.h"
#include "apps/mosquitto/options.h"
#include "apps/mosquitto/rate.h"
#include "core/base/err.h"
#include "core/token/broker_login.h"

#define API_VERSION 5
#define EXPORTED    __attribute__((visibility("default")))

struct plugin {
    mosquitto_plugin_id_t *identifier;
    struct options options;
    struct rate rate;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One line; what a client claims to be is only repeated once it looks like an ID. */
static void log_refusal(const struct mosquitto *client, const char *claimed_id, const char *what,
                        const char *why)
{
    const char *address = mosquitto_client_address(client);

    mosquitto_log_printf(MOSQ_LOG_NOTICE, "hawser: refused %s of %s from %s: %s", what,
                         claimed_id && id_is_canonical(claimed_id) ? claimed_id : "(no ID)",
                         address ? address : "(unknown)", why);
}

static const char *login_refusal(const struct plugin *p, const struct mosquitto *client,
                                 const struct mosquitto_evt_basic_auth *login)
{
    const char *client_id = mosquitto_client_id(client);
    struct login_check check = {
        .audiences = p->options.audiences,
        .audience_count = p->options.audience_count,
        .now_s = time(NULL),
        .skew_s = p->options.skew_s,
    };
    int err;

    if (!login->username || !login->password)
        return "user name or password is missing";
    if (!client_id || strcmp(client_id, login->username) != 0)
        return "the client ID is not the user name";
    err = login_verify(login->username, bytes_of_string(login->password), &check);
    if (err == ERR_EXPIRED)
        return "the signature is too old or too new: is the client's clock right?";
    if (err == ERR_AUTH)
        return "the signature is not this ID's, or is for another broker";
    return err ? err_string((enum err)err) : NULL;
}

static int on_basic_auth(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_basic_auth *login = event_data;
    const char *why = login_refusal(userdata, login->client, login);

    (void)event;
    if (why) {
        log_refusal(login->client, login->username, "login", why);
        return MOSQ_ERR_AUTH;
    }
    /* mosquitto 2.0 closes the connection that is taken over without a word, and its client would
     * come back for it. This way it is told: DISCONNECT with "administrative action" (0x98). */
    mosquitto_kick_client_by_clientid(login->username, false);
    return MOSQ_ERR_SUCCESS;
}

static const char *access_refusal(const struct plugin *p, const struct mosquitto_evt_acl_check *a)
{
    const char *id = mosquitto_client_username(a->client);

    if (!id || !a->topic)
        return "no user name";
    if (a->access == MOSQ_ACL_UNSUBSCRIBE)
        return NULL; /* from whatever: it gives nothing away */
    if (a->access == MOSQ_ACL_WRITE)
        return access_publish_refusal(a->topic, a->payloadlen, a->retain, p->options.payload_max);
    return access_may_read(id, a->topic) ? NULL : "not its own inbox";
}

static const char *access_name(int access)
{
    return access == MOSQ_ACL_WRITE  ? "message"
           : access == MOSQ_ACL_READ ? "delivery"
                                     : "subscription";
}

/* Before anything else is judged: what is refused costs as much, and a line in the log too. */
static bool is_within_rate(struct plugin *p, const struct mosquitto_evt_acl_check *a)
{
    const char *id = mosquitto_client_username(a->client);
    enum rate_answer answer =
        id && a->access == MOSQ_ACL_WRITE ? rate_take(&p->rate, id, now_ms()) : RATE_WITHIN;

    if (answer == RATE_BEYOND_LOG)
        log_refusal(a->client, id, "message",
                    "more than plugin_opt_publish_rate allows (said once a minute)");
    return answer == RATE_WITHIN;
}

static int on_acl_check(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_acl_check *a = event_data;
    const char *why;

    (void)event;
    if (!is_within_rate(userdata, a))
        return MOSQ_ERR_ACL_DENIED;
    why = access_refusal(userdata, a);
    if (!why)
        return MOSQ_ERR_SUCCESS;
    log_refusal(a->client, mosquitto_client_username(a->client), access_name(a->access), why);
    return MOSQ_ERR_ACL_DENIED;
}

/* Also for connections that never logged in, whose user name is but a claim: rate_leave() takes
 * nothing from anyone. */
static int on_disconnect(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_disconnect *end = event_data;
    const char *id = mosquitto_client_username(end->client);
    struct plugin *p = userdata;

    (void)event;
    if (id)
        rate_leave(&p->rate, id, now_ms());
    return MOSQ_ERR_SUCCESS;
}

static const struct {
    int event;
    MOSQ_FUNC_generic_callback callback;
} callbacks[] = {
    { MOSQ_EVT_BASIC_AUTH, on_basic_auth },
    { MOSQ_EVT_ACL_CHECK, on_acl_check },
    { MOSQ_EVT_DISCONNECT, on_disconnect },
};

EXPORTED int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++)
        if (supported_versions[i] == API_VERSION)
            return API_VERSION;
    return -1;
}

static int register_callbacks(struct plugin *p)
{
    int err = MOSQ_ERR_SUCCESS;

    for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0] && !err; i++)
        err = mosquitto_callback_register(p->identifier, callbacks[i].event, callbacks[i].callback,
                                          NULL, p);
    return err;
}

EXPORTED int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                                   struct mosquitto_opt *options, int option_count)
{
    struct plugin *p = calloc(1, sizeof *p);
    const char *trouble;

    if (!p)
        return MOSQ_ERR_NOMEM;
    p->identifier = identifier;
    trouble = options_init(&p->options, options, option_count);
    if (trouble) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "hawser: %s", trouble);
        free(p);
        return MOSQ_ERR_INVAL;
    }
    if (!rate_init(&p->rate, p->options.publish_rate)) {
        options_deinit(&p->options);
        free(p);
        return MOSQ_ERR_NOMEM;
    }
    *userdata = p;
    return register_callbacks(p);
}

EXPORTED int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options,
                                      int option_count)
{
    struct plugin *p = userdata;

    (void)options;
    (void)option_count;
    if (!p)
        return MOSQ_ERR_SUCCESS;
    for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++)
        mosquitto_callback_unregister(p->identifier, callbacks[i].event, callbacks[i].callback,
                                      NULL);
    rate_deinit(&p->rate);
    options_deinit(&p->options);
    free(p);
    return MOSQ_ERR_SUCCESS;
}

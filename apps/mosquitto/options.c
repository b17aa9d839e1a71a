#include "apps/mosquitto/options.h"

#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "core/token/broker_login.h"
#include "core/token/jwe.h"

#define SKEW_MAX_S       86400
#define PAYLOAD_MAX_MAX  1048576
#define PUBLISH_RATE_MAX 100000
#define PUBLISH_RATE     20

static const char *read_audiences(struct options *o, const char *value)
{
    char *at;

    free(o->names);
    o->audience_count = 0;
    o->names = strdup(value);
    for (at = o->names; at;) {
        char *name = strsep(&at, ",");

        if (!*name)
            continue;
        if (o->audience_count == OPTIONS_AUDIENCES_MAX || strlen(name) > LOGIN_AUDIENCE_MAX)
            return "plugin_opt_audience has too many names or too long a one";
        o->audiences[o->audience_count++] = name;
    }
    return o->names ? NULL : "out of memory";
}

/* A decimal number from min to max. */
static bool read_number(const char *value, long min, long max, long *out)
{
    char *end;
    long number = strtol(value, &end, 10);

    if (end == value || *end || number < min || number > max)
        return false;
    *out = number;
    return true;
}

static const char *read_skew(struct options *o, const char *value)
{
    long number;

    if (!read_number(value, 1, SKEW_MAX_S, &number))
        return "plugin_opt_skew must be a number of seconds, 1 to 86400";
    o->skew_s = number;
    return NULL;
}

static const char *read_payload_max(struct options *o, const char *value)
{
    long number;

    if (!read_number(value, 1, PAYLOAD_MAX_MAX, &number))
        return "plugin_opt_payload_max must be a number of bytes, 1 to 1048576";
    o->payload_max = (size_t)number;
    return NULL;
}

static const char *read_publish_rate(struct options *o, const char *value)
{
    long number;

    if (!read_number(value, 0, PUBLISH_RATE_MAX, &number))
        return "plugin_opt_publish_rate must be messages per second, 0 to 100000; 0: no limit";
    o->publish_rate = number;
    return NULL;
}

static const struct {
    const char *key;
    const char *(*read)(struct options *o, const char *value);
} rules[] = {
    { "audience", read_audiences },
    { "skew", read_skew },
    { "payload_max", read_payload_max },
    { "publish_rate", read_publish_rate },
};

static const char *read_option(struct options *o, const struct mosquitto_opt *opt)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(opt->key, rules[i].key) == 0)
            return rules[i].read(o, opt->value);
    return "unknown plugin_opt_…: known are audience, skew, payload_max, publish_rate";
}

const char *options_init(struct options *o, const struct mosquitto_opt *opts, int opt_count)
{
    const char *trouble = NULL;

    *o = (struct options){ .skew_s = TOKEN_SKEW_S,
                           .payload_max = JWE_TEXT_MAX,
                           .publish_rate = PUBLISH_RATE };
    for (int i = 0; i < opt_count && !trouble; i++)
        trouble = read_option(o, &opts[i]);
    if (!trouble && o->audience_count == 0)
        trouble = "plugin_opt_audience is missing: the names of this broker, with commas between";
    if (trouble)
        options_deinit(o);
    return trouble;
}

void options_deinit(struct options *o)
{
    free(o->names);
    *o = (struct options){ .names = NULL };
}

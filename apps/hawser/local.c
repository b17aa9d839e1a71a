#include "apps/hawser/local.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "apps/common/client.h"
#include "apps/common/home.h"
#include "apps/common/say.h"
#include "core/base/bytes.h"

static int say_bad_config(const char *home, const char *what)
{
    return say_error("%s/config.json: %s: mend it, or move it away", home, what);
}

/* NULL: said what is wrong. A missing file is an empty one. Nothing of it is quoted, as it may be a
 * password. */
static json_t *load_config(const char *home)
{
    char path[HOME_PATH_MAX + 16], what[64];
    json_error_t error;
    json_t *config;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/config.json", home);
    f = fopen(path, "re");
    if (!f && errno == ENOENT)
        return json_object();
    if (!f) {
        say_bad_config(home, strerror(errno));
        return NULL;
    }
    config = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    (void)fclose(f);
    if (json_is_object(config))
        return config;
    (void)snprintf(what, sizeof what, "line %d: not JSON", error.line);
    say_bad_config(home, config ? "not an object" : what);
    json_decref(config);
    return NULL;
}

/* Lets the library judge a value: an init would have it judged too, but takes the place of another
 * program with this key at the broker. */
static bool is_usable(const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    char number[24];

    if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        text = number;
    }
    return text && hawser_set_option(name, text) == HAWSER_ERR_OK;
}

/* Names that are not here are left alone, as the library does. */
static int check_config(const char *home, const json_t *config)
{
    static const char *const names[] = {
        "broker",        "broker_name",   "broker_ca", "stun",      "turn",
        "turn_username", "turn_password", "turn_ca",   "bind",      "lan",
        "sessions_max",  "dead_ms",       "flush_ms",  "zombie_ms",
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        const json_t *value = json_object_get(config, names[i]);
        char what[80];

        if (!value || is_usable(names[i], value))
            continue;
        (void)snprintf(what, sizeof what, "the value of \"%s\" cannot be used", names[i]);
        return say_bad_config(home, what);
    }
    return EXIT_CODE_OK;
}

/* What holds for this call: the option, else the file. */
static const char *server_of(const char *option, const json_t *config, const char *name)
{
    const char *text = option ? option : json_string_value(json_object_get(config, name));

    return text && *text ? text : NULL;
}

static int show(const struct options *o, const char *home, const json_t *config)
{
    const char *label = o->label ? o->label : CLIENT_LABEL;
    const char *broker = server_of(o->broker, config, "broker");
    const char *stun = server_of(o->stun, config, "stun");
    const char *turn = server_of(o->turn, config, "turn");
    char id[HAWSER_ID_MAX];
    int error = hawser_keygen(label, id); /* as every other command does, if there is none */

    if (error)
        return say_key_failure(error, label);
    say("version  %s\nhome     %s\nlabel    %s\nID       %s", hawser_get_version(), home, label,
        id);
    say("broker   %s\nstun     %s\nturn     %s", broker ? broker : "none", stun ? stun : "none",
        turn ? turn : "none");
    say_json(json_pack("{ss ss ss ss ss? ss? ss?}", "version", hawser_get_version(), "home", home,
                       "label", label, "id", id, "broker", broker, "stun", stun, "turn", turn));
    return EXIT_CODE_OK;
}

int local_status(const struct options *o)
{
    char home[HOME_PATH_MAX];
    json_t *config;
    int code;

    if (options_apply(o))
        return EXIT_CODE_FAILED;
    config = load_config(home_get(home));
    if (!config)
        return EXIT_CODE_FAILED;
    code = check_config(home, config);
    if (!code)
        code = show(o, home, config);
    json_decref(config);
    return code;
}

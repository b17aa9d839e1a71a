#include "sdk/options.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/log.h"

typedef int option_read(struct options *o, const char *value);

static bool copy_text(char *out, size_t cap, const char *value)
{
    size_t len = strlen(value);

    if (len >= cap)
        return false;
    memcpy(out, value, len + 1);
    return true;
}

static int read_home(struct options *o, const char *value)
{
    return *value && copy_text(o->home, sizeof o->home, value) ? ERR_OK : ERR_INVALID;
}

static int read_broker(struct options *o, const char *value)
{
    struct endpoint e;

    if (endpoint_parse(&e, value) ||
        (strcmp(e.scheme, "mqtt") && strcmp(e.scheme, "mqtts") && strcmp(e.scheme, "mqtt+unix")))
        return ERR_INVALID;
    return copy_text(o->broker, sizeof o->broker, value) ? ERR_OK : ERR_INVALID;
}

static int read_broker_name(struct options *o, const char *value)
{
    return *value && copy_text(o->broker_name, sizeof o->broker_name, value) ? ERR_OK : ERR_INVALID;
}

static int read_broker_ca(struct options *o, const char *value)
{
    return copy_text(o->broker_ca, sizeof o->broker_ca, value) ? ERR_OK : ERR_INVALID;
}

/* Takes the next item of a comma-separated list, without spaces around it. False: no more. */
static bool next_item(const char **list, char out[OPTION_TEXT_MAX])
{
    const char *from = *list + strspn(*list, ", ");
    size_t len = strcspn(from, ", ");

    if (len == 0 || len >= OPTION_TEXT_MAX)
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    *list = from + len;
    return true;
}

static int read_stun(struct options *o, const char *value)
{
    char item[OPTION_TEXT_MAX];

    o->stun_count = 0;
    while (next_item(&value, item)) {
        struct endpoint *e = &o->stun[o->stun_count];

        if (o->stun_count == COUNT(o->stun) || endpoint_parse(e, item) ||
            (*e->scheme && strcmp(e->scheme, "stun")))
            return ERR_INVALID;
        o->stun_count++;
    }
    return ERR_OK;
}

static int read_turn(struct options *o, const char *value)
{
    char item[OPTION_TEXT_MAX];

    o->turn_count = 0;
    while (next_item(&value, item))
        if (o->turn_count == COUNT(o->turn) || relay_server_parse(&o->turn[o->turn_count++], item))
            return ERR_INVALID;
    return ERR_OK;
}

static int read_turn_username(struct options *o, const char *value)
{
    return copy_text(o->turn_username, sizeof o->turn_username, value) ? ERR_OK : ERR_INVALID;
}

static int read_turn_password(struct options *o, const char *value)
{
    return copy_text(o->turn_password, sizeof o->turn_password, value) ? ERR_OK : ERR_INVALID;
}

static int read_turn_ca(struct options *o, const char *value)
{
    return copy_text(o->turn_ca, sizeof o->turn_ca, value) ? ERR_OK : ERR_INVALID;
}

static int read_bind(struct options *o, const char *value)
{
    char item[OPTION_TEXT_MAX];

    o->bind_count = 0;
    while (next_item(&value, item)) {
        if (o->bind_count == COUNT(o->bind) || !addr_parse_ip(&o->bind[o->bind_count], item, 0))
            return ERR_INVALID;
        o->bind_count++;
    }
    return ERR_OK;
}

static int read_number(int *out, const char *value, long least, long most)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(value, &end, 10);
    if (errno || end == value || *end || number < least || number > most)
        return ERR_INVALID;
    *out = (int)number;
    return ERR_OK;
}

static int read_lan(struct options *o, const char *value)
{
    return read_number(&o->lan, value, 0, 1);
}

static int read_offload(struct options *o, const char *value)
{
    return read_number(&o->offload, value, 0, 1);
}

static int read_sessions_max(struct options *o, const char *value)
{
    return read_number(&o->sessions_max, value, 1, 4096);
}

static int read_dead_ms(struct options *o, const char *value)
{
    return read_number(&o->dead_ms, value, 6000, 60000);
}

static int read_flush_ms(struct options *o, const char *value)
{
    return read_number(&o->flush_ms, value, 0, 10000);
}

static int read_zombie_ms(struct options *o, const char *value)
{
    return read_number(&o->zombie_ms, value, 0, INT32_MAX);
}

static struct {
    const char *name;
    option_read *read;
    char *value; /* of options_set() */
} rows[] = {
    { "home", read_home, NULL },
    { "broker", read_broker, NULL },
    { "broker_name", read_broker_name, NULL },
    { "broker_ca", read_broker_ca, NULL },
    { "stun", read_stun, NULL },
    { "turn", read_turn, NULL },
    { "turn_username", read_turn_username, NULL },
    { "turn_password", read_turn_password, NULL },
    { "turn_ca", read_turn_ca, NULL },
    { "bind", read_bind, NULL },
    { "lan", read_lan, NULL },
    { "offload", read_offload, NULL },
    { "sessions_max", read_sessions_max, NULL },
    { "dead_ms", read_dead_ms, NULL },
    { "flush_ms", read_flush_ms, NULL },
    { "zombie_ms", read_zombie_ms, NULL },
};

int options_set(const char *name, const char *value)
{
    static struct options scratch; /* large; the library's lock is held */
    char *copy = NULL;

    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(rows[i].name, name))
            continue;
        if (value && rows[i].read(&scratch, value))
            return ERR_INVALID;
        if (value && !(copy = strdup(value)))
            return ERR_NOMEM;
        free(rows[i].value);
        rows[i].value = copy;
        return ERR_OK;
    }
    return ERR_INVALID;
}

int options_home(char out[OPTION_TEXT_MAX])
{
    const char *home = getenv("HAWSER_HOME");
    int len;

    if (rows[0].value)
        return copy_text(out, OPTION_TEXT_MAX, rows[0].value) ? ERR_OK : ERR_INVALID;
    if (home && *home)
        return copy_text(out, OPTION_TEXT_MAX, home) ? ERR_OK : ERR_INVALID;
    home = getenv("HOME");
    if (!home || !*home) {
        log_line(HAWSER_LOG_ERROR, NULL, "no home directory: set HOME, HAWSER_HOME or \"home\"");
        return ERR_INVALID;
    }
    len = snprintf(out, OPTION_TEXT_MAX, "%s/.hawser", home);
    return len < OPTION_TEXT_MAX ? ERR_OK : ERR_INVALID;
}

/* A missing file is an empty one. What is wrong in it is not quoted, as jansson would: it may be a
 * password. */
static int load_config(json_t **out, const char *home)
{
    char path[OPTION_TEXT_MAX + 16];
    json_error_t error;
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/config.json", home);
    f = fopen(path, "re");
    if (!f && errno == ENOENT)
        return (*out = json_object()) ? ERR_OK : ERR_NOMEM;
    if (!f) {
        log_line(HAWSER_LOG_ERROR, NULL, "%s: %s", path, strerror(errno));
        return ERR_INVALID;
    }
    *out = json_loadf(f, JSON_REJECT_DUPLICATES, &error);
    (void)fclose(f);
    if (*out && json_is_object(*out))
        return ERR_OK;
    if (*out)
        log_line(HAWSER_LOG_ERROR, NULL, "%s: not an object", path);
    else
        log_line(HAWSER_LOG_ERROR, NULL, "%s, line %d, column %d: not JSON", path, error.line,
                 error.column);
    if (!*out && json_error_code(&error) == json_error_out_of_memory)
        return ERR_NOMEM;
    json_decref(*out);
    *out = NULL;
    return ERR_INVALID;
}

/* Names this version does not know are left alone: a newer one may have written them. */
static int apply_config(struct options *o, const json_t *config)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        const json_t *v = json_object_get(config, rows[i].name);
        char number[24];
        const char *text = json_string_value(v);

        if (!v || rows[i].value || rows[i].read == read_home)
            continue;
        if (json_is_integer(v)) {
            (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
            text = number;
        }
        if (!text || rows[i].read(o, text)) {
            log_line(HAWSER_LOG_ERROR, NULL, "config.json: the value of \"%s\" cannot be used",
                     rows[i].name);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static void name_broker(struct options *o)
{
    struct endpoint e;

    if (*o->broker && !*o->broker_name && !endpoint_parse(&e, o->broker))
        (void)copy_text(o->broker_name, sizeof o->broker_name,
                        *e.host == '/' ? "localhost" : e.host);
}

int options_set_broker(struct options *o, const char *url)
{
    struct endpoint e;
    int err = endpoint_parse(&e, url);

    if (!err)
        err = strcmp(e.scheme, "mqtt+unix") ? read_broker(o, url) : ERR_INVALID;

    if (!err)
        name_broker(o);
    return err;
}

int options_load(struct options *out)
{
    json_t *config = NULL;
    int err;

    *out = (struct options){ .sessions_max = 256,
                             .dead_ms = 30000,
                             .flush_ms = 1000,
                             .zombie_ms = 1200000,
                             .lan = 1,
                             .offload = 1 };
    err = options_home(out->home);
    if (err == ERR_OK)
        err = load_config(&config, out->home);
    if (err == ERR_OK)
        err = apply_config(out, config);
    json_decref(config);
    for (size_t i = 0; i < COUNT(rows) && err == ERR_OK; i++)
        if (rows[i].value)
            err = rows[i].read(out, rows[i].value);
    name_broker(out);
    return err;
}

#include "apps/common/control.h"

#include <stdlib.h>

/* The object of a line and its id; NULL and *why otherwise. */
static json_t *load(struct bytes line, int64_t *id, const char **why)
{
    json_error_t error;
    json_t *members, *number;

    members = line.len < CONTROL_LINE_MAX
                  ? json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &error)
                  : NULL;
    number = json_object_get(members, "id");
    *id = json_integer_value(number);
    if (!json_is_object(members))
        *why = "not a JSON object on one line";
    else if (!json_is_integer(number) || *id < 0)
        *why = "\"id\" is not a whole number";
    else
        return members;
    json_decref(members);
    return NULL;
}

const char *control_decode_request(struct control_request *out, struct bytes line)
{
    const char *why = NULL, *op;

    *out = (struct control_request){ 0 };
    out->members = load(line, &out->id, &why);
    if (!out->members)
        return why;
    op = control_text(out->members, "op", "");
    if (*op && strlen(op) < sizeof out->op) {
        memcpy(out->op, op, strlen(op) + 1);
        return NULL;
    }
    control_deinit_request(out);
    return "\"op\" is not the name of an operation";
}

const char *control_decode_reply(struct control_reply *out, struct bytes line)
{
    const char *why = NULL;
    json_t *ok;

    *out = (struct control_reply){ 0 };
    out->members = load(line, &out->id, &why);
    if (!out->members)
        return why;
    ok = json_object_get(out->members, "ok");
    if (!json_is_boolean(ok)) {
        control_deinit_reply(out);
        return "\"ok\" is neither true nor false";
    }
    out->ok = json_is_true(ok);
    out->error = out->ok ? "" : control_text(out->members, "error", "refused without a reason");
    return NULL;
}

void control_deinit_request(struct control_request *r)
{
    json_decref(r->members);
    r->members = NULL;
}

void control_deinit_reply(struct control_reply *r)
{
    json_decref(r->members);
    r->members = NULL;
}

/* The object as a line; the object is released. */
static char *dump(json_t *members)
{
    size_t len = json_dumpb(members, NULL, 0, JSON_COMPACT);
    char *line = len > 0 && len < CONTROL_LINE_MAX ? malloc(len + 2) : NULL;

    if (line && json_dumpb(members, line, len, JSON_COMPACT) == len) {
        memcpy(line + len, "\n", 2);
    } else {
        free(line);
        line = NULL;
    }
    json_decref(members);
    return line;
}

static char *encode(int64_t id, json_t *members, const char *name, json_t *value)
{
    int failed = json_object_set_new(members, "id", json_integer(id));

    failed |= json_object_set_new(members, name, value);
    if (!failed)
        return dump(members);
    json_decref(members);
    return NULL;
}

char *control_encode_request(int64_t id, const char *op, json_t *members)
{
    return encode(id, members ? members : json_object(), "op", json_string(op));
}

char *control_encode_result(int64_t id, json_t *members)
{
    return encode(id, members ? members : json_object(), "ok", json_true());
}

char *control_encode_error(int64_t id, const char *error)
{
    return encode(id, json_pack("{ss}", "error", error), "ok", json_false());
}

const char *control_text(const json_t *members, const char *name, const char *usual)
{
    const char *text = json_string_value(json_object_get(members, name));

    return text ? text : usual;
}

int64_t control_number(const json_t *members, const char *name, int64_t usual)
{
    const json_t *number = json_object_get(members, name);

    return json_is_integer(number) ? json_integer_value(number) : usual;
}

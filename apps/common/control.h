/* control.h: requests and replies on channel 0, one JSON object a line.
 *
 *     {"id":1,"op":"ping"}                         to the device
 *     {"id":1,"ok":true}                           its answer
 *     {"id":2,"ok":false,"error":"no such file"}   or why not
 *
 * A request may carry more members and a reply more results; unknown ones are ignored. Replies
 * come in the order of their requests. The operations are listed in docs/channels.md. */
#ifndef HAWSER_APPS_COMMON_CONTROL_H
#define HAWSER_APPS_COMMON_CONTROL_H

#include <jansson.h>

#include "core/base/bytes.h"

#define CONTROL_LINE_MAX 65536 /* bytes of a line, newline included */
#define CONTROL_OP_MAX   32    /* with NUL */

struct control_request {
    int64_t id;
    char op[CONTROL_OP_MAX];
    json_t *members; /* the whole object, owned */
};

struct control_reply {
    int64_t id;
    bool ok;
    const char *error; /* in members; "" when ok */
    json_t *members;   /* the whole object, owned */
};

/* A line without its newline. NULL, or what is wrong with it (and nothing to deinit). */
const char *control_decode_request(struct control_request *out, struct bytes line);
const char *control_decode_reply(struct control_reply *out, struct bytes line);
void control_deinit_request(struct control_request *r);
void control_deinit_reply(struct control_reply *r);

/* A line with its newline, from malloc; takes over `members`, into which id, op and ok are set.
 * NULL when out of memory or when the line would be too long. */
char *control_encode_request(int64_t id, const char *op, json_t *members);
char *control_encode_result(int64_t id, json_t *members);
char *control_encode_error(int64_t id, const char *error);

/* Members by name, with what to assume where there is none of that type. */
const char *control_text(const json_t *members, const char *name, const char *usual);
int64_t control_number(const json_t *members, const char *name, int64_t usual);

#endif

#include "apps/common/control.h"

#include <stdlib.h>

#include "tests/check.h"

TEST(requests_are_objects_with_id_and_op)
{
    static const struct {
        const char *claim, *line;
        const char *op; /* NULL: refused */
    } rows[] = {
        { "the least", "{\"id\":1,\"op\":\"ping\"}", "ping" },
        { "more members", "{\"op\":\"get\",\"id\":0,\"path\":\"a\",\"new\":[1]}", "get" },
        { "carriage return", "{\"id\":1,\"op\":\"ping\"}\r", "ping" },
        { "empty line", "", NULL },
        { "not JSON", "ping", NULL },
        { "cut short", "{\"id\":1,\"op\":\"ping\"", NULL },
        { "not an object", "[1,\"ping\"]", NULL },
        { "no id", "{\"op\":\"ping\"}", NULL },
        { "id is text", "{\"id\":\"1\",\"op\":\"ping\"}", NULL },
        { "negative id", "{\"id\":-1,\"op\":\"ping\"}", NULL },
        { "id too long", "{\"id\":99999999999999999999,\"op\":\"ping\"}", NULL },
        { "no op", "{\"id\":1}", NULL },
        { "empty op", "{\"id\":1,\"op\":\"\"}", NULL },
        { "long op", "{\"id\":1,\"op\":\"abcdefghijklmnopqrstuvwxyz012345\"}", NULL },
        { "the same twice", "{\"id\":1,\"id\":2,\"op\":\"ping\"}", NULL },
        { "rubbish behind", "{\"id\":1,\"op\":\"ping\"} {}", NULL },
        { "bad UTF-8", "{\"id\":1,\"op\":\"\xff\"}", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct control_request r;
        const char *why = control_decode_request(&r, bytes_of_string(rows[i].line));

        CHECK(rows[i].claim, rows[i].op ? !why && !strcmp(r.op, rows[i].op) : why != NULL);
        if (!why)
            control_deinit_request(&r);
    }
}

TEST(replies_say_whether_and_why_not)
{
    static const struct {
        const char *claim, *line, *error; /* NULL: refused */
    } rows[] = {
        { "done", "{\"id\":1,\"ok\":true}", "" },
        { "refused", "{\"id\":1,\"ok\":false,\"error\":\"no\"}", "no" },
        { "refused without a word", "{\"id\":1,\"ok\":false}", "refused without a reason" },
        { "neither", "{\"id\":1}", NULL },
        { "ok is a number", "{\"id\":1,\"ok\":1}", NULL },
        { "no id", "{\"ok\":true}", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct control_reply r;
        const char *why = control_decode_reply(&r, bytes_of_string(rows[i].line));

        CHECK(rows[i].claim, rows[i].error ? !why && !strcmp(r.error, rows[i].error) : why != NULL);
        if (!why)
            control_deinit_reply(&r);
    }
}

static struct bytes without_newline(const char *line)
{
    struct bytes b = bytes_of_string(line);

    CHECK("one line", b.len > 0 && strchr(line, '\n') == line + b.len - 1);
    b.len--;
    return b;
}

TEST(what_is_encoded_is_decoded)
{
    struct control_request request;
    struct control_reply reply;
    char *line = control_encode_request(7, "get", json_pack("{ss}", "path", "a\nb"));

    CHECK("request", !control_decode_request(&request, without_newline(line)));
    CHECK("id and op", request.id == 7 && strcmp(request.op, "get") == 0);
    CHECK("member", strcmp(control_text(request.members, "path", ""), "a\nb") == 0);
    control_deinit_request(&request);
    free(line);

    line = control_encode_result(8, json_pack("{sI}", "size", (json_int_t)1 << 40));
    CHECK("result", !control_decode_reply(&reply, without_newline(line)));
    CHECK("size", reply.ok && control_number(reply.members, "size", 0) == INT64_C(1) << 40);
    CHECK("absent", control_number(reply.members, "offset", -1) == -1);
    control_deinit_reply(&reply);
    free(line);

    line = control_encode_error(9, "no such file");
    CHECK("error", !control_decode_reply(&reply, without_newline(line)));
    CHECK("text", !reply.ok && strcmp(reply.error, "no such file") == 0);
    control_deinit_reply(&reply);
    free(line);
}

TEST(a_line_that_no_peer_would_take_is_not_made)
{
    size_t len = CONTROL_LINE_MAX;
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    CHECK("too long", !control_encode_result(1, json_pack("{ss}", "text", text)));
    CHECK("not UTF-8", !control_encode_request(1, "\xff", NULL));
    free(text);
}

TESTS(TEST_ROW(requests_are_objects_with_id_and_op), TEST_ROW(replies_say_whether_and_why_not),
      TEST_ROW(what_is_encoded_is_decoded), TEST_ROW(a_line_that_no_peer_would_take_is_not_made))

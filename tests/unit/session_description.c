#include "core/session/session.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"

#define FP                                                                       \
    "\"fingerprint\":\"sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:" \
    "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:ff\""
#define CRED "\"ufrag\":\"abcd\",\"pwd\":\"aaaaaaaaaaaaaaaaaaaaaaaa\""
#define HOST "\"candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\""

static const struct {
    const char *claim, *json;
    int err;
    size_t candidates;
} rows[] = {
    { "as it should be",
      "{" CRED "," FP ",\"setup\":\"actpass\",\"candidates\":[" HOST "],\"options\":[\"trickle\"]}",
      ERR_OK, 1 },
    { "options may be missing", "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[]}", ERR_OK,
      0 },
    { "members of later versions are passed over",
      "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"later\":{\"x\":1}}", ERR_OK, 0 },
    { "names and TCP are left out",
      "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":["
      "\"candidate:1 1 udp 2113937151 d7e2.local 33723 typ host\","
      "\"candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\"," HOST "]}",
      ERR_OK, 1 },
    { "options of later versions are passed over",
      "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"options\":[\"x\",\"sped\"]}",
      ERR_OK, 0 },
    { "an option is a text",
      "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"options\":[1]}", ERR_INVALID, 0 },
    { "an INIT is a text",
      "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"sctp_init\":[1]}", ERR_INVALID,
      0 },
    { "what is answered is a text",
      "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"answers\":{}}", ERR_INVALID, 0 },
    { "a candidate that is none", "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[\"x\"]}",
      ERR_INVALID, 0 },
    { "a number among candidates", "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[1]}",
      ERR_INVALID, 0 },
    { "unknown setup", "{" CRED "," FP ",\"setup\":\"holdconn\",\"candidates\":[]}", ERR_INVALID,
      0 },
    { "candidates are a list", "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":{}}",
      ERR_INVALID, 0 },
    { "no fingerprint", "{" CRED ",\"setup\":\"active\",\"candidates\":[]}", ERR_INVALID, 0 },
    { "a short fingerprint",
      "{" CRED ",\"fingerprint\":\"sha-256 00:01\",\"setup\":\"active\",\"candidates\":[]}",
      ERR_INVALID, 0 },
    { "a twice-named member", "{" CRED "," FP "," FP ",\"setup\":\"active\",\"candidates\":[]}",
      ERR_INVALID, 0 },
    { "not an object", "[]", ERR_INVALID, 0 },
    { "nothing", "", ERR_INVALID, 0 },
};

TEST(what_is_read)
{
    static struct session_description d;

    for (size_t i = 0; i < COUNT(rows); i++) {
        int err = session_description_decode(&d, rows[i].json, strlen(rows[i].json));

        CHECK(rows[i].claim, err == rows[i].err);
        if (!err)
            CHECK(rows[i].claim, d.candidate_count == rows[i].candidates);
    }
}

#define INIT "AQAAGRUALucAQAAABAAEAFAlMHGACAAFgg"

static const struct {
    const char *claim, *text;
    size_t len;
} inits[] = {
    { "an INIT chunk", INIT, 25 },
    { "none", "", 0 },
    { "no base64url", "AQAA*", 0 },
    { "with padding", "AQAAGQ==", 0 },
    { "spare bits", "AQAAGR", 0 },
    { "as long as one may be", INIT INIT "AQAAGRUALucAQAAABA", 64 },
    { "too long", INIT INIT INIT, 0 },
};

TEST(an_init_that_is_none_is_as_good_as_absent)
{
    static struct session_description d;
    char json[1024];

    for (size_t i = 0; i < COUNT(inits); i++) {
        snprintf(json, sizeof json,
                 "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"sctp_init\":\"%s\"}",
                 inits[i].text);
        CHECK("read", session_description_decode(&d, json, strlen(json)) == ERR_OK);
        CHECK(inits[i].claim, d.init_len == inits[i].len);
    }
}

TEST(what_is_answered_is_bounded)
{
    static struct session_description d;
    char json[1024], ufrag[ICE_UFRAG_MAX + 2];

    for (size_t len = ICE_UFRAG_MAX; len <= ICE_UFRAG_MAX + 1; len++) {
        memset(ufrag, 'a', len);
        ufrag[len] = '\0';
        snprintf(json, sizeof json,
                 "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[],\"answers\":\"%s\"}",
                 ufrag);
        CHECK("as long as one may be", session_description_decode(&d, json, strlen(json)) ==
                                           (len > ICE_UFRAG_MAX ? ERR_INVALID : ERR_OK));
    }
}

TEST(no_truncation_is_accepted)
{
    static struct session_description d;
    const char *json = rows[0].json;

    for (size_t len = 0; len < strlen(json); len++)
        CHECK("cut short", session_description_decode(&d, json, len) == ERR_INVALID);
}

TEST(more_candidates_than_the_table_holds_are_left_out)
{
    static struct session_description d;
    char json[8192];
    size_t len = (size_t)snprintf(json, sizeof json,
                                  "{" CRED "," FP ",\"setup\":\"active\",\"candidates\":[" HOST);

    for (int i = 0; i < 60; i++)
        len += (size_t)snprintf(json + len, sizeof json - len, "," HOST);
    len += (size_t)snprintf(json + len, sizeof json - len, "]}");
    CHECK("read", session_description_decode(&d, json, len) == ERR_OK);
    CHECK("capped", d.candidate_count == ICE_CANDIDATES_MAX);
}

TEST(what_is_written_is_read_back)
{
    static struct session_description in, out;
    char *json = NULL;

    CHECK("read", session_description_decode(&in, rows[0].json, strlen(rows[0].json)) == ERR_OK);
    in.is_hawser = in.has_sped = in.has_renomination = true;
    memset(in.init, 0xfb, sizeof in.init);
    in.init_len = sizeof in.init;
    memcpy(in.answers, "efgh", 5);
    CHECK("written", session_description_encode(&in, &json) == ERR_OK);
    CHECK("read again", json && session_description_decode(&out, json, strlen(json)) == ERR_OK);
    CHECK("ufrag", strcmp(in.ufrag, out.ufrag) == 0);
    CHECK("pwd", strcmp(in.pwd, out.pwd) == 0);
    CHECK("fingerprint", memcmp(in.fingerprint, out.fingerprint, sizeof in.fingerprint) == 0);
    CHECK("options", out.is_hawser && out.is_trickle && out.has_sped && out.has_renomination);
    CHECK("INIT", out.init_len == in.init_len && memcmp(in.init, out.init, in.init_len) == 0);
    CHECK("what it answers", strcmp(out.answers, in.answers) == 0);
    CHECK("candidates",
          out.candidate_count == 1 && addr_equal(&in.candidates[0].addr, &out.candidates[0].addr));
    free(json);
}

TEST(every_allocation_may_fail)
{
    static struct session_description in;

    CHECK("read", session_description_decode(&in, rows[0].json, strlen(rows[0].json)) == ERR_OK);
    in.init_len = sizeof in.init;
    memcpy(in.answers, "efgh", 5);
    ALLOC_FAIL_EACH {
        char *json = NULL;
        int err = session_description_encode(&in, &json);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        free(json);
    }
}

TESTS(TEST_ROW(what_is_read), TEST_ROW(an_init_that_is_none_is_as_good_as_absent),
      TEST_ROW(what_is_answered_is_bounded), TEST_ROW(no_truncation_is_accepted),
      TEST_ROW(more_candidates_than_the_table_holds_are_left_out),
      TEST_ROW(what_is_written_is_read_back), TEST_ROW(every_allocation_may_fail))

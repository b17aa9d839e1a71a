#include "core/token/claims.h"

#include "core/base/err.h"
#include "tests/check.h"
#include "tests/support/alloc.h"

/* What is taken must be what jansson makes of it. */
static const struct {
    const char *claim, *text;
    bool ok;
} rows[] = {
    { "nothing in it", "{}", true },
    { "space everywhere", " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n", true },
    { "every kind", "{\"a\":null,\"b\":true,\"c\":false,\"d\":\"x\",\"e\":[],\"f\":{}}", true },
    { "integers", "{\"a\":[0,-0,-1,10,9007199254740991,-9007199254740991]}", true },
    { "every escape", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABCD\\ud83d\\ude00\"}", true },
    { "plain UTF-8", "{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf\"}", true },
    { "twelve deep", "{\"a\":[[[[[[[[[[[]]]]]]]]]]]}", true },
    { "thirteen deep", "{\"a\":[[[[[[[[[[[[]]]]]]]]]]]]}", false },
    { "nothing", "", false },
    { "space alone", "  ", false },
    { "an array", "[]", false },
    { "a string", "\"a\"", false },
    { "more behind it", "{}{}", false },
    { "a comma too many", "{\"a\":1,}", false },
    { "a comma too many in a list", "{\"a\":[1,]}", false },
    { "a comma alone", "{,}", false },
    { "no comma", "{\"a\":1 \"b\":2}", false },
    { "no colon", "{\"a\" 1}", false },
    { "no name", "{:1}", false },
    { "no value", "{\"a\":}", false },
    { "the wrong bracket", "{\"a\":[1}", false },
    { "a bare name", "{a:1}", false },
    { "single quotes", "{'a':1}", false },
    { "the same name twice", "{\"a\":1,\"a\":1}", false },
    { "the same name, escaped", "{\"a\":1,\"\\u0061\":1}", false },
    { "a leading zero", "{\"a\":01}", false },
    { "a plus", "{\"a\":+1}", false },
    { "a minus alone", "{\"a\":-}", false },
    { "a space in the number", "{\"a\":- 1}", false },
    { "beyond 53 bits", "{\"a\":9007199254740992}", false },
    { "far beyond", "{\"a\":90071992547409910000000000}", false },
    { "a fraction", "{\"a\":1.5}", false },
    { "an exponent", "{\"a\":1e3}", false },
    { "not a number", "{\"a\":NaN}", false },
    { "a word cut short", "{\"a\":tru}", false },
    { "a word in capitals", "{\"a\":True}", false },
    { "a line end in a string", "{\"a\":\"\n\"}", false },
    { "a string without end", "{\"a\":\"b}", false },
    { "an unknown escape", "{\"a\":\"\\x41\"}", false },
    { "an escape cut short", "{\"a\":\"\\u12\"}", false },
    { "an escape that is no hex", "{\"a\":\"\\u12g4\"}", false },
    { "NUL", "{\"a\":\"\\u0000\"}", false },
    { "half a pair", "{\"a\":\"\\ud83d\"}", false },
    { "half a pair and another", "{\"a\":\"\\ud83d\\u0041\"}", false },
    { "the other half", "{\"a\":\"\\ude00\"}", false },
    { "a lone continuation", "{\"a\":\"\x80\"}", false },
    { "a character cut short", "{\"a\":\"\xe2\x82\"}", false },
    { "overlong, two bytes", "{\"a\":\"\xc0\xaf\"}", false },
    { "overlong, three bytes", "{\"a\":\"\xe0\x80\xaf\"}", false },
    { "overlong, four bytes", "{\"a\":\"\xf0\x80\x80\xaf\"}", false },
    { "a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", false },
    { "beyond Unicode", "{\"a\":\"\xf4\x90\x80\x80\"}", false },
    { "a byte that never is", "{\"a\":\"\xff\"}", false },
    { "a name of 63", "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk\":1}",
      true },
    { "a name of 64", "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl\":1}",
      false },
};

TEST(texts)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *ours = NULL, *theirs = json_loads(rows[i].text, JSON_REJECT_DUPLICATES, NULL);
        int err = claims_decode(&ours, bytes_of_string(rows[i].text));

        CHECK(rows[i].claim, err == (rows[i].ok ? ERR_OK : ERR_INVALID));
        CHECK(rows[i].claim, rows[i].ok ? json_equal(ours, theirs) : ours == NULL);
        json_decref(ours);
        json_decref(theirs);
    }
}

TEST(every_cut_is_refused)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t len = strlen(rows[i].text);

        while (len && strchr(" \n", rows[i].text[len - 1]))
            len--;
        for (size_t cut = 0; rows[i].ok && cut < len; cut++) {
            json_t *claims = NULL;

            CHECK(rows[i].claim,
                  claims_decode(&claims, bytes_of(rows[i].text, cut)) == ERR_INVALID && !claims);
        }
    }
}

TEST(a_byte_of_zero_ends_nothing)
{
    json_t *claims = NULL;

    CHECK("behind", claims_decode(&claims, bytes_of("{}\0", 3)) == ERR_INVALID);
    CHECK("inside", claims_decode(&claims, bytes_of("{\"a\":\"\0\"}", 9)) == ERR_INVALID);
}

TEST(every_allocation_may_fail)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        ALLOC_FAIL_EACH {
            json_t *claims = NULL;
            int err = claims_decode(&claims, bytes_of_string(rows[i].text));

            CHECK(rows[i].claim, alloc_has_failed() ? err == ERR_NOMEM : (err == 0) == rows[i].ok);
            CHECK(rows[i].claim, (claims != NULL) == (err == ERR_OK));
            json_decref(claims);
        }
}

TESTS(TEST_ROW(texts), TEST_ROW(every_cut_is_refused), TEST_ROW(a_byte_of_zero_ends_nothing),
      TEST_ROW(every_allocation_may_fail))

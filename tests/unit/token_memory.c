/* What has been seen, what time it is, and who may talk to the broker. */
#include <stdlib.h>

#include "core/token/broker_login.h"
#include "core/token/jws.h"
#include "core/token/replay.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

static const uint8_t *digest(uint32_t n)
{
    static uint8_t out[REPLAY_DIGEST_BYTES];

    memset(out, 0, sizeof out);
    memcpy(out + 8, &n, sizeof n); /* all in one bucket: the worst case */
    return out;
}

TEST(the_oldest_is_forgotten_first)
{
    struct replay *r = NULL;

    CHECK("new", replay_new(&r, 4, MINUTE) == ERR_OK);
    for (uint32_t i = 0; i < 6; i++)
        CHECK("unknown", replay_add(r, i, digest(i)));
    CHECK("bounded", replay_count(r) == 4);
    for (uint32_t i = 0; i < 6; i++)
        CHECK("the last four", replay_find(r, 10, digest(i)) == (i >= 2));
    CHECK("not twice", !replay_add(r, 10, digest(5)) && replay_count(r) == 4);
    replay_free(r);
}

TEST(what_expired_is_forgotten)
{
    struct replay *r = NULL;

    CHECK("new", replay_new(&r, 4, MINUTE) == ERR_OK);
    replay_add(r, 0, digest(1));
    replay_add(r, SECOND, digest(2));
    CHECK("known", replay_find(r, MINUTE - 1, digest(1)));
    CHECK("expired", !replay_find(r, MINUTE, digest(1)));
    CHECK("may come again", replay_add(r, MINUTE, digest(1)) && replay_count(r) == 2);
    CHECK("the other is still known", replay_find(r, MINUTE, digest(2)));
    replay_free(r);
}

TEST(a_long_life)
{
    uint64_t seed = 31;
    struct rng rng = test_rng(&seed);
    struct replay *r = NULL;
    uint8_t last[64][REPLAY_DIGEST_BYTES];

    CHECK("new", replay_new(&r, 64, MINUTE) == ERR_OK);
    for (uint32_t i = 0; i < 20000; i++) {
        rng_fill(&rng, last[i % 64], REPLAY_DIGEST_BYTES);
        CHECK("new", replay_add(r, i, last[i % 64]));
        for (uint32_t k = 0; i >= 64 && k < 64; k += 9)
            CHECK("the last 64 are known", replay_find(r, i, last[k]));
        CHECK("no more than that", replay_count(r) <= 64);
    }
    replay_free(r);
}

TEST(memory_has_limits)
{
    struct replay *r = NULL;

    CHECK("none", replay_new(&r, 0, MINUTE) == ERR_INVALID && !r);
    CHECK("too much", replay_new(&r, REPLAY_ENTRIES_MAX + 1, MINUTE) == ERR_INVALID && !r);
    CHECK("no time", replay_new(&r, 4, 0) == ERR_INVALID && !r);
    ALLOC_FAIL_EACH {
        CHECK("or so", replay_new(&r, 4, MINUTE) == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("nothing half-made", (r == NULL) == alloc_has_failed());
        replay_free(r);
    }
}

#define T0  ((int64_t)1800000000)
#define DAY 86400

TEST(a_clock_learns)
{
    struct token_clock c;

    token_clock_init(&c);
    CHECK("nothing yet", token_clock_get(&c, 0).s == TOKEN_TIME_UNKNOWN);
    token_clock_add(&c, 0, 0);
    token_clock_add(&c, 0, TOKEN_TIME_MAX_S);
    CHECK("no nonsense", token_clock_get(&c, 0).s == TOKEN_TIME_UNKNOWN);
    token_clock_add(&c, SECOND, T0);
    CHECK("the first counts", token_clock_get(&c, SECOND).s == T0);
    CHECK("it goes on", token_clock_get(&c, 11 * SECOND).s == T0 + 10);
    CHECK("without trust", !token_clock_get(&c, SECOND).is_trusted);
    token_clock_add(&c, 11 * SECOND, T0 - DAY);
    CHECK("never back", token_clock_get(&c, 11 * SECOND).s == T0 + 10);
    token_clock_add(&c, 11 * SECOND, T0 + 10 * DAY);
    CHECK("forward", token_clock_get(&c, 11 * SECOND).s == T0 + 10 * DAY);
}

TEST(one_bad_grant_does_little)
{
    struct token_clock c;
    const int64_t far = T0 + 3650 * (int64_t)DAY;

    token_clock_init(&c);
    token_clock_set_floor(&c, 0, T0);
    token_clock_add(&c, 0, far);
    CHECK("one step", token_clock_get(&c, 0).s == T0 + TOKEN_CLOCK_STEP_S);
    for (int i = 0; i < 1000; i++)
        token_clock_add(&c, MINUTE, far);
    CHECK("once a day", token_clock_get(&c, MINUTE).s == T0 + TOKEN_CLOCK_STEP_S + 60);
    token_clock_add(&c, MINUTE, T0 + TOKEN_CLOCK_STEP_S + 60 + TOKEN_SKEW_S);
    CHECK("small steps at any time",
          token_clock_get(&c, MINUTE).s == T0 + TOKEN_CLOCK_STEP_S + 60 + TOKEN_SKEW_S);
    token_clock_add(&c, TOKEN_CLOCK_PACE_US, far);
    CHECK("the next day again",
          token_clock_get(&c, TOKEN_CLOCK_PACE_US).s > T0 + 2 * TOKEN_CLOCK_STEP_S);
}

TEST(a_set_clock_is_trusted)
{
    struct token_clock c;

    token_clock_init(&c);
    token_clock_add(&c, 0, T0 + DAY);
    token_clock_set(&c, 0, T0);
    CHECK("even backwards", token_clock_get(&c, 0).s == T0 && token_clock_get(&c, 0).is_trusted);
    token_clock_add(&c, 0, T0 + DAY);
    token_clock_set_floor(&c, 0, T0 + DAY);
    CHECK("and needs no teaching", token_clock_get(&c, 0).s == T0);
    token_clock_set(&c, 0, 1000);
    CHECK("but is no fool", token_clock_get(&c, 0).s == T0);
}

static const char *const audiences[] = { "broker.example.org", "localhost:1883" };

static const struct {
    const char *claim, *claims;
    int err;
} login_rows[] = {
    { "now", "{\"aud\":\"broker.example.org\",\"iat\":1800000000}", ERR_OK },
    { "by its other name", "{\"aud\":\"localhost:1883\",\"iat\":1800000000}", ERR_OK },
    { "a slow clock", "{\"aud\":\"localhost:1883\",\"iat\":1799999700}", ERR_OK },
    { "too slow", "{\"aud\":\"localhost:1883\",\"iat\":1799999699}", ERR_EXPIRED },
    { "a fast clock", "{\"aud\":\"localhost:1883\",\"iat\":1800000300}", ERR_OK },
    { "too fast", "{\"aud\":\"localhost:1883\",\"iat\":1800000301}", ERR_EXPIRED },
    { "with an end", "{\"aud\":\"localhost:1883\",\"iat\":1800000000,\"exp\":1800000000}", ERR_OK },
    { "past it", "{\"aud\":\"localhost:1883\",\"iat\":1800000000,\"exp\":1799999999}",
      ERR_EXPIRED },
    { "a strange end", "{\"aud\":\"localhost:1883\",\"iat\":1800000000,\"exp\":null}",
      ERR_INVALID },
    { "another broker", "{\"aud\":\"broker.example.com\",\"iat\":1800000000}", ERR_AUTH },
    { "a list of brokers", "{\"aud\":[\"localhost:1883\"],\"iat\":1800000000}", ERR_INVALID },
    { "no broker", "{\"iat\":1800000000}", ERR_INVALID },
    { "no time", "{\"aud\":\"localhost:1883\"}", ERR_INVALID },
    { "a fraction", "{\"aud\":\"localhost:1883\",\"iat\":1800000000.5}", ERR_INVALID },
};

static const struct login_check now_check = { audiences, 2, T0, 300 };

static struct key *key_of(uint64_t seed)
{
    struct rng rng = test_rng(&seed);
    struct key *k = NULL;

    CHECK("key", key_new(&k, &rng) == ERR_OK);
    return k;
}

TEST(logins)
{
    struct key *k = key_of(41), *other = key_of(42);
    char *text;

    for (size_t i = 0; i < COUNT(login_rows); i++) {
        CHECK("signed", !jws_encode(k, "hawser-login", JWS_KEY_INSIDE,
                                    bytes_of_string(login_rows[i].claims), &text));
        CHECK(login_rows[i].claim,
              login_verify(key_id(k), bytes_of_string(text), &now_check) == login_rows[i].err);
        free(text);
    }
    CHECK("made", login_make(k, "broker.example.org", T0, &text) == ERR_OK);
    CHECK("good", login_verify(key_id(k), bytes_of_string(text), &now_check) == ERR_OK);
    CHECK("for this key alone",
          login_verify(key_id(other), bytes_of_string(text), &now_check) == ERR_AUTH);
    CHECK("no alias", login_verify("camera-1", bytes_of_string(text), &now_check) == ERR_INVALID);
    for (size_t i = 0; i < strlen(text); i++) {
        char was = text[i];

        CHECK("cut", login_verify(key_id(k), bytes_of(text, i), &now_check) == ERR_INVALID);
        text[i] = was == 'A' ? 'B' : 'A';
        CHECK("changed", login_verify(key_id(k), bytes_of_string(text), &now_check) != ERR_OK);
        text[i] = was;
    }
    free(text);
    key_free(k);
    key_free(other);
}

TEST(what_is_no_login)
{
    struct key *k = key_of(43);
    char *text, long_name[LOGIN_AUDIENCE_MAX + 2] = { 0 };

    CHECK("no broker", login_make(k, "", T0, &text) == ERR_INVALID && !text);
    CHECK("no time", login_make(k, "b", -1, &text) == ERR_INVALID && !text);
    memset(long_name, 'b', sizeof long_name - 1);
    CHECK("too long", login_make(k, long_name, T0, &text) == ERR_INVALID && !text);
    long_name[LOGIN_AUDIENCE_MAX] = 0;
    CHECK("the longest",
          login_make(k, long_name, T0, &text) == ERR_OK && strlen(text) <= LOGIN_TEXT_MAX);
    free(text);
    CHECK("another kind of text", !jws_encode(k, "hawser-msg", JWS_KEY_INSIDE,
                                              bytes_of_string(login_rows[0].claims), &text));
    CHECK("refused", login_verify(key_id(k), bytes_of_string(text), &now_check) == ERR_INVALID);
    free(text);
    key_free(k);
}

TEST(every_allocation_may_fail)
{
    struct key *k = key_of(44);

    ALLOC_FAIL_EACH {
        char *text = NULL;
        int err = login_make(k, "localhost:1883", T0, &text);

        if (!err)
            err = login_verify(key_id(k), bytes_of_string(text), &now_check);
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        free(text);
    }
    key_free(k);
}

TESTS(TEST_ROW(the_oldest_is_forgotten_first), TEST_ROW(what_expired_is_forgotten),
      TEST_ROW(a_long_life), TEST_ROW(memory_has_limits), TEST_ROW(a_clock_learns),
      TEST_ROW(one_bad_grant_does_little), TEST_ROW(a_set_clock_is_trusted), TEST_ROW(logins),
      TEST_ROW(what_is_no_login), TEST_ROW(every_allocation_may_fail))

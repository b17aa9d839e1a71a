#include "core/token/grant.h"

#include <stdlib.h>

#include "core/token/jws.h"
#include "tests/check.h"
#include "tests/support/claims.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

enum who { DEVICE, OWNER, SECOND_OWNER, GUEST, DIRECTORY, STRANGER, PEOPLE };

#define T0  1800000000 /* when the tests play, seconds since 1970 */
#define DAY 86400

static struct key *people[PEOPLE];

static void make_people(void)
{
    uint64_t seed = 11;
    struct rng rng = test_rng(&seed);

    for (int i = 0; i < PEOPLE; i++)
        CHECK("key", key_new(&people[i], &rng) == ERR_OK);
}

static void forget_people(void)
{
    for (int i = 0; i < PEOPLE; i++)
        key_free(people[i]);
}

/* One link: who signs, who holds. exp_s 0: never. */
struct link {
    enum who from, to;
    enum grant_role role;
    uint8_t channels;
    int64_t exp_s;
};

#define NEVER 0
#define CHAIN(...) \
    { __VA_ARGS__ }, .count = sizeof((struct link[]){ __VA_ARGS__ }) / sizeof(struct link)

static const struct {
    const char *claim;
    struct link links[4];
    size_t count;
    enum who holder;
    int err;
} rows[] = {
    { "the owner", CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER }), OWNER, ERR_OK },
    { "someone with the owner's grant", CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER }),
      STRANGER, ERR_AUTH },
    { "signed by oneself", CHAIN({ STRANGER, STRANGER, GRANT_OWNER, 0xff, NEVER }), STRANGER,
      ERR_AUTH },
    { "a guest of the owner",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, GUEST, GRANT_GUEST, 3, T0 + DAY }),
      GUEST, ERR_OK },
    { "the owner cannot use the guest's",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, GUEST, GRANT_GUEST, 3, T0 + DAY }),
      OWNER, ERR_AUTH },
    { "the guest's link alone", CHAIN({ OWNER, GUEST, GRANT_GUEST, 3, T0 + DAY }), GUEST,
      ERR_AUTH },
    { "links exchanged",
      CHAIN({ OWNER, GUEST, GRANT_GUEST, 3, T0 + DAY },
            { DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER }),
      GUEST, ERR_AUTH },
    { "three links",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, SECOND_OWNER, GRANT_OWNER, 0x0f, NEVER },
            { SECOND_OWNER, GUEST, GRANT_USER, 0x03, T0 + DAY }),
      GUEST, ERR_OK },
    { "a channel the parent lacks",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, SECOND_OWNER, GRANT_OWNER, 0x0f, NEVER },
            { SECOND_OWNER, GUEST, GRANT_USER, 0x13, T0 + DAY }),
      GUEST, ERR_AUTH },
    { "a later expiry than the parent's",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, SECOND_OWNER, GRANT_OWNER, 0xff, T0 + DAY },
            { SECOND_OWNER, GUEST, GRANT_USER, 0x03, T0 + 2 * DAY }),
      GUEST, ERR_AUTH },
    { "an owner for ever below one for a day",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, T0 + DAY },
            { OWNER, SECOND_OWNER, GRANT_OWNER, 0xff, NEVER }),
      SECOND_OWNER, ERR_AUTH },
    { "a user passes nothing on",
      CHAIN({ DEVICE, OWNER, GRANT_USER, 0xff, T0 + DAY },
            { OWNER, GUEST, GRANT_GUEST, 1, T0 + DAY }),
      GUEST, ERR_AUTH },
    { "a user makes no owner",
      CHAIN({ DEVICE, OWNER, GRANT_USER, 0xff, T0 + DAY },
            { OWNER, GUEST, GRANT_OWNER, 1, T0 + DAY }),
      GUEST, ERR_AUTH },
    { "four links",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, SECOND_OWNER, GRANT_OWNER, 0xff, NEVER },
            { SECOND_OWNER, OWNER, GRANT_OWNER, 0xff, NEVER },
            { OWNER, GUEST, GRANT_USER, 3, T0 + DAY }),
      GUEST, ERR_INVALID },
    { "an issuer that is trusted", CHAIN({ DIRECTORY, GUEST, GRANT_USER, 3, T0 + DAY }), GUEST,
      ERR_OK },
    { "and one that is not", CHAIN({ STRANGER, GUEST, GRANT_USER, 3, T0 + DAY }), GUEST, ERR_AUTH },
    { "expired", CHAIN({ DEVICE, GUEST, GRANT_GUEST, 3, T0 - DAY }), GUEST, ERR_EXPIRED },
    { "expired, but within the skew", CHAIN({ DEVICE, GUEST, GRANT_GUEST, 3, T0 - TOKEN_SKEW_S }),
      GUEST, ERR_OK },
    { "just expired", CHAIN({ DEVICE, GUEST, GRANT_GUEST, 3, T0 - TOKEN_SKEW_S - 1 }), GUEST,
      ERR_EXPIRED },
    { "an owner's that expired", CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, T0 - DAY }), OWNER,
      ERR_EXPIRED },
    { "a parent that expired",
      CHAIN({ DEVICE, OWNER, GRANT_OWNER, 0xff, T0 - DAY },
            { OWNER, GUEST, GRANT_USER, 3, T0 - DAY }),
      GUEST, ERR_EXPIRED },
};

static json_t *make_chain(const struct link *links, size_t count, int64_t iat_s)
{
    json_t *chain = json_array();

    for (size_t i = 0; i < count; i++) {
        struct grant g = {
            .channels = links[i].channels,
            .role = links[i].role,
            .iat_s = iat_s,
            .exp_s = links[i].exp_s ? links[i].exp_s : GRANT_NEVER,
        };
        char *text;

        memcpy(g.device, key_id(people[DEVICE]), sizeof g.device);
        memcpy(g.holder, key_public(people[links[i].to]), sizeof g.holder);
        CHECK("signed", grant_sign(people[links[i].from], &g, &text) == ERR_OK);
        CHECK("short enough", strlen(text) <= GRANT_TEXT_MAX);
        json_array_append_new(chain, json_string(text));
        free(text);
    }
    return chain;
}

static uint8_t trusted[1][ID_PUBLIC_BYTES];

static struct grant_check check_of(enum who holder, struct token_time now)
{
    memcpy(trusted[0], key_public(people[DIRECTORY]), ID_PUBLIC_BYTES);
    return (struct grant_check){
        .device = key_public(people[DEVICE]),
        .trusted = (const uint8_t(*)[ID_PUBLIC_BYTES])trusted,
        .trusted_count = 1,
        .holder = key_public(people[holder]),
        .now = now,
    };
}

static const struct token_time t0_trusted = { .s = T0, .is_trusted = true };
static const struct token_time t0_learned = { .s = T0 };
static const struct token_time unknown = { .s = TOKEN_TIME_UNKNOWN };

TEST(chains)
{
    make_people();
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct link *last = &rows[i].links[rows[i].count - 1];
        json_t *chain = make_chain(rows[i].links, rows[i].count, T0 - DAY);
        struct grant_check c = check_of(rows[i].holder, t0_trusted);
        struct grant_rights r = { .channels = 0 };

        CHECK(rows[i].claim, grant_chain_verify(&r, chain, &c) == rows[i].err);
        CHECK(rows[i].claim, r.channels == (rows[i].err ? 0 : last->channels));
        CHECK(rows[i].claim, rows[i].err || (r.role == last->role && r.iat_s == T0 - DAY &&
                                             r.exp_s == (last->exp_s ? last->exp_s : GRANT_NEVER)));
        json_decref(chain);
    }
    forget_people();
}

static const struct {
    const char *claim;
    struct link link;
    int64_t iat_s;
    const struct token_time *now;
    int err;
} clock_rows[] = {
    { "an owner without any clock", { DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER }, T0, &unknown, 0 },
    { "an owner's iat in the future",
      { DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER },
      T0 + 999 * DAY,
      &t0_trusted,
      ERR_OK },
    { "an owner's exp, trusted clock",
      { DEVICE, OWNER, GRANT_OWNER, 0xff, T0 - DAY },
      T0 - 9 * DAY,
      &t0_trusted,
      ERR_EXPIRED },
    { "an owner's exp, learned clock",
      { DEVICE, OWNER, GRANT_OWNER, 0xff, T0 - DAY },
      T0 - 9 * DAY,
      &t0_learned,
      ERR_OK },
    { "a guest's exp, learned clock",
      { DEVICE, OWNER, GRANT_GUEST, 1, T0 - DAY },
      T0 - 9 * DAY,
      &t0_learned,
      ERR_EXPIRED },
    { "a guest without any clock", { DEVICE, OWNER, GRANT_GUEST, 1, T0 + DAY }, T0, &unknown, 0 },
    { "signed after it expired, no clock",
      { DEVICE, OWNER, GRANT_GUEST, 1, T0 - DAY },
      T0,
      &unknown,
      ERR_EXPIRED },
};

TEST(clocks)
{
    make_people();
    for (size_t i = 0; i < COUNT(clock_rows); i++) {
        json_t *chain = make_chain(&clock_rows[i].link, 1, clock_rows[i].iat_s);
        struct grant_check c = check_of(OWNER, *clock_rows[i].now);
        struct grant_rights r;

        CHECK(clock_rows[i].claim, grant_chain_verify(&r, chain, &c) == clock_rows[i].err);
        json_decref(chain);
    }
    forget_people();
}

static const struct {
    const char *claim, *member, *json;
    int err;
} claim_rows[] = {
    { "as usual", "ch", "[0,7]", ERR_OK },
    { "no channel at all", "ch", "[]", ERR_OK },
    { "a member of later versions", "note", "\"x\"", ERR_OK },
    { "a ninth channel", "ch", "[8]", ERR_INVALID },
    { "a negative channel", "ch", "[-1]", ERR_INVALID },
    { "channels are numbers", "ch", "[\"1\"]", ERR_INVALID },
    { "channels are a list", "ch", "1", ERR_INVALID },
    { "no channels", "ch", NULL, ERR_INVALID },
    { "an unknown role", "role", "\"king\"", ERR_INVALID },
    { "no role", "role", NULL, ERR_INVALID },
    { "a user for ever", "exp", NULL, ERR_INVALID },
    { "expiry in words", "exp", "\"never\"", ERR_INVALID },
    { "expiry before 1970", "exp", "-1", ERR_INVALID },
    { "no iat", "iat", NULL, ERR_INVALID },
    { "another device", "sub", "\"hw1eh7ddx5bksrgcytl7bkai36se4re\"", ERR_AUTH },
    { "another issuer", "iss", "\"hw1eh7ddx5bksrgcytl7bkai36se4re\"", ERR_AUTH },
    { "no issuer", "iss", NULL, ERR_INVALID },
    { "no holder", "cnf", NULL, ERR_INVALID },
    { "no holder's key", "cnf", "{}", ERR_INVALID },
};

/* The chain of one user's grant with one member changed. */
static json_t *changed_chain(const char *member, const char *json, const char *typ)
{
    uint8_t signer[ID_PUBLIC_BYTES];
    json_t *chain = make_chain(&(struct link){ DEVICE, OWNER, GRANT_USER, 0x81, T0 + DAY }, 1, T0);
    json_t *claims = NULL;
    char *text = NULL;

    CHECK("read", !jws_decode_json(&claims, signer,
                                   bytes_of_string(json_string_value(json_array_get(chain, 0))),
                                   "hawser-grant", key_public(people[DEVICE])));
    claims_change(claims, member, json);
    CHECK("signed", !jws_encode_json(people[DEVICE], typ, JWS_KEY_KNOWN, claims, &text));
    json_array_set_new(chain, 0, json_string(text));
    json_decref(claims);
    free(text);
    return chain;
}

TEST(claims_are_exactly_so)
{
    struct grant_check c;
    struct grant_rights r;
    json_t *chain;

    make_people();
    c = check_of(OWNER, t0_trusted);
    for (size_t i = 0; i < COUNT(claim_rows); i++) {
        chain = changed_chain(claim_rows[i].member, claim_rows[i].json, "hawser-grant");
        CHECK(claim_rows[i].claim, grant_chain_verify(&r, chain, &c) == claim_rows[i].err);
        json_decref(chain);
    }
    chain = changed_chain("x", NULL, "hawser-msg");
    CHECK("another kind of text", grant_chain_verify(&r, chain, &c) == ERR_INVALID);
    json_decref(chain);
    forget_people();
}

TEST(a_chain_that_is_none)
{
    static const char *const texts[] = { "null",   "{}",          "[]",       "[1]",
                                         "[\"\"]", "[\"a.b.c\"]", "[\"..\"]", "\"text\"" };
    struct grant_check c;
    struct grant_rights r;
    struct grant g;

    make_people();
    c = check_of(OWNER, t0_trusted);
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_t *chain = json_loads(texts[i], JSON_DECODE_ANY, NULL);

        CHECK(texts[i], grant_chain_verify(&r, chain, &c) == ERR_INVALID);
        CHECK(texts[i], grant_chain_peek(&g, chain) == ERR_INVALID);
        json_decref(chain);
    }
    CHECK("nothing", grant_chain_verify(&r, NULL, &c) == ERR_INVALID);
    forget_people();
}

TEST(every_cut_and_every_change_is_refused)
{
    json_t *chain, *broken = json_array();
    struct grant_check c;
    struct grant_rights r;
    struct grant g;
    char text[GRANT_TEXT_MAX + 1];
    size_t len;

    make_people();
    c = check_of(OWNER, t0_trusted);
    chain = make_chain(&(struct link){ DEVICE, OWNER, GRANT_OWNER, 0xff, NEVER }, 1, T0);
    CHECK("the holder sees it", !grant_chain_peek(&g, chain) && g.channels == 0xff &&
                                    g.role == GRANT_OWNER && g.exp_s == GRANT_NEVER);
    len = json_string_length(json_array_get(chain, 0));
    memcpy(text, json_string_value(json_array_get(chain, 0)), len + 1);
    json_array_append_new(broken, json_null());
    for (size_t i = 0; i < len; i++) {
        char was = text[i];

        json_array_set_new(broken, 0, json_stringn(text, i));
        CHECK("cut", grant_chain_verify(&r, broken, &c) != ERR_OK);
        text[i] = was == 'A' ? 'B' : 'A';
        json_array_set_new(broken, 0, json_string(text));
        CHECK("changed", grant_chain_verify(&r, broken, &c) != ERR_OK);
        text[i] = was;
    }
    json_decref(broken);
    json_decref(chain);
    forget_people();
}

TEST(what_cannot_be_signed)
{
    struct grant g = { .role = GRANT_USER, .exp_s = GRANT_NEVER };
    char *text;

    make_people();
    memcpy(g.device, key_id(people[DEVICE]), sizeof g.device);
    CHECK("a user for ever", grant_sign(people[DEVICE], &g, &text) == ERR_INVALID && !text);
    g.exp_s = T0;
    g.device[4] ^= 1;
    CHECK("for no device", grant_sign(people[DEVICE], &g, &text) == ERR_INVALID && !text);
    forget_people();
}

TEST(every_allocation_may_fail)
{
    make_people();
    ALLOC_FAIL_EACH {
        struct grant_check c = check_of(OWNER, t0_trusted);
        struct grant_rights r = { .channels = 0 };
        struct grant g = { .role = GRANT_OWNER, .channels = 0x55, .exp_s = GRANT_NEVER };
        char *text = NULL;
        json_t *chain = NULL;
        int err;

        memcpy(g.device, key_id(people[DEVICE]), sizeof g.device);
        memcpy(g.holder, key_public(people[OWNER]), sizeof g.holder);
        err = grant_sign(people[DEVICE], &g, &text);
        alloc_pause();
        chain = err ? NULL : json_pack("[s]", text);
        alloc_resume();
        if (!err)
            err = grant_chain_verify(&r, chain, &c);
        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("all or nothing", r.channels == (err ? 0 : 0x55));
        json_decref(chain);
        free(text);
    }
    forget_people();
}

TESTS(TEST_ROW(chains), TEST_ROW(clocks), TEST_ROW(claims_are_exactly_so),
      TEST_ROW(a_chain_that_is_none), TEST_ROW(every_cut_and_every_change_is_refused),
      TEST_ROW(what_cannot_be_signed), TEST_ROW(every_allocation_may_fail))

/* Looking and being found: the app's rounds, the device's replies, and what strangers cost. */
#include <string.h>

#include "core/lan/finder.h"
#include "core/lan/responder.h"
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

static const uint8_t secrets[3][LAN_SECRET_BYTES] = { "one", "two", "nobody's" };
static uint64_t seed = 5;
static struct rng rng;
static int tags[2];

static struct lan_responder *new_responder(void)
{
    struct lan_responder *r = NULL;

    rng = test_rng(&seed);
    CHECK("new", lan_responder_new(&r, &rng) == ERR_OK);
    for (size_t i = 0; i < COUNT(tags); i++)
        CHECK("added", lan_responder_add(r, secrets[i], &tags[i]) == ERR_OK);
    return r;
}

static struct addr host(uint32_t n)
{
    return addr_ipv4(0x0a000000 + n, 5000);
}

/* A probe of this finder, given to the responder. */
static enum verdict ask(struct lan_responder *r, usec now, struct lan_finder *f, uint8_t *reply)
{
    uint8_t probe[LAN_MESSAGE_BYTES];
    struct addr from = host(1);

    CHECK("a probe", lan_finder_probe(f, probe) == ERR_OK);
    return lan_responder_input(r, now, &from, bytes_of(probe, sizeof probe), 7777, reply);
}

static struct lan_finder new_finder(size_t secret)
{
    struct lan_finder f = { .round_count = 0 };

    lan_finder_start(&f, 0, &rng, secrets[secret]);
    return f;
}

/* ---- The app --------------------------------------------------------------------------------- */

TEST(rounds_and_their_end)
{
    static const usec ms[] = { 0, 100, 300, 1000, 2000, 5000, 8000 };
    struct lan_finder f;
    unsigned rounds = 0;

    rng = test_rng(&seed);
    f = new_finder(0);
    for (size_t i = 0; i < COUNT(ms); i++) {
        CHECK("then", lan_finder_next_timeout(&f) == ms[i] * MILLISECOND);
        CHECK("not before", !lan_finder_poll(&f, ms[i] * MILLISECOND - 1));
        CHECK("a round", lan_finder_poll(&f, ms[i] * MILLISECOND));
    }
    for (usec t = 8 * SECOND; t < 10 * MINUTE; t += SECOND)
        rounds += lan_finder_poll(&f, t);
    CHECK("so many in all", rounds + COUNT(ms) == LAN_ROUNDS_MAX);
    CHECK("no more", lan_finder_next_timeout(&f) == USEC_NEVER);
    lan_finder_start(&f, 60 * MINUTE, &rng, secrets[0]);
    CHECK("not even anew", lan_finder_next_timeout(&f) == USEC_NEVER);
}

TEST(probes_have_an_end_too)
{
    struct lan_finder f;
    uint8_t probe[LAN_MESSAGE_BYTES], last[LAN_MESSAGE_BYTES] = { 0 };
    unsigned count = 0;

    rng = test_rng(&seed);
    f = new_finder(0);
    while (count < 10000 && lan_finder_probe(&f, probe) == ERR_OK) {
        CHECK("each has its own nonce", memcmp(probe + 8, last + 8, LAN_NONCE_BYTES) != 0);
        memcpy(last, probe, sizeof last);
        count++;
    }
    CHECK("as many", count == LAN_PROBES_MAX);
    lan_finder_deinit(&f);
    CHECK("wiped", f.secret[0] == 0 && lan_finder_next_timeout(&f) == USEC_NEVER);
}

TEST(replies_that_are_none)
{
    struct lan_responder *r = new_responder();
    struct lan_finder mine = new_finder(0), theirs = new_finder(0);
    uint8_t reply[LAN_MESSAGE_BYTES], probe[LAN_MESSAGE_BYTES];
    struct lan_message m = { .type = LAN_REPLY, .port = 1 };
    struct bytes b = bytes_of(reply, sizeof reply);

    CHECK("taken", ask(r, 0, &mine, reply) == VERDICT_TAKEN);
    CHECK("ours", lan_finder_input(&mine, b, &m) == VERDICT_TAKEN && m.port == 7777);
    CHECK("not another search's", lan_finder_input(&theirs, b, &m) == VERDICT_FOREIGN);
    CHECK("a probe is none",
          lan_finder_probe(&mine, probe) == ERR_OK &&
              lan_finder_input(&mine, bytes_of(probe, sizeof probe), &m) == VERDICT_UNEXPECTED);
    for (size_t len = 0; len < sizeof reply; len++)
        CHECK("cut", lan_finder_input(&mine, bytes_of(reply, len), &m) != VERDICT_TAKEN);
    reply[7] ^= 1; /* the port */
    CHECK("forged", lan_finder_input(&mine, b, &m) == VERDICT_FORGED);
    reply[7] ^= 1;
    reply[39] ^= 0x80; /* a number that was not sent */
    CHECK("to a probe that was not sent", lan_finder_input(&mine, b, &m) == VERDICT_FOREIGN);
    lan_responder_free(r);
}

/* ---- The device ------------------------------------------------------------------------------ */

TEST(each_finds_its_own)
{
    struct lan_responder *r = new_responder();
    uint8_t reply[LAN_MESSAGE_BYTES], hello[LAN_MESSAGE_BYTES];
    struct bytes h = bytes_of(hello, sizeof hello);
    struct lan_message m;

    for (size_t i = 0; i < COUNT(tags); i++) {
        struct lan_finder f = new_finder(i);

        CHECK("taken", ask(r, 0, &f, reply) == VERDICT_TAKEN);
        CHECK("ours", lan_finder_input(&f, bytes_of(reply, sizeof reply), &m) == VERDICT_TAKEN);
        CHECK("hello", lan_finder_hello(&f, &rng, &m, hello) == ERR_OK);
        CHECK("goes to it", lan_responder_hello(r, 0, h) == &tags[i]);
        CHECK("once", lan_responder_hello(r, 0, h) == NULL);
    }
    lan_responder_free(r);
}

TEST(hellos_that_come_to_nothing)
{
    struct lan_responder *r = new_responder();
    struct lan_finder f = new_finder(0), stranger = new_finder(2);
    uint8_t reply[LAN_MESSAGE_BYTES], hello[LAN_MESSAGE_BYTES];
    struct bytes h = bytes_of(hello, sizeof hello);
    struct lan_message m;

    CHECK("taken", ask(r, 0, &f, reply) == VERDICT_TAKEN);
    CHECK("ours", lan_finder_input(&f, bytes_of(reply, sizeof reply), &m) == VERDICT_TAKEN);
    CHECK("by somebody who saw the reply", lan_finder_hello(&stranger, &rng, &m, hello) == ERR_OK);
    CHECK("no", lan_responder_hello(r, 0, h) == NULL);
    CHECK("a reply is no hello", lan_responder_hello(r, 0, bytes_of(reply, 56)) == NULL);
    CHECK("hello", lan_finder_hello(&f, &rng, &m, hello) == ERR_OK);
    CHECK("too late", lan_responder_hello(r, LAN_REPLY_US, h) == NULL);
    CHECK("in time", lan_responder_hello(r, LAN_REPLY_US - 1, h) == &tags[0]);
    CHECK("again", ask(r, SECOND, &f, reply) == VERDICT_TAKEN &&
                       !lan_finder_input(&f, bytes_of(reply, sizeof reply), &m) &&
                       !lan_finder_hello(&f, &rng, &m, hello));
    lan_responder_remove(r, &tags[0]);
    CHECK("the device is gone", lan_responder_hello(r, SECOND, h) == NULL);
    CHECK("and silent", ask(r, 2 * SECOND, &f, reply) == VERDICT_FORGED);
    lan_responder_free(r);
}

TEST(a_probe_is_replied_to_once)
{
    struct lan_responder *r = new_responder();
    struct lan_finder f = new_finder(1);
    uint8_t probe[LAN_MESSAGE_BYTES], reply[LAN_MESSAGE_BYTES];
    struct addr from = host(1), elsewhere = host(9);
    struct bytes b = bytes_of(probe, sizeof probe);
    uint64_t cost;

    CHECK("a probe", lan_finder_probe(&f, probe) == ERR_OK);
    CHECK("taken", lan_responder_input(r, 0, &from, b, 1, reply) == VERDICT_TAKEN);
    cost = lan_responder_cost(r);
    for (usec t = 0; t < LAN_SEEN_US; t += MINUTE)
        CHECK("replayed", lan_responder_input(r, t, &elsewhere, b, 1, reply) == VERDICT_DUPLICATE);
    CHECK("at no cost", lan_responder_cost(r) == cost);
    CHECK("a hello is no probe",
          lan_message_encode(probe, &(struct lan_message){ .type = LAN_HELLO }, secrets[0]) ==
                  ERR_OK &&
              lan_responder_input(r, SECOND, &from, b, 1, reply) == VERDICT_UNEXPECTED);
    CHECK("nor is this", lan_responder_input(r, SECOND, &from, bytes_of("hwL\1", 4), 1, reply) ==
                             VERDICT_MALFORMED);
    CHECK("nor anything else",
          lan_responder_input(r, SECOND, &from, bytes_of("hello", 5), 1, reply) == VERDICT_FOREIGN);
    lan_responder_free(r);
}

/* Ten seconds of as many as fit, from so many sources. */
static void flood(const char *claim, uint32_t sources, uint64_t most, uint64_t least)
{
    struct lan_responder *r = new_responder();
    struct lan_finder f = new_finder(2);
    uint8_t probe[LAN_MESSAGE_BYTES], reply[LAN_MESSAGE_BYTES];
    uint64_t cost;

    CHECK("a probe", lan_finder_probe(&f, probe) == ERR_OK);
    for (uint32_t i = 0; i < 50000; i++) {
        struct addr from = host(i % sources);

        CHECK("silence", lan_responder_input(r, i * 200, &from, bytes_of(probe, sizeof probe), 1,
                                             reply) != VERDICT_TAKEN);
    }
    cost = lan_responder_cost(r) / COUNT(tags);
    CHECK(claim, cost <= most && cost >= least);
    CHECK("the rest was not looked at",
          lan_responder_verdicts(r)->count[VERDICT_LIMIT] == 50000 - cost);
    lan_responder_free(r);
}

TEST(floods_cost_little)
{
    flood("from one source", 1, LAN_GATE_SOURCE_BURST + 200, LAN_GATE_SOURCE_BURST + 190);
    flood("from a few", 4, 4 * (LAN_GATE_SOURCE_BURST + 200), 4 * LAN_GATE_SOURCE_BURST);
    flood("from a crowd", 10000, LAN_GATE_ALL_BURST + 2000, LAN_GATE_ALL_BURST + 1900);
}

TEST(one_flooder_does_not_shut_out_others)
{
    struct lan_responder *r = new_responder();
    struct lan_finder bad = new_finder(2), good = new_finder(0);
    uint8_t probe[LAN_MESSAGE_BYTES], reply[LAN_MESSAGE_BYTES];
    struct addr from = host(66);

    CHECK("a probe", lan_finder_probe(&bad, probe) == ERR_OK);
    for (int i = 0; i < 5000; i++)
        (void)lan_responder_input(r, 0, &from, bytes_of(probe, sizeof probe), 1, reply);
    CHECK("another's is heard", ask(r, 0, &good, reply) == VERDICT_TAKEN);
    lan_responder_free(r);
}

TEST(places_are_counted)
{
    struct lan_responder *r = NULL;
    int many[LAN_SERVICES_MAX];

    rng = test_rng(&seed);
    CHECK("new", lan_responder_new(&r, &rng) == ERR_OK);
    for (size_t i = 0; i < COUNT(many); i++)
        CHECK("added", lan_responder_add(r, secrets[0], &many[i]) == ERR_OK);
    CHECK("full", lan_responder_add(r, secrets[0], tags) == ERR_LIMIT);
    lan_responder_remove(r, &many[7]);
    CHECK("one is free", lan_responder_add(r, secrets[0], tags) == ERR_OK);
    lan_responder_free(r);
    lan_responder_free(NULL);
}

TEST(every_allocation_may_fail)
{
    rng = test_rng(&seed);
    ALLOC_FAIL_EACH {
        struct lan_responder *r = NULL;
        int err = lan_responder_new(&r, &rng);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("nothing half-made", (r != NULL) == (err == ERR_OK));
        lan_responder_free(r);
    }
}

TESTS(TEST_ROW(rounds_and_their_end), TEST_ROW(probes_have_an_end_too),
      TEST_ROW(replies_that_are_none), TEST_ROW(each_finds_its_own),
      TEST_ROW(hellos_that_come_to_nothing), TEST_ROW(a_probe_is_replied_to_once),
      TEST_ROW(floods_cost_little), TEST_ROW(one_flooder_does_not_shut_out_others),
      TEST_ROW(places_are_counted), TEST_ROW(every_allocation_may_fail))

/* session_memory.c: whole sessions, from nothing to the end, with memory that runs out anywhere. */
#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/session_pair.h"

static struct session_pair p;
static struct relay *server;

static void talk(unsigned channel, size_t len)
{
    static uint8_t data[16384];

    memset(data, (int)channel, sizeof data);
    for (int from = 0; from < 2; from++) {
        (void)session_send(p.end[from], p.now, channel, bytes_of(data, len));
        session_pair_drain(&p, from);
    }
}

static void make_server(void)
{
    alloc_pause();
    CHECK("a server", relay_new(&server,
                                &(struct relay_config){
                                    .address = addr_ipv4(0x0a000050u, 3478),
                                    .username = "user",
                                    .password = "secret",
                                    .realm = "example",
                                },
                                &p.rng) == ERR_OK);
    p.relay = server;
    alloc_resume();
}

static void add_relay(int end)
{
    const struct session_relay relay = {
        .base = p.addr[end],
        .server = addr_ipv4(0x0a000050u, 3478),
        .username = "user",
        .password = "secret",
    };
    unsigned number;

    (void)session_add_relay(p.end[end], p.now, &relay, &number);
    session_pair_drain(&p, end);
}

/* Both ends share the pool and the failing heap: whichever it hits, the other must cope too. */
static void live_and_end(void)
{
    session_pair_run(&p, p.now + 1500 * MILLISECOND);
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        talk(i, 6000);
    (void)session_restart(p.end[ANSWERER], p.now);
    session_pair_drain(&p, ANSWERER);
    session_pair_run(&p, p.now + SECOND);
    session_close(p.end[OFFERER], p.now, 9);
    session_pair_drain(&p, OFFERER);
    session_pair_run(&p, p.now + 40 * SECOND);
}

TEST(every_allocation_of_a_whole_life_may_fail)
{
    unsigned opened = 0, rounds = 0;

    ALLOC_FAIL_EACH {
        int err = session_pair_init(&p, &(struct session_config){ .dead_us = 6 * SECOND });

        make_server();
        for (int end = 0; end < 2 && !err; end++)
            add_relay(end);
        if (!err)
            err = session_pair_signal(&p, NULL);
        CHECK("says so, or can do without", err == ERR_OK || alloc_has_failed());
        if (!err) {
            live_and_end();
            CHECK("ended, either way", p.seen[OFFERER].is_closed && p.seen[ANSWERER].is_closed);
            CHECK("nothing was mixed up", p.seen[OFFERER].wrong + p.seen[ANSWERER].wrong == 0);
            CHECK("undisturbed it opens", p.seen[OFFERER].is_open || alloc_has_failed());
            opened += p.seen[OFFERER].is_open;
        }
        rounds++;
        session_pair_deinit(&p);
        relay_free(server);
    }
    CHECK("most failures are got over", 2 * opened > rounds);
}

TESTS(TEST_ROW(every_allocation_of_a_whole_life_may_fail))

/* session_hostile.c: what strangers on the network and a peer that has turned against us can do to
 * a session: nothing, or end it for themselves. */
#include <stdlib.h>

#include "core/channel/wire.h"
#include "core/sctp/wire.h"
#include "core/session/internal.h"
#include "tests/check.h"
#include "tests/support/session_pair.h"

static const struct session_config usual = { 0 };
static struct session_pair p;

static void open_pair_with(void (*meddle)(int from, struct session_description *d))
{
    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    CHECK("signalled", session_pair_signal(&p, meddle) == ERR_OK);
    session_pair_run(&p, p.now + 2 * SECOND);
    CHECK("both are open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
}

static void open_pair(void)
{
    open_pair_with(NULL);
}

static bool is_quiet(int end)
{
    struct session *s = p.end[end];

    session_tick(s, p.now);
    session_pair_drain(&p, end);
    return session_next_timeout(s) > p.now;
}

/* Bytes still pass both ways on every channel. */
static void check_alive(const char *claim)
{
    uint64_t had[2][CHANNEL_COUNT];

    for (int to = 0; to < 2; to++)
        for (unsigned i = 0; i < CHANNEL_COUNT; i++) {
            uint8_t data[100];

            memset(data, (int)i, sizeof data);
            had[to][i] = p.seen[to].received[i];
            (void)session_send(p.end[!to], p.now, i, bytes_of(data, sizeof data));
            session_pair_drain(&p, !to);
        }
    session_pair_run(&p, p.now + 2 * SECOND);
    for (int to = 0; to < 2; to++) {
        CHECK(claim, !p.seen[to].is_closed);
        CHECK("its timers are ahead", is_quiet(to));
        for (unsigned i = 0; i < CHANNEL_COUNT; i++)
            CHECK(claim, p.seen[to].received[i] == had[to][i] + 100);
    }
}

static enum verdict offer(int to, const struct addr *from, struct bytes dgram)
{
    enum verdict verdict = session_input(p.end[to], p.now, &p.addr[to], from, dgram);

    session_pair_drain(&p, to);
    return verdict;
}

/* ---- Strangers ------------------------------------------------------------------------------ */

/* The first flight of a client that nobody has introduced. */
static size_t strange_hello(uint8_t *out, size_t cap)
{
    struct dtls_config cfg = { .identity = p.identity[ANSWERER], .role = DTLS_CLIENT };
    struct dtls *client;
    static uint8_t buf[OUT_BYTES_MAX];
    struct out run;
    struct bytes hello;

    CHECK("a stranger", dtls_new(&client, &cfg, &p.rng) == ERR_OK);
    dtls_start(client, p.now);
    out_init(&run, buf, sizeof buf);
    CHECK("who speaks", dtls_poll_output(client, &run));
    hello = out_datagram(&run, 0);
    CHECK("briefly", hello.len <= cap);
    memcpy(out, hello.data, hello.len);
    dtls_free(client);
    return hello.len;
}

/* Fatal alert, handshake_failure, of epoch 0. */
static const uint8_t alert[] = { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40 };

/* Before the answer is there the offerer cannot know who is who, and must not decide by who comes
 * first. */
TEST(strangers_before_the_answer)
{
    const struct addr stranger = addr_ipv4(0x0a000099u, 666);
    uint8_t hello[2048];
    size_t len;

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    len = strange_hello(hello, sizeof hello);
    p.hold_answer = true;
    offer(OFFERER, &stranger, bytes_of(alert, sizeof alert));
    offer(OFFERER, &stranger, bytes_of(hello, len));
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 400 * MILLISECOND);
    offer(OFFERER, &stranger, bytes_of(hello, len));
    offer(OFFERER, &stranger, bytes_of(alert, sizeof alert));
    CHECK("answered", session_pair_answer(&p) == ERR_OK);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    check_alive("as if nobody had been there");
    session_pair_deinit(&p);
}

/* A stranger who fills what is kept for early flights delays them at most. */
TEST(a_flood_before_the_answer)
{
    const struct addr stranger = addr_ipv4(0x0a000099u, 666);
    static uint8_t noise[1200] = { 22, 0xfe, 0xfd };

    CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
    p.hold_answer = true;
    for (int i = 0; i < 1000; i++)
        offer(OFFERER, &stranger, bytes_of(noise, sizeof noise));
    CHECK("bounded", p.end[OFFERER]->early.len <= SESSION_EARLY_BYTES_MAX + 64);
    CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
    session_pair_run(&p, p.now + 400 * MILLISECOND);
    CHECK("answered", session_pair_answer(&p) == ERR_OK);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
    session_pair_deinit(&p);
}

/* Somebody on the way, who knows both addresses and no key. */
TEST(forgeries_before_the_answer)
{
    uint8_t hello[2048];
    size_t len;

    for (int round = 0; round < 2; round++) {
        CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
        len = strange_hello(hello, sizeof hello);
        p.hold_answer = true;
        CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
        session_pair_run(&p, p.now + 400 * MILLISECOND);
        offer(OFFERER, &p.addr[ANSWERER],
              round ? bytes_of(hello, len) : bytes_of(alert, sizeof alert));
        CHECK("answered", session_pair_answer(&p) == ERR_OK);
        session_pair_run(&p, p.now + 5 * SECOND);
        CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
        check_alive("as if nobody had been there");
        session_pair_deinit(&p);
    }
}

/* The same after the answer, as soon as our first check has shown where we are. */
TEST(forgeries_before_the_first_check_comes_back)
{
    uint8_t hello[2048];
    size_t len;

    for (int round = 0; round < 4; round++) {
        int victim = round / 2;

        CHECK("made", session_pair_init(&p, &usual) == ERR_OK);
        len = strange_hello(hello, sizeof hello);
        CHECK("signalled", session_pair_signal(&p, NULL) == ERR_OK);
        for (int i = 0; i < 40 && !p.seen[victim].is_open; i++) {
            offer(victim, &p.addr[!victim],
                  round % 2 ? bytes_of(hello, len) : bytes_of(alert, sizeof alert));
            session_pair_run(&p, p.now + MILLISECOND);
            p.now += MILLISECOND;
        }
        session_pair_run(&p, p.now + 5 * SECOND);
        CHECK("open", p.seen[OFFERER].is_open && p.seen[ANSWERER].is_open);
        check_alive("as if nobody had been there");
        session_pair_deinit(&p);
    }
}

/* ---- Garbage on the path itself ------------------------------------------------------------- */

TEST(garbage_of_every_first_byte)
{
    static uint8_t noise[1400];

    open_pair();
    for (unsigned first = 0; first < 256; first++) {
        static const size_t lengths[] = { 0, 1, 12, 13, 14, 20, 28, 37, 60, 300, 1400 };

        for (size_t i = 0; i < COUNT(lengths); i++) {
            rng_fill(&p.rng, noise, sizeof noise);
            noise[0] = (uint8_t)first;
            if (i &
                1) { /* passes for a record of DTLS 1.2 of this epoch, with a length that fits */
                noise[1] = 0xfe;
                noise[2] = 0xfd;
                noise[3] = 0;
                noise[4] = (uint8_t)(i >> 1 & 1);
                noise[11] = (uint8_t)((lengths[i] - 13) >> 8);
                noise[12] = (uint8_t)(lengths[i] - 13);
            }
            for (int to = 0; to < 2; to++)
                offer(to, &p.addr[!to], bytes_of(noise, lengths[i]));
        }
    }
    check_alive("untouched");
    session_pair_deinit(&p);
}

TEST(alerts_without_a_key)
{
    uint8_t fake[sizeof alert];

    open_pair();
    for (unsigned level = 0; level < 4; level++)
        for (unsigned number = 0; number < 256; number++)
            for (int to = 0; to < 2; to++) {
                memcpy(fake, alert, sizeof fake);
                fake[13] = (uint8_t)level;
                fake[14] = (uint8_t)number;
                fake[4] = number & 1;
                offer(to, &p.addr[!to], bytes_of(fake, sizeof fake));
            }
    check_alive("untouched");
    session_pair_deinit(&p);
}

/* Real datagrams of the peer, each cut, bent or lengthened on its way, and then as it was. */
TEST(bent_datagrams)
{
    static struct session_letter letter;

    open_pair();
    for (unsigned round = 0; round < 150; round++) {
        uint8_t data[50] = { 0 };
        int to = (int)(round & 1);

        (void)session_send(p.end[!to], p.now, 0, bytes_of(data, sizeof data));
        session_pair_drain(&p, !to);
        if (p.letter_count == 0)
            continue;
        letter = p.letters[p.letter_count - 1];
        for (unsigned i = 0; i < 20; i++) {
            static uint8_t bent[1500];
            size_t len = letter.len;

            memcpy(bent, letter.data, letter.len);
            bent[rng_below(&p.rng, (uint32_t)letter.len)] ^= (uint8_t)(1u << (i & 7));
            if (i % 3 == 1)
                len = rng_below(&p.rng, (uint32_t)letter.len);
            if (i % 3 == 2)
                len = letter.len + rng_below(&p.rng, (uint32_t)(sizeof bent - letter.len));
            offer(letter.to, &p.addr[!letter.to], bytes_of(bent, len));
        }
        session_pair_run(&p, p.now + 50 * MILLISECOND);
    }
    CHECK("nothing of it was data", p.seen[0].wrong + p.seen[1].wrong == 0);
    check_alive("untouched");
    session_pair_deinit(&p);
}

TEST(everything_twice)
{
    open_pair();
    for (unsigned round = 0; round < 60; round++) {
        uint8_t data[2000];
        size_t count;

        memset(data, 4, sizeof data);
        (void)session_send(p.end[ANSWERER], p.now, 4, bytes_of(data, sizeof data));
        session_pair_drain(&p, ANSWERER);
        count = p.letter_count;
        for (size_t i = 0; i < count; i++) {
            p.letters[p.letter_count] = p.letters[i];
            p.letter_count++;
        }
        session_pair_run(&p, p.now + 30 * MILLISECOND);
    }
    session_pair_run(&p, p.now + 2 * SECOND);
    CHECK("each byte once", p.seen[OFFERER].received[4] == 60 * 2000);
    check_alive("untouched");
    session_pair_deinit(&p);
}

/* ---- A peer with keys ----------------------------------------------------------------------- */

static void say(uint16_t stream, uint32_t ppid, struct bytes message)
{
    (void)sctp_send(p.end[ANSWERER]->sctp, p.now, stream, ppid, message);
    session_pair_drain(&p, ANSWERER);
}

TEST(a_peer_that_floods_streams_openings_and_control)
{
    static uint8_t some[3000] = { DCEP_OPEN };
    struct session_info info;

    open_pair();
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = CHANNEL_COUNT; i < 1024; i++) {
            say((uint16_t)i, i & 1 ? PPID_DCEP : PPID_BINARY,
                bytes_of(some, 1 + (i * 37) % sizeof some));
            if (i % 64 == 0)
                session_pair_run(&p, p.now + 100 * MILLISECOND);
        }
    session_pair_run(&p, p.now + 5 * SECOND);
    session_get_info(p.end[OFFERER], &info);
    CHECK("nothing is kept", info.sctp.unread_bytes == 0);
    check_alive("the channels go on");
    session_pair_deinit(&p);
}

/* A hawser sends within its credit; one that does not is no hawser, and is ended. */
TEST(a_peer_that_sends_more_than_it_was_granted)
{
    static uint8_t some[65536];

    open_pair();
    p.is_deaf[OFFERER] = true;
    for (unsigned round = 0; round < 100 && !p.seen[OFFERER].is_closed; round++) {
        say(1, PPID_BINARY, bytes_of(some, sizeof some));
        session_pair_run(&p, p.now + 20 * MILLISECOND);
    }
    CHECK("ended", p.seen[OFFERER].is_closed);
    session_pair_deinit(&p);
}

static void make_foreign(int from, struct session_description *d)
{
    (void)from;
    d->is_hawser = false;
}

/* Nobody reads: the window closes and memory stays within it, for as long as the peer tries, which
 * knows nothing of credit. */
TEST(a_peer_that_sends_more_than_anybody_reads)
{
    static uint8_t some[65536];
    struct session_info info;
    uint64_t queued = 0;

    open_pair_with(make_foreign);
    p.is_deaf[OFFERER] = true;
    for (unsigned round = 0; round < 600; round++) {
        for (uint16_t i = 0; i < CHANNEL_COUNT; i++)
            queued += sctp_send(p.end[ANSWERER]->sctp, p.now, i, PPID_BINARY,
                                bytes_of(some, sizeof some)) == ERR_OK;
        session_pair_drain(&p, ANSWERER);
        session_pair_run(&p, p.now + 20 * MILLISECOND);
    }
    session_get_info(p.end[OFFERER], &info);
    CHECK("more than the window was tried", queued * sizeof some > CHANNEL_UNREAD_MAX + (1 << 20));
    CHECK("the window holds", info.sctp.unread_bytes <= CHANNEL_UNREAD_MAX);
    session_pair_run(&p, p.now + 40 * SECOND);
    CHECK("and nobody dies of it", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    CHECK("nor spins", is_quiet(OFFERER) && is_quiet(ANSWERER));
    session_close(p.end[OFFERER], p.now, 0);
    session_pair_drain(&p, OFFERER);
    session_pair_run(&p, p.now + 5 * SECOND);
    CHECK("closed", p.seen[OFFERER].is_closed && p.seen[OFFERER].end == SESSION_END_LOCAL);
    session_pair_deinit(&p);
}

/* Other sessions have taken nearly all blocks of a shared pool: slow, but neither spinning nor
 * dead, and well again when they come back. */
TEST(a_pool_that_others_have_emptied)
{
    static struct block *taken[8192];
    static uint8_t data[16384];
    size_t count = 0, turns = 0;

    open_pair();
    while (count < COUNT(taken) && (taken[count] = pool_get(p.pool)))
        count++;
    for (int i = 0; i < 3; i++)
        pool_put(p.pool, taken[--count]);
    memset(data, 6, sizeof data);
    for (usec until = p.now + 10 * SECOND; p.now < until; turns++) {
        usec at = usec_min(session_next_timeout(p.end[0]), session_next_timeout(p.end[1]));

        if (turns % 100 == 0) {
            (void)session_send(p.end[turns / 100 % 2], p.now, 6, bytes_of(data, sizeof data));
            session_pair_drain(&p, turns / 100 % 2);
        }
        session_pair_run(&p, usec_min(usec_max(at, p.now), p.now + 10 * MILLISECOND));
        p.now++;
    }
    CHECK("it does not spin", turns < 5000);
    CHECK("it does not die", !p.seen[OFFERER].is_closed && !p.seen[ANSWERER].is_closed);
    while (count)
        pool_put(p.pool, taken[--count]);
    session_pair_run(&p, p.now + 5 * SECOND);
    check_alive("well again");
    CHECK("nothing was mixed up", p.seen[OFFERER].wrong + p.seen[ANSWERER].wrong == 0);
    session_pair_deinit(&p);
}

/* A packet of these chunks, sealed as the answerer's. */
static void say_chunks(struct bytes chunks)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct out run;
    struct wr w;

    out_init(&run, buf, sizeof buf);
    run.head = DTLS_HEAD;
    run.tail = DTLS_TAIL;
    w = wr_of(out_next(&run), out_room(&run));
    wr_bytes(&w, chunks);
    out_add(&run, w.len);
    CHECK("sealed", dtls_seal(p.end[ANSWERER]->dtls, &run) == ERR_OK);
    offer(OFFERER, &p.addr[ANSWERER], out_datagram(&run, 0));
}

/* Sealed, but no SCTP: of every length, and by chance. */
TEST(noise_with_keys)
{
    static uint8_t noise[1600];

    open_pair();
    for (size_t len = 1; len < sizeof noise; len += 7) {
        rng_fill(&p.rng, noise, len);
        say_chunks(bytes_of(noise, len));
    }
    check_alive("untouched");
    session_pair_deinit(&p);
}

TESTS(TEST_ROW(forgeries_before_the_answer), TEST_ROW(forgeries_before_the_first_check_comes_back),
      TEST_ROW(strangers_before_the_answer), TEST_ROW(a_flood_before_the_answer),
      TEST_ROW(garbage_of_every_first_byte), TEST_ROW(alerts_without_a_key),
      TEST_ROW(bent_datagrams), TEST_ROW(everything_twice),
      TEST_ROW(a_peer_that_floods_streams_openings_and_control),
      TEST_ROW(a_peer_that_sends_more_than_it_was_granted),
      TEST_ROW(a_peer_that_sends_more_than_anybody_reads),
      TEST_ROW(a_pool_that_others_have_emptied), TEST_ROW(noise_with_keys))

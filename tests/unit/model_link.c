/* The link model must do what the simulator believes it does. */
#include "tests/check.h"
#include "tests/net/model/link.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

#define PACKETS 10000
#define TABLE   256

static const struct addr a = { .family = ADDR_IPV4, .port = 1, .ip = { 10, 0, 0, 1 } };
static const struct addr b = { .family = ADDR_IPV4, .port = 2, .ip = { 10, 0, 0, 2 } };

/* What came out of a link that was offered PACKETS datagrams of 100 bytes, 1 ms apart; each begins
 * with its number. */
struct outcome {
    unsigned came, twice, late, spoilt;
    usec least_us, most_us;
    uint64_t hash; /* of everything that came, and when */
};

struct run {
    struct outcome o;
    uint8_t seen[PACKETS];
    unsigned newest;
};

static void take(struct run *r, usec now, const struct link_packet *p)
{
    struct rd rd = rd_of(p->dgram);
    uint32_t number = rd_u32(&rd);

    for (size_t i = 0; i < p->dgram.len; i++)
        r->o.hash = (r->o.hash ^ p->dgram.data[i]) * 0x100000001b3;
    r->o.hash = (r->o.hash ^ (uint64_t)now) * 0x100000001b3;
    for (size_t i = 4; i < p->dgram.len; i++)
        if (p->dgram.data[i] != 0x55) {
            r->o.spoilt++;
            return;
        }
    if (number >= PACKETS) { /* the flipped bit was in the number */
        r->o.spoilt++;
        return;
    }
    r->o.came++;
    r->o.twice += r->seen[number]++ > 0;
    r->o.late += number < r->newest;
    r->newest = number > r->newest ? number : r->newest;
    r->o.least_us = usec_min(r->o.least_us, now - (usec)number * MILLISECOND);
    r->o.most_us = usec_max(r->o.most_us, now - (usec)number * MILLISECOND);
}

static struct outcome run(const struct link_config *cfg, uint64_t seed)
{
    static struct run r;
    struct rng rng = test_rng(&seed);
    struct link *l;
    uint32_t sent = 0;

    r = (struct run){ .o = { .least_us = USEC_NEVER, .hash = 0xcbf29ce484222325 } };
    CHECK("made", link_new(&l, cfg, TABLE, &rng) == ERR_OK);
    for (;;) {
        usec next_at = sent < PACKETS ? (usec)sent * MILLISECOND : USEC_NEVER;
        usec now = usec_min(next_at, link_next_timeout(l));
        struct link_packet p;

        if (now == USEC_NEVER)
            break;
        while (link_poll_output(l, now, &p))
            take(&r, now, &p);
        if (now == next_at) {
            uint8_t buf[100];
            struct wr w = wr_of(buf, sizeof buf);

            wr_u32(&w, sent++);
            memset(wr_room(&w, 96), 0x55, 96);
            link_input(l, now, &a, &b, wr_written(&w));
        }
    }
    CHECK("empty at the end", link_held(l) == 0);
    link_free(l);
    return r.o;
}

/* Within a tenth of what the parts per million promise. */
static bool is_about(unsigned count, uint32_t ppm)
{
    double expected = (double)PACKETS * ppm / 1e6;

    return count > 0.9 * expected && count < 1.1 * expected;
}

TEST(perfect_wire)
{
    struct outcome o = run(&(struct link_config){ 0 }, 1);

    CHECK("all, once, in order", o.came == PACKETS && !o.twice && !o.late && !o.spoilt);
    CHECK("at once", o.most_us == 0);
}

TEST(delay_and_jitter)
{
    struct outcome o = run(&(struct link_config){ .delay_us = 20000, .jitter_us = 5000 }, 1);

    CHECK("never early", o.least_us >= 20000);
    CHECK("never later than the jitter", o.most_us <= 25000);
    CHECK("the jitter is used", o.most_us - o.least_us > 4000);
    CHECK("order is kept", o.late == 0 && o.came == PACKETS);
}

TEST(loss)
{
    struct outcome o = run(&(struct link_config){ .loss_ppm = 100000 }, 1);

    CHECK("a tenth", is_about(PACKETS - o.came, 100000));
    CHECK("nothing else", !o.twice && !o.late && !o.spoilt);
}

/* A run that goes on is not begun, so a little fewer are lost than ppm says. */
TEST(losses_in_runs)
{
    struct outcome o = run(&(struct link_config){ .loss_ppm = 100000, .loss_run = 10 }, 1);

    CHECK("about a tenth", o.came > PACKETS * 88 / 100 && o.came < PACKETS * 94 / 100);
    CHECK("nothing else", !o.twice && !o.late && !o.spoilt);
}

/* Each is sent a millisecond after the one before. */
TEST(batches)
{
    struct outcome o = run(&(struct link_config){ .delay_us = 5000, .batch_us = 10000 }, 1);

    CHECK("the first of a batch waits longest", o.most_us == 14000);
    CHECK("the last not at all", o.least_us == 5000);
    CHECK("all, in order", o.came == PACKETS && !o.late && !o.twice);
}

TEST(duplication)
{
    struct outcome o = run(&(struct link_config){ .duplicate_ppm = 100000 }, 1);

    CHECK("a tenth", is_about(o.twice, 100000));
    CHECK("nothing is lost", o.came == PACKETS + o.twice);
}

TEST(reordering)
{
    struct outcome o = run(
        &(struct link_config){ .delay_us = 5000, .reorder_ppm = 100000, .reorder_us = 3000 }, 1);

    CHECK("a tenth comes late", is_about(o.late, 100000));
    CHECK("by as much as configured", o.most_us == 8000 && o.least_us == 5000);
    CHECK("nothing is lost", o.came == PACKETS && !o.twice);
}

TEST(corruption)
{
    struct outcome o = run(&(struct link_config){ .corrupt_ppm = 100000 }, 1);

    /* 32 of 800 bits are the number, where a flip mostly goes unnoticed here. */
    CHECK("a tenth", is_about(o.spoilt, 96000));
    CHECK("all come", o.came + o.spoilt == PACKETS);
}

TEST(same_seed_same_fate)
{
    struct link_config cfg = { .jitter_us = 9000,
                               .loss_ppm = 50000,
                               .duplicate_ppm = 50000,
                               .reorder_ppm = 50000,
                               .reorder_us = 20000,
                               .corrupt_ppm = 50000 };
    struct outcome first = run(&cfg, 7);

    CHECK("repeats to the bit", run(&cfg, 7).hash == first.hash);
    CHECK("another seed differs", run(&cfg, 8).hash != first.hash);
}

/* 128 bytes of IP: at 1 Mbit/s they take 1024 us. */
static bool offer(struct link *l, usec at)
{
    static const uint8_t payload[100];

    return link_input(l, at, &a, &b, bytes_of(payload, sizeof payload)) == VERDICT_TAKEN;
}

/* A link that takes ten of twenty that come at once. */
static struct link *offered_twenty(const struct link_config *cfg)
{
    static struct rng rng; /* the link goes on using it, and the seed */
    static uint64_t seed;
    struct link *l;
    unsigned taken = 0;

    seed = 1;
    rng = test_rng(&seed);
    CHECK("made", link_new(&l, cfg, TABLE, &rng) == ERR_OK);
    for (int i = 0; i < 20; i++)
        taken += offer(l, 0);
    CHECK("ten fit", taken == 10);
    CHECK("the rest is counted", link_counts(l)->over_queue == 10);
    return l;
}

TEST(rate_and_queue)
{
    struct link *l =
        offered_twenty(&(struct link_config){ .rate_bps = 1000000, .queue_bytes_max = 1280 });
    struct link_packet p;

    for (usec i = 1; i <= 10; i++) {
        CHECK("one every 1024 us", link_next_timeout(l) == i * 1024);
        CHECK("not before", !link_poll_output(l, i * 1024 - 1, &p));
        CHECK("but then", link_poll_output(l, i * 1024, &p));
    }
    CHECK("idle", link_next_timeout(l) == USEC_NEVER);
    CHECK("room again", offer(l, SECOND));
    CHECK("no credit for idling", link_next_timeout(l) == SECOND + 1024);
    link_free(l);
}

/* The bucket holds ten, and one more fits every 1024 us. */
TEST(policing)
{
    struct link *l =
        offered_twenty(&(struct link_config){ .rate_bps = 1000000, .police_bytes = 1280 });
    struct link_packet p;
    unsigned passed = 0, taken = 0;

    while (link_poll_output(l, 0, &p))
        passed++;
    CHECK("what the bucket holds passes at once", passed == 10);
    for (usec at = 512; at <= 10 * 1024; at += 512)
        taken += offer(l, at);
    CHECK("then no more than the rate", taken == 10);
    link_free(l);
}

/* 1250 bytes at 97 Mbit/s take 103.09 us. */
TEST(rate_has_fractions)
{
    struct link_config cfg = { .rate_bps = 97000000, .has_headers = true };
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);
    uint8_t packet[1250] = { 0 };
    struct link *l;

    CHECK("made", link_new(&l, &cfg, 128, &rng) == ERR_OK);
    for (int i = 0; i < 97; i++)
        CHECK("taken", link_input(l, 0, &a, &b, bytes_of(packet, 1250)) == VERDICT_TAKEN);
    CHECK("no microsecond more or less", link_backlog(l, 0) == 10000);
    CHECK("drained", link_backlog(l, SECOND) == 0);
    link_free(l);
}

TEST(mtu_counts_the_headers)
{
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);
    struct addr six = { .family = ADDR_IPV6, .port = 1, .ip = { 0xfd } };
    uint8_t payload[LINK_DATAGRAM_MAX + 1] = { 0 };
    struct link *l;

    CHECK("made", link_new(&l, &(struct link_config){ 0 }, TABLE, &rng) == ERR_OK);
    CHECK("1472 fits IPv4", link_input(l, 0, &a, &b, bytes_of(payload, 1472)) == VERDICT_TAKEN);
    CHECK("1473 does not", link_input(l, 0, &a, &b, bytes_of(payload, 1473)) == VERDICT_LIMIT);
    CHECK("1452 fits IPv6", link_input(l, 0, &six, &six, bytes_of(payload, 1452)) == VERDICT_TAKEN);
    CHECK("1453 does not", link_input(l, 0, &six, &six, bytes_of(payload, 1453)) == VERDICT_LIMIT);
    link_set(l, &(struct link_config){ .mtu = 9000 });
    CHECK("nor what no slot holds",
          link_input(l, 0, &a, &b, bytes_of(payload, sizeof payload)) == VERDICT_LIMIT);
    CHECK("counted", link_counts(l)->over_mtu == 3);
    CHECK("an empty datagram is one", link_input(l, 0, &a, &b, bytes_of(NULL, 0)) == VERDICT_TAKEN);
    link_free(l);
}

TEST(table_is_bounded)
{
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);
    struct link *l;
    unsigned taken = 0;

    CHECK("made", link_new(&l, &(struct link_config){ .delay_us = 1 }, 4, &rng) == ERR_OK);
    for (int i = 0; i < 6; i++)
        taken += link_input(l, 0, &a, &b, bytes_of("x", 1)) == VERDICT_TAKEN;
    CHECK("four held", taken == 4 && link_held(l) == 4 && link_counts(l)->over_table == 2);
    link_free(l);
}

TEST(every_allocation_may_fail)
{
    uint64_t seed = 1;
    struct rng rng = test_rng(&seed);

    ALLOC_FAIL_EACH {
        struct link *l;
        int err = link_new(&l, &(struct link_config){ 0 }, 4, &rng);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("all or nothing", (l != NULL) == (err == ERR_OK));
        link_free(l);
    }
}

TESTS(TEST_ROW(perfect_wire), TEST_ROW(delay_and_jitter), TEST_ROW(loss), TEST_ROW(losses_in_runs),
      TEST_ROW(batches), TEST_ROW(duplication), TEST_ROW(reordering), TEST_ROW(corruption),
      TEST_ROW(same_seed_same_fate), TEST_ROW(rate_and_queue), TEST_ROW(policing),
      TEST_ROW(rate_has_fractions), TEST_ROW(mtu_counts_the_headers), TEST_ROW(table_is_bounded),
      TEST_ROW(every_allocation_may_fail))

/* The path beneath changes while data flows: nothing is lost, little goes twice, nobody waits. */
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/sctp_pair.h"

enum { WHOLE = 8 << 20 };

struct change {
    const char *claim;
    usec rtt_before, rtt_after;
    size_t packet_before, packet_after;
    usec dead_us;        /* the old path carried nothing for so long before; 0: it works */
    usec peer_later;     /* the other side changes so much later */
    unsigned resent_max; /* of a thousand chunks, besides what was lost */
    usec pause_max;      /* in what is delivered, the time it was dead apart */
};

#define MS MILLISECOND

static const struct change changes[] = {
    { "the same again", 40 * MS, 40 * MS, 1160, 1160, 0, 0, 0, 41 * MS },
    { "the same, the peer later", 40 * MS, 40 * MS, 1160, 1160, 0, 30 * MS, 0, 41 * MS },
    { "faster", 100 * MS, 10 * MS, 1160, 1160, 0, 0, 1, 101 * MS },
    { "much faster", 600 * MS, 2 * MS, 1160, 1160, 0, 0, 1, 601 * MS },
    { "faster, the peer later", 100 * MS, 10 * MS, 1160, 1160, 0, 60 * MS, 1, 101 * MS },
    { "slower", 10 * MS, 100 * MS, 1160, 1160, 0, 0, 0, 101 * MS },
    { "much slower", 2 * MS, 600 * MS, 1160, 1160, 0, 0, 1, 601 * MS },
    { "slower, the peer later", 10 * MS, 100 * MS, 1160, 1160, 0, 80 * MS, 1, 101 * MS },
    { "narrower", 40 * MS, 40 * MS, 1160, 600, 0, 0, 0, 41 * MS },
    { "narrower again", 40 * MS, 40 * MS, 1400, 1160, 0, 0, 0, 41 * MS },
    { "wider", 40 * MS, 40 * MS, 1160, 1400, 0, 0, 0, 41 * MS },
    { "faster and wider", 80 * MS, 20 * MS, 1160, 8000, 0, 0, 1, 81 * MS },
    { "from a dead one", 40 * MS, 40 * MS, 1160, 1160, 500 * MS, 0, 15, 82 * MS },
    { "from one dead for long", 40 * MS, 40 * MS, 1160, 1160, 2500 * MS, 0, 15, 82 * MS },
    { "from a dead one to a slower", 20 * MS, 200 * MS, 1160, 1160, 500 * MS, 0, 15, 402 * MS },
    { "from a dead one to a faster", 200 * MS, 20 * MS, 1160, 1160, 500 * MS, 0, 15, 102 * MS },
    { "from a dead one, narrower", 40 * MS, 40 * MS, 1160, 600, 500 * MS, 0, 15, 82 * MS },
    { "from a dead one, narrower again", 40 * MS, 40 * MS, 1400, 1160, 500 * MS, 0, 15, 82 * MS },
    { "from a dead one, the peer later", 40 * MS, 40 * MS, 1160, 1160, 500 * MS, 30 * MS, 15,
      122 * MS },
};

struct stage {
    const struct change *change;
    int side;   /* that changes next */
    usec since; /* when the old one died, or the change began */
    struct sctp_info before;
    bool is_over;
};

static void change_side(struct sctp_pair *p, const struct change *c, int side)
{
    sctp_path_changed(p->side[side].sctp, p->now, c->rtt_after, c->packet_after, c->dead_us > 0);
}

static void change_second(struct sctp_pair *p, void *ctx)
{
    struct stage *st = ctx;

    change_side(p, st->change, 1);
    st->is_over = true;
}

static void change_first(struct sctp_pair *p, void *ctx)
{
    struct stage *st = ctx;
    const struct change *c = st->change;

    p->is_cut = false;
    p->link.delay_us = c->rtt_after / 2;
    p->largest_packet = 0;
    change_side(p, c, 0);
    if (c->peer_later == 0) {
        change_second(p, st);
        return;
    }
    p->call_at = p->now + c->peer_later;
    p->call = change_second;
}

/* Half of it is through. */
static void begin(struct sctp_pair *p, void *ctx)
{
    struct stage *st = ctx;

    sctp_get_info(p->side[0].sctp, &st->before);
    st->since = p->now;
    p->side[1].longest_pause = 0;
    p->side[1].read_at = p->now;
    if (!st->change->dead_us) {
        change_first(p, st);
        return;
    }
    p->is_cut = true;
    pair_lose_wire(p);
    p->call_at = p->now + st->change->dead_us;
    p->call = change_first;
}

static void run(const struct change *c, uint64_t seed)
{
    struct sctp_config cfg = { 0 };
    struct stage st = { .change = c };
    struct sctp_pair p;
    struct sctp_info info;
    uint64_t resent, sent, lost;

    CHECK("up", pair_connect(&p, seed, &cfg, c->rtt_before / 2));
    for (int i = 0; i < 2; i++)
        sctp_path_changed(p.side[i].sctp, p.now, c->rtt_before, c->packet_before, false);
    p.call_at = p.now + 6 * c->rtt_before + (usec)(seed % 7) * c->rtt_before / 7;
    p.call = begin;
    p.call_ctx = &st;
    CHECK(c->claim, pair_transfer(&p, 0, 3, WHOLE, 60000, p.now + 100 * SECOND));
    CHECK("in the middle of it", st.is_over);
    sctp_get_info(p.side[0].sctp, &info);
    resent = info.retransmitted_chunks - st.before.retransmitted_chunks;
    sent = info.data_chunks_sent;
    lost = c->dead_us ? st.before.flight_bytes / (c->packet_before > 1160 ? 650 : 1000) : 0;
    CHECK(c->claim, resent <= lost + sent * c->resent_max / 1000);
    CHECK(c->claim, p.side[1].longest_pause <= c->dead_us + c->pause_max);
    CHECK(c->claim, info.timeouts == 0 || c->dead_us);
    CHECK("packets that pass",
          p.largest_packet <= (c->packet_after < 1160 ? 1160 : c->packet_after));
    CHECK("the window grows as on any path",
          p.now - st.since <= c->dead_us + c->rtt_before + 14 * c->rtt_after);
    CHECK("neither closed", !p.side[0].is_closed && !p.side[1].is_closed);
    pair_deinit(&p);
}

TEST(bulk_survives_a_change)
{
    for (size_t i = 0; i < COUNT(changes); i++)
        for (uint64_t seed = 0; seed < 3; seed++)
            run(&changes[i], seed);
}

/* Both are made, and the first request of the first is lost: the path was dead until now. */
static void ask_in_vain(struct sctp_pair *p, uint64_t seed)
{
    struct sctp_config cfg = { 0 };

    CHECK("made", pair_init(p, seed, &cfg));
    p->link.delay_us = 20 * MS;
    p->is_cut = true;
    sctp_connect(p->side[0].sctp, p->now);
    pair_drain(p);
    p->is_cut = false;
}

TEST(a_dead_path_holds_no_handshake_up)
{
    struct sctp_pair p;
    usec start;

    ask_in_vain(&p, 1);
    p.now += 30 * MS;
    start = p.now;
    sctp_path_changed(p.side[0].sctp, p.now, 40 * MS, 0, true);
    CHECK("up in two round trips", pair_run_until_up(&p, start + 81 * MS));
    pair_deinit(&p);
}

TEST(changes_without_end_put_nothing_off)
{
    struct sctp_pair p;
    usec start;

    ask_in_vain(&p, 5);
    start = p.now;
    while (p.now < start + 3 * SECOND && !p.side[1].ups) {
        pair_run(&p, p.now + 50 * MS);
        p.now += 50 * MS;
        sctp_path_changed(p.side[0].sctp, p.now, 40 * MS, 0, false);
    }
    CHECK("asked again in time", p.now <= start + SECOND);
    pair_deinit(&p);
}

TEST(nor_a_farewell)
{
    struct sctp_config cfg = { 0 };
    struct sctp_pair p;
    usec start;

    CHECK("up", pair_connect(&p, 2, &cfg, 20 * MS));
    p.is_cut = true;
    sctp_shutdown(p.side[0].sctp, p.now);
    pair_drain(&p);
    p.is_cut = false;
    start = p.now;
    sctp_path_changed(p.side[0].sctp, p.now, 40 * MS, 0, true);
    CHECK("both part", pair_run_until_closed(&p, start + 61 * MS));
    pair_deinit(&p);
}

/* What the peer sent by the dead path and we have is told by the new one. */
TEST(what_came_is_told_at_once)
{
    struct sctp_config cfg = { 0 };
    struct sctp_pair p;

    CHECK("up", pair_connect(&p, 3, &cfg, 20 * MS));
    pair_send(&p, 1, 0, 51, bytes_of("x", 1));
    pair_run(&p, p.now + 20 * MS);
    pair_lose_wire(&p);
    CHECK("unacknowledged", sctp_unacked_bytes(p.side[1].sctp) == 1);
    sctp_path_changed(p.side[0].sctp, p.now, 40 * MS, 0, true);
    pair_run(&p, p.now + 20 * MS);
    CHECK("acknowledged", sctp_unacked_bytes(p.side[1].sctp) == 0);
    pair_deinit(&p);
}

static bool lose_first(void *ctx, int from, struct bytes packet)
{
    unsigned *sent = ctx;

    (void)packet;
    return from != 0 || (*sent)++ > 0;
}

TEST(an_idle_association_holds_nothing)
{
    struct sctp_config cfg = { 0 };
    struct sctp_pair p;
    static uint8_t bytes[8000];
    unsigned sent = 0;

    CHECK("up", pair_connect(&p, 4, &cfg, 300 * MS));
    pair_run(&p, p.now + SECOND);
    p.link.delay_us = 10 * MS;
    for (int i = 0; i < 2; i++)
        sctp_path_changed(p.side[i].sctp, p.now, 20 * MS, 0, false);
    p.tap = lose_first;
    p.tap_ctx = &sent;
    pair_send(&p, 0, 0, 51, bytes_of(bytes, sizeof bytes));
    pair_run(&p, p.now + 41 * MS);
    CHECK("a loss of the new path is mended by its round trip", pair_is_delivered(&p, 0));
    pair_deinit(&p);
}

static struct sctp_info info_of(const struct sctp_pair *p)
{
    struct sctp_info info;

    sctp_get_info(p->side[0].sctp, &info);
    return info;
}

/* How many packets leave at once when the path is said to be back. */
static uint64_t sent_when_back(struct sctp_pair *p)
{
    uint64_t before = info_of(p).sent_packets;

    sctp_resume(p->side[0].sctp, p->now);
    pair_drain(p);
    return info_of(p).sent_packets - before;
}

/* Everything is lost until then. */
static void be_dark(struct sctp_pair *p, usec until)
{
    p->is_cut = true;
    pair_run(p, until);
    p->is_cut = false;
}

/* T3 expires 200 and 600 ms after the path was lost, and would again after 1400. */
TEST(what_waits_for_a_path_goes_when_it_is_back)
{
    struct sctp_config cfg = { 0 };
    static uint8_t bytes[8000];
    struct sctp_pair p;
    uint64_t timeouts, sent;
    usec start;

    CHECK("up", pair_connect(&p, 5, &cfg, 20 * MS));
    CHECK("measured", pair_transfer(&p, 0, 1, 100000, 8000, p.now + 5 * SECOND));
    for (int i = 0; i < 2; i++) {
        start = p.now;
        timeouts = info_of(&p).timeouts;
        CHECK("nothing waits", sent_when_back(&p) == 0);
        pair_send(&p, 0, 0, 51, bytes_of(bytes, sizeof bytes));
        be_dark(&p, start + 190 * MS);
        CHECK("T3 has not expired", info_of(&p).timeouts == timeouts && sent_when_back(&p) == 0);
        be_dark(&p, start + 700 * MS);
        p.now = start + 700 * MS;
        CHECK("twice it has", info_of(&p).timeouts == timeouts + 2);
        CHECK("it waits four times as long", info_of(&p).rto_us == 800 * MS);
        sent = sent_when_back(&p);
        CHECK("something goes, but no burst", sent == 1 || sent == 2);
        CHECK("as long as was measured", info_of(&p).rto_us == 200 * MS);
        be_dark(&p, p.now + 650 * MS);
        CHECK("in vain: it backs off again", info_of(&p).rto_us == 800 * MS);
        CHECK("a second time means nothing", sent_when_back(&p) == 0);
        CHECK("nor to the timer", info_of(&p).rto_us == 800 * MS);
        pair_run(&p, p.now + 2 * SECOND);
        CHECK("all is there", pair_is_delivered(&p, 0)); /* so the next time counts */
    }
    pair_deinit(&p);
}

/* T3 was a little quicker than the answer to a check. */
TEST(what_went_when_the_path_was_back_does_not_go_twice)
{
    struct sctp_config cfg = { 0 };
    static uint8_t bytes[800];
    struct sctp_pair p;
    uint64_t needless;
    usec start;

    CHECK("up", pair_connect(&p, 6, &cfg, 20 * MS));
    CHECK("measured", pair_transfer(&p, 0, 1, 100000, 8000, p.now + 5 * SECOND));
    pair_run(&p, p.now + SECOND);
    start = p.now;
    needless = info_of(&p).spurious_chunks;
    pair_send(&p, 0, 0, 51, bytes_of(bytes, sizeof bytes));
    be_dark(&p, start + 600 * MS);
    pair_run(&p, start + 700 * MS);
    CHECK("T3 has expired twice", info_of(&p).rto_us == 800 * MS);
    CHECK("nothing goes", sent_when_back(&p) == 0);
    CHECK("nor will it be late if that was lost", info_of(&p).rto_us == 200 * MS);
    pair_run(&p, p.now + 50 * MS);
    CHECK("all is there", pair_is_delivered(&p, 0));
    CHECK("and came once", info_of(&p).spurious_chunks == needless);
    pair_deinit(&p);
}

TESTS(TEST_ROW(bulk_survives_a_change), TEST_ROW(a_dead_path_holds_no_handshake_up),
      TEST_ROW(changes_without_end_put_nothing_off), TEST_ROW(nor_a_farewell),
      TEST_ROW(what_came_is_told_at_once), TEST_ROW(an_idle_association_holds_nothing),
      TEST_ROW(what_waits_for_a_path_goes_when_it_is_back),
      TEST_ROW(what_went_when_the_path_was_back_does_not_go_twice))

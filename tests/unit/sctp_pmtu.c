/* How long packets become on a path, how few probes that takes, and that nothing is lost for ever
 * when a path becomes narrower than what was cut for it. */
#include "core/sctp/sctp.h"

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/sctp_pair.h"

#define MS MILLISECOND

enum {
    AROUND = 20 + 8 + 37, /* IPv4, UDP, DTLS */
    BASE = 1160,
    LEAST = 504,
    WHOLE = 8 << 20,
    PROBES_BOUND = 24
};

/* What passes one way, in IP bytes; probes are told by their PAD. */
struct wire {
    size_t mtu;
    size_t later_mtu; /* from `then` on */
    usec then;
    uint32_t no_probe; /* the first so many are lost, whatever their size */
    unsigned probes, probes_lost, data_lost;
    unsigned passed, longer;           /* packets of data; those longer than the base */
    size_t longest_data, longest_last; /* of data that passed; of the last second of it */
    usec since;
    const struct sctp_pair *p;
};

static bool is_probe(struct bytes packet)
{
    return packet.len > 40 && packet.data[12] == 4 && packet.data[32] == 132;
}

static bool pass(void *ctx, int from, struct bytes packet)
{
    struct wire *w = ctx;
    size_t mtu = w->then && w->p->now >= w->then ? w->later_mtu : w->mtu;
    bool fits = packet.len + AROUND <= mtu;

    if (from)
        return fits;
    if (is_probe(packet)) {
        w->probes++;
        if (w->probes <= w->no_probe)
            fits = false;
        w->probes_lost += !fits;
        return fits;
    }
    w->data_lost += !fits;
    if (!fits)
        return false;
    if (packet.len > w->longest_data)
        w->longest_data = packet.len;
    if (w->p->now > w->since + SECOND) {
        w->since = w->p->now;
        w->longest_last = 0;
    }
    if (packet.len > w->longest_last)
        w->longest_last = packet.len;
    return true;
}

static size_t packet_of(size_t mtu)
{
    return (mtu - AROUND) & ~(size_t)3;
}

static size_t packet_bytes(const struct sctp_pair *p, int side)
{
    struct sctp_info info;

    sctp_get_info(p->side[side].sctp, &info);
    return info.packet_bytes;
}

static struct sctp_info info_of(const struct sctp_pair *p)
{
    struct sctp_info info;

    sctp_get_info(p->side[0].sctp, &info);
    return info;
}

static void set_path(struct sctp_pair *p, size_t interface)
{
    for (int i = 0; i < 2; i++) {
        sctp_path_changed(p->side[i].sctp, p->now, 2 * p->link.delay_us, BASE, false);
        sctp_search_pmtu(p->side[i].sctp, p->now, AROUND, interface);
    }
}

static void begin(struct sctp_pair *p, struct wire *w, uint64_t seed, unsigned without,
                  size_t interface)
{
    struct sctp_config cfg = { .without = without };

    CHECK("up", pair_connect(p, seed, &cfg, 20 * MS));
    w->p = p;
    p->tap = pass;
    p->tap_ctx = w;
    set_path(p, interface);
}

static const struct {
    const char *claim;
    size_t interface, mtu;
    size_t found; /* IP packet, give or take what is not worth a probe */
    unsigned probes_max;
} widths[] = {
    { "Ethernet, by the first probe", 1500, 1500, 1500, 1 },
    { "Ethernet, of an interface not known", 0, 1500, 1500, 1 },
    { "PPPoE", 1500, 1492, 1492, 4 },
    { "a tunnel", 1500, 1480, 1480, 12 },
    { "WireGuard", 1500, 1420, 1420, 12 },
    { "an odd one", 1500, 1390, 1373, PROBES_BOUND },
    { "IPv6's least", 1500, 1280, 1280, PROBES_BOUND },
    { "the interface says so", 1280, 1280, 1280, 1 },
    { "jumbo frames", 9000, 9000, 9000, 1 },
    { "jumbo frames here, Ethernet there", 9000, 1500, 1500, 4 },
    { "loopback", 65536, 65536, 9176 + AROUND, 1 },
    { "no more than the base", 1500, BASE + AROUND, BASE + AROUND, PROBES_BOUND },
    { "an interface narrower than that", 1200, 1500, BASE + AROUND, 0 },
};

TEST(the_width_of_a_path_is_found)
{
    for (size_t i = 0; i < COUNT(widths); i++)
        for (unsigned without = 0; without <= SCTP_PARTS; without += SCTP_PARTS) {
            struct wire w = { .mtu = widths[i].mtu };
            struct sctp_pair p;
            struct sctp_info info;

            begin(&p, &w, i, without, widths[i].interface);
            CHECK(widths[i].claim, pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
            (void)pair_run(&p, p.now + 40 * SECOND);
            CHECK(widths[i].claim, pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
            info = info_of(&p);
            CHECK(widths[i].claim, info.packet_bytes == packet_of(widths[i].found));
            CHECK("data goes so", w.longest_last > packet_of(widths[i].found) - 40 &&
                                      w.longest_last <= packet_of(widths[i].found));
            CHECK("few probes", w.probes <= widths[i].probes_max && w.probes == info.mtu_probes);
            CHECK("their loss costs nothing",
                  w.data_lost == 0 && info.retransmitted_chunks == 0 && info.timeouts == 0);
            CHECK("who sends nothing looks for nothing", packet_bytes(&p, 1) == BASE);
            pair_deinit(&p);
        }
}

TEST(who_is_idle_never_probes)
{
    struct wire w = { .mtu = 1500 };
    struct sctp_pair p;

    begin(&p, &w, 7, 0, 1500);
    for (int i = 0; i < 100; i++) {
        uint8_t command[64] = { 0 };

        pair_send(&p, 0, 0, 53, bytes_of(command, sizeof command));
        (void)pair_run(&p, p.now + 10 * SECOND);
    }
    CHECK("nor who talks little", w.probes == 0 && packet_bytes(&p, 0) == BASE);
    pair_deinit(&p);
}

TEST(chance_may_take_probes)
{
    for (uint32_t n = 1; n <= 2; n++) {
        struct wire w = { .mtu = 1500, .no_probe = n };
        struct sctp_pair p;

        begin(&p, &w, n, 0, 1500);
        CHECK("through", pair_transfer(&p, 0, 3, 4 * WHOLE, 16000, p.now + 100 * SECOND));
        (void)pair_run(&p, p.now + 10 * SECOND);
        CHECK("the same size again", w.probes == n + 1 && packet_bytes(&p, 0) == packet_of(1500));
        pair_deinit(&p);
    }
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct wire w = { .mtu = 1500 };
        struct sctp_pair p;

        begin(&p, &w, seed, 0, 1500);
        p.link.loss_ppm = 50000;
        CHECK("5 % of loss", pair_transfer(&p, 0, 3, 4 * WHOLE, 16000, p.now + 200 * SECOND));
        CHECK("found all the same", w.longest_data == packet_of(1500));
        CHECK("and kept", info_of(&p).mtu_black_holes <= 2);
        CHECK("few probes", w.probes <= PROBES_BOUND);
        pair_deinit(&p);
    }
}

TEST(it_is_looked_for_again_only_in_use)
{
    struct wire w = { .mtu = 1420, .then = 100 * SECOND, .later_mtu = 1500 };
    struct sctp_pair p;
    unsigned before;

    begin(&p, &w, 3, 0, 1500);
    CHECK("through", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
    (void)pair_run(&p, p.now + 300 * SECOND);
    before = w.probes;
    CHECK("through", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
    CHECK("not within ten minutes", w.probes == before && packet_bytes(&p, 0) == packet_of(1420));
    (void)pair_run(&p, p.now + 3600 * SECOND);
    CHECK("not while idle", w.probes == before);
    CHECK("through", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
    CHECK("by one probe", w.probes == before + 1 && packet_bytes(&p, 0) == packet_of(1500));
    pair_deinit(&p);
}

static const struct {
    const char *claim;
    size_t before, after;
    unsigned without;
    usec pause_max;
} holes[] = {
    { "a tunnel appears", 1500, 1420, 0, 900 * MS },
    { "a tunnel appears, chunks are short", 1500, 1420, SCTP_PARTS, 900 * MS },
    { "much narrower", 9000, 1500, 0, 900 * MS },
    { "much narrower, chunks are short", 9000, 1500, SCTP_PARTS, 900 * MS },
    { "only the base is left", 1500, BASE + AROUND, 0, 900 * MS },
    { "not even the base", 1500, 800, 0, 4000 * MS },
    { "not even the base, from there", BASE + AROUND, 1000, 0, 4000 * MS },
    { "hardly anything", 9000, LEAST + AROUND, 0, 4000 * MS },
};

TEST(a_black_hole_swallows_nothing_for_ever)
{
    for (size_t i = 0; i < COUNT(holes); i++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct wire w = { .mtu = holes[i].before, .later_mtu = holes[i].after };
            struct sctp_pair p;
            struct sctp_info info;

            begin(&p, &w, seed, holes[i].without, holes[i].before);
            w.then = p.now + 300 * MS + (usec)seed * 17 * MS;
            p.side[1].longest_pause = 0;
            p.side[1].read_at = p.now;
            CHECK(holes[i].claim, pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 200 * SECOND));
            CHECK("in the middle of it", w.data_lost > 0);
            CHECK("data goes on", p.side[1].longest_pause <= holes[i].pause_max);
            CHECK("none closed", !p.side[0].is_closed && !p.side[1].is_closed);
            (void)pair_run(&p, p.now + 40 * SECOND);
            CHECK("through", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 200 * SECOND));
            (void)pair_run(&p, p.now + 40 * SECOND);
            info = info_of(&p);
            CHECK("what is left is found", info.packet_bytes <= packet_of(holes[i].after) &&
                                               info.packet_bytes + 100 > packet_of(holes[i].after));
            CHECK("few probes", w.probes <= 2 * PROBES_BOUND);
            pair_deinit(&p);
        }
}

/* The chunks of the wide path are out when the other path takes over. */
TEST(a_narrow_path_takes_over)
{
    static const size_t ways[] = { 1500, 1280, 9000, 1450, 1232, 1500 };

    for (uint64_t seed = 0; seed < 5; seed++) {
        struct wire w = { .mtu = 1500 };
        struct sctp_pair p;

        begin(&p, &w, seed, 0, 9000);
        for (size_t i = 0; i < COUNT(ways); i++) {
            static const uint8_t noise[60000] = { 1, 2, 3 };

            w.mtu = ways[i];
            set_path(&p, 9000);
            for (int j = 0; j < 40; j++)
                pair_send(&p, 0, (uint16_t)(j % 3), 53, bytes_of(noise, sizeof noise));
            (void)pair_run(&p, p.now + 250 * MS);
        }
        CHECK("all of it arrives", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
        pair_deinit(&p);
    }
}

/* Our own host refuses: no round trip is needed to know. */
static size_t refuse_longer;

static bool refuse(void *ctx, int from, struct bytes packet)
{
    const struct sctp_pair *p = ctx;

    if (from || packet.len + AROUND <= refuse_longer)
        return true;
    sctp_packet_too_long(p->side[0].sctp, p->now);
    return false;
}

TEST(our_own_host_refuses)
{
    struct wire w = { .mtu = 1500 };
    struct sctp_pair p;
    struct sctp_info info;

    begin(&p, &w, 1, 0, 9000);
    refuse_longer = 1420;
    p.tap = refuse;
    p.tap_ctx = &p;
    CHECK("through", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
    info = info_of(&p);
    CHECK("found without waiting", info.packet_bytes == packet_of(1420));
    CHECK("a probe for each size", info.mtu_probes <= 8);
    refuse_longer = 1300;
    p.side[1].longest_pause = 0;
    p.side[1].read_at = p.now;
    CHECK("through", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 100 * SECOND));
    CHECK("at once", p.side[1].longest_pause <= 45 * MS);
    info = info_of(&p);
    CHECK("no timeout", info.timeouts == 0);
    CHECK("shorter", info.packet_bytes <= packet_of(1300));
    pair_deinit(&p);
}

/* Not even what passes everywhere, or nothing at all: no round without end. */
TEST(our_own_host_refuses_all)
{
    for (size_t i = 0; i < 2; i++) {
        struct wire w = { .mtu = 1500 };
        struct sctp_pair p;

        begin(&p, &w, 1, 0, 9000);
        p.tap = refuse;
        p.tap_ctx = &p;
        refuse_longer = i ? 900 : 300;
        CHECK("parts pass", pair_transfer(&p, 0, 3, WHOLE, 16000, p.now + 20 * SECOND) == (i == 1));
        CHECK("with patience", p.side[0].packets_out < 40000);
        pair_deinit(&p);
    }
}

/* What a hostile peer may say of probes. */
TEST(answers_are_only_for_what_was_asked)
{
    struct wire w = { .mtu = 1500 };
    struct sctp_pair p;

    begin(&p, &w, 1, 0, 1500);
    CHECK("never asked", pair_inject_hex(&p, 0, "05000014 00010010 00000000 00000000 23a00000") ==
                             VERDICT_UNEXPECTED);
    CHECK("cut short", pair_inject_hex(&p, 0, "0500000c 00010008 00000000") == VERDICT_UNEXPECTED);
    CHECK("nothing", packet_bytes(&p, 0) == BASE);
    pair_deinit(&p);
}

static const struct {
    const char *claim, *hex;
    enum verdict verdict;
} parts[] = {
    { "no bytes", "b500000c 00000001 00000014", VERDICT_MALFORMED },
    { "cut short", "b5000008 00000001", VERDICT_MALFORMED },
    { "longer than the whole", "b5000018 00000001 00000008 00000000 00000000 00000000",
      VERDICT_MALFORMED },
    { "longer than any", "b5000010 00000001 0000ffff 00000000", VERDICT_MALFORMED },
    { "the middle first", "b5000010 00000001 00080014 00000000", VERDICT_UNEXPECTED },
    { "a beginning", "b5000010 00000001 00000014 05000014", VERDICT_TAKEN },
    { "of another whole", "b5000010 00000001 00040018 00000000", VERDICT_UNEXPECTED },
    { "of another chunk", "b5000010 00000002 00040014 00000000", VERDICT_UNEXPECTED },
    { "twice", "b5000010 00000001 00000014 05000014", VERDICT_TAKEN },
    { "nothing but data", "b500001c 00000001 00040014 00000000 00000000 00000000 00000000",
      VERDICT_MALFORMED },
    { "a part of a part", "b500001c 00000001 00000010 b5000010 00000001 00000010 00000000",
      VERDICT_MALFORMED },
    { "more than one chunk", "b500001c 00000001 00000010 00000008 00000000 00000008 00000000",
      VERDICT_MALFORMED },
};

TEST(parts_that_do_not_fit)
{
    struct sctp_config cfg = { 0 };
    struct sctp_pair p;

    CHECK("up", pair_connect(&p, 1, &cfg, 20 * MS));
    for (size_t i = 0; i < COUNT(parts); i++)
        CHECK(parts[i].claim, pair_inject_hex(&p, 0, parts[i].hex) == parts[i].verdict);
    CHECK("none closed", !p.side[0].is_closed && !p.side[1].is_closed);
    pair_deinit(&p);
    CHECK("up", pair_connect(&p, 1, &cfg, 20 * MS));
    alloc_fail_nth(1);
    CHECK("no memory for it", pair_inject_hex(&p, 0, parts[5].hex) == VERDICT_LIMIT);
    alloc_fail_nth(0);
    CHECK("the next time", pair_inject_hex(&p, 0, parts[5].hex) == VERDICT_TAKEN);
    pair_deinit(&p);
    cfg.without = SCTP_PARTS;
    CHECK("up", pair_connect(&p, 1, &cfg, 20 * MS));
    CHECK("not agreed on", !sctp_has(p.side[0].sctp, SCTP_PARTS) &&
                               pair_inject_hex(&p, 0, parts[5].hex) == VERDICT_UNEXPECTED);
    pair_deinit(&p);
}

TESTS(TEST_ROW(the_width_of_a_path_is_found), TEST_ROW(who_is_idle_never_probes),
      TEST_ROW(chance_may_take_probes), TEST_ROW(it_is_looked_for_again_only_in_use),
      TEST_ROW(a_black_hole_swallows_nothing_for_ever), TEST_ROW(a_narrow_path_takes_over),
      TEST_ROW(our_own_host_refuses), TEST_ROW(our_own_host_refuses_all),
      TEST_ROW(answers_are_only_for_what_was_asked), TEST_ROW(parts_that_do_not_fit))

/* What is carried, acknowledged and closed (draft-hancke-webrtc-sped). */
#include "core/session/sped.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"

static const struct ice_sped neither;

static struct bytes dgram(uint8_t which)
{
    static uint8_t bytes[256][40];

    memset(bytes[which], which, sizeof bytes[which]);
    bytes[which][0] = 22;
    return bytes_of(bytes[which], sizeof bytes[which]);
}

static struct ice_sped shown(struct sped *p)
{
    struct ice_sped out;

    sped_get(p, &out);
    return out;
}

/* What the peer shows: data NULL is no attribute. */
static struct ice_sped from_peer(const struct bytes *data, const void *acks, size_t acks_len)
{
    return (struct ice_sped){ .is_on = true,
                              .has_data = data != NULL,
                              .data = data ? *data : bytes_of(NULL, 0),
                              .acks = bytes_of(acks, acks_len) };
}

static const struct bytes nothing;

TEST(off_until_started)
{
    struct sped p = { 0 };

    sped_add(&p, dgram(1));
    CHECK("nothing shown", !shown(&p).is_on && !shown(&p).has_data && !sped_has_pending(&p));
    CHECK("nothing taken",
          !sped_input(&p, &(struct ice_sped){ .is_on = true, .has_data = true, .data = dgram(1) }));
    CHECK("plain ones pass", sped_input_plain(&p, dgram(1)) && sped_input_plain(&p, dgram(1)));
    CHECK("started", sped_start(&p) == ERR_OK && sped_start(&p) == ERR_OK);
    CHECK("both shown, both empty", shown(&p).is_on && shown(&p).has_data &&
                                        shown(&p).data.len == 0 && shown(&p).acks.len == 0);
    sped_deinit(&p);
    sped_deinit(&p);
}

TEST(a_flight_goes_round)
{
    struct sped p = { 0 };
    uint8_t ack[4] = { 0 };
    struct bytes first;

    sped_start(&p);
    for (uint8_t i = 1; i <= 3; i++)
        sped_add(&p, dgram(i));
    for (uint8_t i = 0; i < 7; i++) {
        CHECK("in turn", bytes_equal(shown(&p).data, dgram((uint8_t)(i % 3 + 1))));
        CHECK("the same until it was sent", bytes_equal(shown(&p).data, shown(&p).data));
        sped_sent(&p);
    }
    /* zlib's CRC-32 of the second, by an independent implementation */
    memcpy(ack, "\xa8\xda\x0c\x05", 4);
    sped_input(&p, &(struct ice_sped){ .is_on = true, .acks = bytes_of(ack, 4) });
    first = shown(&p).data;
    CHECK("the second is through", bytes_equal(first, dgram(3)));
    sped_sent(&p);
    CHECK("one", bytes_equal(shown(&p).data, dgram(1)));
    sped_sent(&p);
    CHECK("and three", bytes_equal(shown(&p).data, dgram(3)));
    sped_begin_flight(&p);
    CHECK("forgotten", !sped_has_pending(&p) && shown(&p).has_data && shown(&p).data.len == 0);
    sped_deinit(&p);
}

TEST(what_does_not_fit_goes_the_plain_way)
{
    struct sped p = { 0 };
    static uint8_t large[SPED_MTU + 1] = { 22 };

    sped_start(&p);
    sped_add(&p, bytes_of(large, sizeof large));
    CHECK("too long", !sped_has_pending(&p));
    sped_add(&p, bytes_of("\x13", 1));
    sped_add(&p, bytes_of("\x40", 1));
    sped_add(&p, nothing);
    CHECK("not DTLS", !sped_has_pending(&p));
    sped_add(&p, bytes_of(large, SPED_MTU));
    CHECK("as long as can be", shown(&p).data.len == SPED_MTU);
    for (uint8_t i = 0; i < 20; i++)
        sped_add(&p, dgram(i));
    CHECK("no more than the limit", p.count == SPED_DATAGRAMS_MAX);
    sped_deinit(&p);
}

static uint32_t ack_at(struct sped *p, size_t i)
{
    struct rd r = rd_of(shown(p).acks);

    rd_skip(&r, 4 * i);
    return rd_u32(&r);
}

TEST(what_came_is_acknowledged)
{
    struct sped p = { 0 };
    struct bytes one = bytes_of("\x16"
                                "23456789",
                                9);
    struct ice_sped in = from_peer(&one, NULL, 0);
    uint32_t of_one;

    sped_start(&p);
    CHECK("new", sped_input(&p, &in));
    CHECK("CRC-32 of zlib, network order",
          shown(&p).acks.len == 4 && memcmp(shown(&p).acks.data, "\x2d\x64\xd6\x4c", 4) == 0);
    of_one = ack_at(&p, 0);
    CHECK("known", !sped_input(&p, &in) && shown(&p).acks.len == 4);
    CHECK("also when it comes plain", !sped_input_plain(&p, one));
    CHECK("one that came plain first", sped_input_plain(&p, dgram(7)) && shown(&p).acks.len == 8);
    CHECK("the newest in front", ack_at(&p, 1) == of_one);
    CHECK("what comes again is newest", !sped_input(&p, &in) && ack_at(&p, 0) == of_one);
    for (uint8_t i = 100; i < 200; i++)
        CHECK("ever new ones", sped_input_plain(&p, dgram(i)));
    CHECK("four are named", shown(&p).acks.len == 16);
    CHECK("the last few are known",
          !sped_input_plain(&p, dgram(199)) && !sped_input_plain(&p, dgram(184)));
    CHECK("others forgotten", sped_input_plain(&p, dgram(100)));
    sped_deinit(&p);
}

static const struct {
    const char *claim;
    uint8_t first;
    size_t len;
    bool is_taken;
} data_rows[] = {
    { "least", 20, 5, true },  { "most", 63, 5, true },          { "below", 19, 5, false },
    { "above", 64, 5, false }, { "STUN", 0, 5, false },          { "RTP", 128, 5, false },
    { "empty", 22, 0, false }, { "a single byte", 22, 1, true },
};

TEST(only_dtls_is_taken)
{
    for (size_t i = 0; i < COUNT(data_rows); i++) {
        struct sped p = { 0 };
        uint8_t bytes[5] = { data_rows[i].first };
        struct bytes data = bytes_of(bytes, data_rows[i].len);
        struct ice_sped in = from_peer(&data, NULL, 0);

        sped_start(&p);
        CHECK(data_rows[i].claim, sped_input(&p, &in) == data_rows[i].is_taken);
        CHECK(data_rows[i].claim, shown(&p).acks.len == (data_rows[i].is_taken ? 4 : 0));
        sped_deinit(&p);
    }
}

TEST(acks_of_odd_length_count_for_nothing)
{
    static const uint8_t crc[20] = { 0xa8, 0xda, 0x0c, 0x05 };

    for (size_t len = 0; len <= sizeof crc; len++) {
        struct sped p = { 0 };
        struct ice_sped in = from_peer(&nothing, crc, len);

        sped_start(&p);
        sped_add(&p, dgram(2));
        sped_input(&p, &in);
        CHECK("by fours, four at most",
              sped_has_pending(&p) == !(len == 4 || len == 8 || len == 12 || len == 16));
        sped_deinit(&p);
    }
}

enum what { NEITHER, ACKS, EMPTY, DATA };

static void hear(struct sped *p, enum what what)
{
    struct bytes data = dgram(9);
    struct ice_sped in = neither;

    if (what != NEITHER)
        in = from_peer(what == ACKS ? NULL : what == EMPTY ? &nothing : &data, NULL, 0);
    (void)sped_input(p, &in);
}

/* What is heard, a letter each; D is sped_finish() of a client, d of a server whose last flight is
 * not acknowledged. */
static const struct {
    const char *claim, *story;
    enum sped_state end;
} stories[] = {
    { "the peer cannot", "n", SPED_OFF },
    { "nor later", "ne", SPED_OFF },
    { "the peer can", "a", SPED_CARRYING },
    { "empty data before ours is done", "e", SPED_CARRYING },
    { "then once neither", "an", SPED_CARRYING },
    { "neither of a peer that is through", "anDn", SPED_DONE },
    { "closing first", "xDe", SPED_ACKING },
    { "still acknowledging", "xDex", SPED_ACKING },
    { "closed", "xDea", SPED_DONE },
    { "closed by silence", "xDen", SPED_DONE },
    { "closing second", "xDa", SPED_DONE },
    { "done, and the peer still sends", "Dx", SPED_CARRYING },
    { "a last flight is out", "xde", SPED_CARRYING },
    { "a last flight is out, acks alone", "xda", SPED_CARRYING },
    { "but the peer is through", "xdn", SPED_DONE },
    { "nothing wakes it up", "xDeax", SPED_DONE },
};

static void play(struct sped *p, char c)
{
    if (c == 'D') {
        sped_finish(p, true);
    } else if (c == 'd') {
        sped_finish(p, false);
        sped_begin_flight(p);
        sped_add(p, dgram(3));
    } else {
        hear(p, c == 'n' ? NEITHER : c == 'a' ? ACKS : c == 'e' ? EMPTY : DATA);
    }
}

TEST(how_it_opens_and_closes)
{
    for (size_t i = 0; i < COUNT(stories); i++) {
        struct sped p = { 0 };
        enum sped_state end = stories[i].end;

        sped_start(&p);
        sped_add(&p, dgram(1));
        for (const char *c = stories[i].story; *c; c++)
            play(&p, *c);
        CHECK(stories[i].claim, p.state == end);
        CHECK("acks", shown(&p).is_on == (end == SPED_CARRYING || end == SPED_ACKING));
        CHECK("data", shown(&p).has_data == (end == SPED_CARRYING));
        CHECK("memory while carrying", (p.flight != NULL) == (end == SPED_CARRYING));
        sped_deinit(&p);
    }
}

/* Two of them over checks that get lost and overtake each other: flights of DTLS 1.2, each begun
 * when the one before has come whole. */
struct end {
    struct sped sped;
    uint8_t got;  /* bits of the other's present flight */
    uint8_t last; /* number of its newest flight */
};

static const uint8_t flight_len[] = { 2, 1, 2, 1 }; /* ClientHello in two … Finished */

static void begin(struct end *e, uint8_t flight)
{
    sped_begin_flight(&e->sped);
    for (uint8_t i = 0; i < flight_len[flight]; i++)
        sped_add(&e->sped, dgram((uint8_t)(16 * flight + i + 1)));
}

static void on_data(struct end *e, uint8_t flight, uint8_t part)
{
    CHECK("once each", !(e->got >> part & 1) || e->last != flight);
    if (e->last != flight)
        e->got = 0;
    e->last = flight;
    e->got |= (uint8_t)(1u << part);
    if (e->got != (1u << flight_len[flight]) - 1)
        return;
    if (flight < 3)
        begin(e, (uint8_t)(flight + 1));
    if (flight >= 2)
        sped_finish(&e->sped, flight == 3);
}

static void carry(struct end *from, struct end *to)
{
    struct ice_sped out;
    uint8_t data[SPED_MTU], acks[16];

    sped_get(&from->sped, &out);
    memcpy(data, out.data.data ? out.data.data : data, out.data.len);
    memcpy(acks, out.acks.data ? out.acks.data : acks, out.acks.len);
    out.data.data = data;
    out.acks.data = acks;
    if (sped_input(&to->sped, &out))
        on_data(to, data[1] / 16, (uint8_t)(data[1] % 16 - 1));
}

/* A check each way, or what is left of them. */
static void exchange(struct end *ends, struct rng *rng, uint64_t lost_percent)
{
    for (int i = 0; i < 2; i++) {
        if (rng_below(rng, 100) >= lost_percent)
            carry(&ends[i], &ends[!i]);
        sped_sent(&ends[i].sped);
    }
}

TEST(a_handshake_over_lossy_checks)
{
    unsigned worst = 0;

    for (uint64_t seed = 0; seed < 500; seed++) {
        uint64_t state = seed;
        struct rng rng = test_rng(&state);
        struct end ends[2] = { { .last = 9 }, { .last = 9 } };
        unsigned checks = 0;

        sped_start(&ends[0].sped);
        sped_start(&ends[1].sped);
        begin(&ends[0], 0);
        while ((ends[0].sped.state != SPED_DONE || ends[1].sped.state != SPED_DONE) &&
               checks++ < 200)
            exchange(ends, &rng, seed % 50);
        CHECK("both done", checks < 200);
        CHECK("every flight was there", ends[0].last == 3 && ends[1].last == 2);
        CHECK("no memory held", !ends[0].sped.flight && !ends[1].sped.flight);
        worst = seed % 50 == 0 && checks > worst ? checks : worst;
    }
    CHECK("without loss in a few checks", worst <= 8);
}

TEST(without_memory_it_stays_off)
{
    ALLOC_FAIL_EACH {
        struct sped p = { 0 };
        int err = sped_start(&p);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("and is off", (p.state == SPED_OFF) == (err != ERR_OK) && shown(&p).is_on == !err);
        sped_begin_flight(&p);
        sped_add(&p, dgram(1));
        sped_finish(&p, false);
        CHECK("harmless", sped_has_pending(&p) == !err);
        sped_deinit(&p);
    }
}

TESTS(TEST_ROW(off_until_started), TEST_ROW(a_flight_goes_round),
      TEST_ROW(what_does_not_fit_goes_the_plain_way), TEST_ROW(what_came_is_acknowledged),
      TEST_ROW(only_dtls_is_taken), TEST_ROW(acks_of_odd_length_count_for_nothing),
      TEST_ROW(how_it_opens_and_closes), TEST_ROW(a_handshake_over_lossy_checks),
      TEST_ROW(without_memory_it_stays_off))

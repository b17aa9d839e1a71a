/* I-DATA and both kinds of FORWARD-TSN as they arrive, from a peer that keeps the rules, stretches
 * or breaks them. Each row is a string of steps:
 *
 *     d TSN stream SSN flags len        DATA
 *     i TSN stream MID FSN flags len    I-DATA
 *     f TSN [stream SSN]...             FORWARD-TSN
 *     g TSN [stream MID kind]...        I-FORWARD-TSN, kind o or u
 *     r stream                          the reader reads all it can
 *     x                                 the wire's TSNs begin at 1
 *
 * with flags B, E, U, - for none; TSNs count from 1. What was read is told as one text: a letter
 * for the message's ppid, lower case while it goes on, '.' at its end, '!' where it is cut. */
#include "core/sctp/assoc.h"

#include <stdlib.h>

#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/rng.h"
#include "tests/support/sctp_pair.h"

enum { STREAMS = 16 };

struct scene {
    struct sctp_pair pair;
    char heard[512]; /* what the reader got */
    size_t heard_len;
    unsigned readable;
};

static bool up(struct scene *sc, bool is_woven)
{
    struct sctp_config cfg = { .streams_max = STREAMS, .without = is_woven ? 0 : SCTP_I_DATA };
    bool is_up = pair_connect(&sc->pair, 1, &cfg, MILLISECOND);

    sc->heard_len = sc->readable = 0;
    sc->pair.is_cut = true;
    sc->pair.side[1].is_reading = false;
    return is_up && sctp_has(sc->pair.side[1].sctp, SCTP_FORWARD_TSN) &&
           sctp_has(sc->pair.side[1].sctp, SCTP_I_DATA) == is_woven;
}

static void hear(struct scene *sc, char c)
{
    if (sc->heard_len + 1 < sizeof sc->heard)
        sc->heard[sc->heard_len++] = c;
    sc->heard[sc->heard_len] = '\0';
}

static void read_all(struct scene *sc, uint16_t stream)
{
    struct sctp *s = sc->pair.side[1].sctp;
    struct sctp_piece piece;

    while (sctp_recv(s, stream, &piece)) {
        if (piece.begins || piece.data.len)
            hear(sc, (char)('a' + piece.ppid % 26));
        if (piece.ends)
            hear(sc, piece.is_cut ? '!' : '.');
        sctp_consume(s, sc->pair.now, stream, piece.data.len);
    }
}

static uint32_t number(const char **at)
{
    return (uint32_t)strtoul(*at, (char **)at, 0);
}

static uint8_t flags(const char **at)
{
    uint8_t bits = 0;

    while (**at == ' ')
        ++*at;
    for (; **at && **at != ' '; ++*at)
        bits |= **at == 'B'   ? DATA_BEGINS
                : **at == 'E' ? DATA_ENDS
                : **at == 'U' ? DATA_UNORDERED
                              : 0;
    return bits;
}

static void put_data(const struct scene *sc, struct wr *w, bool is_woven, const char **at)
{
    struct data_chunk d = { .tsn = sc->pair.initial_tsn[0] + number(at) - 1 };
    size_t len;

    d.stream = (uint16_t)number(at);
    d.ssn = number(at);
    d.fsn = is_woven ? number(at) : 0;
    d.flags = flags(at);
    d.ppid = d.ssn % 26;
    len = number(at);
    d.payload.len = len;
    if (is_woven)
        i_data_header_encode(w, &d);
    else
        data_header_encode(w, &d);
    wr_zero(w, padded(len));
}

static void put_forward(const struct scene *sc, struct wr *w, bool is_woven, const char **at)
{
    uint32_t tsn = sc->pair.initial_tsn[0] + number(at) - 1;
    struct forward_skip skips[8];
    size_t count = 0;

    while (**at == ' ')
        ++*at;
    while (**at >= '0' && **at <= '9') {
        skips[count] = (struct forward_skip){ .stream = (uint16_t)number(at) };
        skips[count].ssn = number(at);
        if (is_woven)
            skips[count].is_unordered = *++*at == 'u', ++*at;
        count++;
        while (**at == ' ')
            ++*at;
    }
    forward_encode(w, is_woven, tsn, skips, count);
}

static void play(struct scene *sc, const char *at)
{
    while (*at) {
        uint8_t bytes[2048];
        struct wr w = wr_of(bytes, sizeof bytes);
        char what = *at++;

        if (what == ' ' || what == ';')
            continue;
        if (what == 'r') {
            read_all(sc, (uint16_t)number(&at));
            continue;
        }
        if (what == 'd' || what == 'i')
            put_data(sc, &w, what == 'i', &at);
        else
            put_forward(sc, &w, what == 'g', &at);
        pair_inject(&sc->pair, 1, sc->pair.tag[1], wr_written(&w));
        pair_drain(&sc->pair);
    }
}

static const struct {
    const char *claim, *steps, *heard;
    bool is_woven;
    bool is_broken;   /* the association ends */
    uint32_t cum_tsn; /* of the last SACK; 0: not looked at */
} rows[] = {
    { "I-DATA: whole messages in order", "i1 0 0 0 BE 9; i2 0 1 0 BE 9; r0", "a.b.", true, false,
      2 },
    { "fragments in order", "i1 0 0 0 B 9; i2 0 0 1 - 9; i3 0 0 2 E 9; r0", "a.", true, false, 3 },
    { "fragments backwards", "i3 0 0 2 E 9; i2 0 0 1 - 9; i1 0 0 0 B 9; r0", "a.", true, false, 3 },
    { "two streams interleaved", "i1 0 0 0 B 9; i2 1 0 0 B 9; i3 0 0 1 E 9; i4 1 0 1 E 9; r1; r0",
      "a.a.", true, false, 4 },
    { "a stream's kinds interleaved",
      "i1 0 0 0 B 9; i2 0 1 0 BU 9; i3 0 0 1 - 9; i4 0 1 1 EU 9; r0; i5 0 0 2 E 9; r0", "aa.b.",
      true, false, 5 },
    { "whole unordered ones overtake fragments of others",
      "i2 0 1 0 BU 9; r0; i4 0 2 1 EU 9; i5 0 3 0 BEU 9; i3 0 1 1 EU 9; r0; i6 0 2 0 BU 9; r0",
      "bb.d.c.", true, false, 0 },
    { "an ordered message waits for the one before", "i2 0 1 0 BE 9; r0; i1 0 0 0 BE 9; r0", "a.b.",
      true, false, 2 },
    { "messages of one stream interleaved",
      "i1 0 0 0 B 9; i2 0 1 0 B 9; i3 0 1 1 E 9; i4 0 0 1 E 9; r0", "a.b.", true, false, 4 },
    { "what begins is read before its end", "i1 0 0 0 B 9; r0; i2 0 0 1 - 9; r0; i3 0 0 2 E 9; r0",
      "aaa.", true, false, 3 },
    { "a message identifier wraps not at 65536", "g0 0 65535 o; i1 0 65536 0 BE 9; r0", "q.", true,
      false, 1 },
    { "and wraps at 2^32",
      "g0 0 0x7fffffff o; g0 0 0xfffffffe o; i1 0 0xffffffff 0 BE 9; i2 0 0 0 BE 9; r0", "v.a.",
      true, false, 2 },

    { "DATA where I-DATA was agreed", "d1 0 0 BE 9", "", true, true, 0 },
    { "FORWARD-TSN where I-DATA was agreed", "f1 0 0", "", true, true, 0 },
    { "I-FORWARD-TSN where it was not", "g1 0 0 o", "", false, true, 0 },
    { "no user data", "i1 0 0 0 BE 0", "", true, true, 0 },
    { "a message identifier comes again", "i1 0 0 0 BE 9; i2 0 0 0 BE 9", "", true, true, 0 },
    { "a message begins twice", "i1 0 0 0 B 9; i2 0 0 0 B 9", "", true, true, 0 },
    { "a waiting message begins twice", "i1 0 1 0 B 9; i2 0 1 0 B 9", "", true, true, 0 },
    { "a fragment comes again", "i1 0 0 0 B 9; i2 0 0 1 - 9; i3 0 0 1 - 9", "", true, true, 0 },
    { "a waiting fragment comes again", "i1 0 0 2 - 9; i2 0 0 2 - 9", "", true, true, 0 },
    { "FSN 0 that does not begin", "i1 0 0 0 - 9", "", true, true, 0 },
    { "a second end", "i1 0 0 5 E 9; i2 0 0 6 E 9", "", true, true, 0 },
    { "an end before what is there", "i1 0 0 5 - 9; i2 0 0 4 E 9", "", true, true, 0 },
    { "fragments behind the end", "i1 0 0 5 E 9; i2 0 0 6 - 9", "", true, true, 0 },
    { "fragments behind the end that is delivered", "i1 0 0 0 B 9; i3 0 0 2 - 9; i2 0 0 1 E 9", "",
      true, true, 0 },
    { "fragments behind a whole message", "i2 0 0 3 - 9; i1 0 0 0 BE 9", "", true, true, 0 },
    { "FSNs with a hole are waited for", "i1 0 0 0 B 9; i2 0 0 4 E 9; r0", "a", true, false, 2 },

    { "FORWARD-TSN over what never came", "f3 0 2; d4 0 3 BE 9; r0", "d.", false, false, 4 },
    { "a whole message that waits for its turn is kept, and the others skipped all the same",
      "d1 0 0 BU 9; d3 0 0 B 9; d4 0 0 E 9; f1 0 5; d2 0 0 EU 9; r0; d5 0 6 BE 9; r0", "a.a.g.",
      false, false, 5 },
    { "what waited is delivered", "d2 0 1 BE 9; r0; f1 0 0; r0", "b.", false, false, 2 },
    { "whole messages between are kept", "d2 0 1 BE 9; d4 0 3 BE 9; f5 0 4; d6 0 5 BE 9; r0",
      "b.d.f.", false, false, 6 },
    { "fragments without their beginning go", "d2 0 0 E 9; f2 0 0; d3 0 1 BE 9; r0", "b.", false,
      false, 3 },
    { "fragments without their end go", "d2 0 1 B 9; f3 0 1; d4 0 2 BE 9; r0", "c.", false, false,
      4 },
    { "a message with a hole goes", "d1 0 0 B 9; d3 0 0 E 9; f3 0 0; d4 0 1 BE 9; r0", "b.", false,
      false, 4 },
    { "of one that was begun the reader is told",
      "d1 0 0 B 9; r0; d3 0 0 E 9; f3 0 0; r0; d4 0 1 BE 9; r0", "a!b.", false, false, 4 },
    { "unread it is as if it never was", "d1 0 0 BE 9; d2 0 1 B 9; f3 0 1; d4 0 2 BE 9; r0", "a.c.",
      false, false, 4 },
    { "another stream's message goes on", "d2 1 0 B 9; f1 0 0; d3 1 0 E 9; r1", "a.", false, false,
      3 },
    { "unordered ones need not be told", "d1 0 0 BU 9; d4 0 0 EU 9; f4; d5 0 0 BE 9; r0", "a.",
      false, false, 5 },
    { "whole unordered ones stay", "d1 0 0 B 9; d3 0 7 BEU 9; f3 0 0; r0; d4 0 1 BE 9; r0", "h.b.",
      false, false, 4 },
    { "backwards", "d1 0 0 BE 9; d2 0 1 BE 9; f1 0 0; r0; d3 0 2 BE 9; r0", "a.b.c.", false, false,
      3 },
    { "twice", "f3 0 2; f3 0 2; d4 0 3 BE 9; r0", "d.", false, false, 4 },
    { "far ahead", "d1 0 0 B 9; d9 0 3 BE 9; f0x70000000 0 30000; r0; d0x70000001 0 30001 BE 9; r0",
      "d.x.", false, false, 0x70000001 },
    { "of a stream that is none", "f3 99 2; d4 0 0 BE 9; r0", "a.", false, false, 4 },
    { "an SSN before", "d1 0 0 BE 9; d2 0 1 BE 9; f3 0 0; d4 0 2 BE 9; r0", "a.b.c.", false, false,
      4 },
    { "SSNs wrap", "f1 0 32767; f2 0 65535; d3 0 0 BE 9; r0", "a.", false, false, 3 },

    { "I-FORWARD-TSN over what never came", "g3 0 2 o; i4 0 3 0 BE 9; r0", "d.", true, false, 4 },
    { "what waited is delivered", "i2 0 1 0 BE 9; r0; g1 0 0 o; r0", "b.", true, false, 2 },
    { "whole ones between are kept, the others go",
      "i2 0 1 0 BE 9; i4 0 2 1 E 9; i5 0 3 0 BE 9; g6 0 4 o; i7 0 5 0 BE 9; r0", "b.d.f.", true,
      false, 7 },
    { "of one that was begun the reader is told",
      "i1 0 0 0 B 9; r0; i3 0 0 2 E 9; g3 0 0 o; r0; i4 0 1 0 BE 9; r0", "a!b.", true, false, 4 },
    { "unread it is as if it never was", "i1 0 0 0 BE 9; i2 0 1 0 B 9; g3 0 1 o; i4 0 2 0 BE 9; r0",
      "a.c.", true, false, 4 },
    { "the other kind of the same number stays",
      "i2 0 0 0 BU 9; r0; g1 0 0 o; i3 0 0 1 EU 9; i4 0 1 0 BE 9; r0", "aa.b.", true, false, 4 },
    { "unordered ones go by their number",
      "i1 0 0 0 B 9; i3 0 1 1 EU 9; i4 0 2 0 BEU 9; i5 0 3 1 EU 9; g3 0 1 u; i6 0 0 1 E 9; r0;"
      " i2 0 3 0 BU 9; r0",
      "a.c.", true, false, 6 },
    { "far ahead",
      "i1 0 0 0 B 9; i9 0 3 0 BE 9; g0x70000000 0 0x70000000 o; r0;"
      " i0x70000001 0 0x70000001 0 BE 9; r0",
      "d.j.", true, false, 0x70000001 },
    { "a number given up comes again", "g3 0 2 o; i4 0 1 0 BE 9", "", true, true, 0 },
    { "an unordered number given up comes again", "g3 0 2 u; i4 0 1 0 BEU 9", "", true, true, 0 },
};

static bool is_read_as(const struct scene *sc, const char *heard)
{
    return strcmp(sc->heard_len ? sc->heard : "", heard) == 0;
}

/* The cumulative TSN that the last SACK told, as the rows count. */
static uint32_t acked;

static bool note_sack(void *ctx, int from, struct bytes packet)
{
    const struct sctp_pair *p = ctx;
    struct rd r = rd_of(packet);
    struct chunk c;
    struct sack_chunk sack;

    rd_skip(&r, COMMON_HEADER_LEN);
    while (from == 1 && chunk_read(&r, &c))
        if (c.type == CHUNK_SACK && sack_decode(&sack, c.body))
            acked = sack.cum_tsn - p->initial_tsn[0] + 1;
    return true;
}

TEST(what_arrives_is_read_as_it_should)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scene sc;

        CHECK("up", up(&sc, rows[i].is_woven));
        sc.pair.tap = note_sack;
        sc.pair.tap_ctx = &sc.pair;
        play(&sc, rows[i].steps);
        CHECK(rows[i].claim, sc.pair.side[1].is_closed == rows[i].is_broken);
        CHECK(rows[i].claim, is_read_as(&sc, rows[i].heard));
        if (!is_read_as(&sc, rows[i].heard))
            print_error("heard %s\n", sc.heard_len ? sc.heard : "");
        pair_run(&sc.pair, sc.pair.now + SECOND);
        CHECK(rows[i].claim, !rows[i].cum_tsn || acked == rows[i].cum_tsn);
        pair_deinit(&sc.pair);
    }
}

TEST(whole_messages_and_chains)
{
    struct scene sc;
    struct sctp *s;
    struct pool *other;
    struct chain to;
    uint8_t text[64];
    size_t len = 0;
    bool ends;

    CHECK("a pool", pool_new(&other, 64) == ERR_OK);
    CHECK("up", up(&sc, true));
    s = sc.pair.side[1].sctp;
    chain_init(&to, other);
    CHECK("nothing there", !sctp_recv_whole(s, 0, &len) &&
                               sctp_recv_chain(s, sc.pair.now, 0, &to, 99, &ends) == 0 && !ends);
    play(&sc, "i1 0 0 0 B 9; i2 0 0 1 - 9");
    CHECK("not whole yet", !sctp_recv_whole(s, 0, &len));
    play(&sc, "i3 0 0 2 E 9; i4 0 1 0 BE 20; i5 0 2 0 B 5");
    CHECK("whole", sctp_recv_whole(s, 0, &len) && len == 27);
    CHECK("a part", sctp_recv_chain(s, sc.pair.now, 0, &to, 10, &ends) == 10 && !ends);
    CHECK("the rest of it", sctp_recv_whole(s, 0, &len) && len == 17);
    CHECK("and no more", sctp_recv_chain(s, sc.pair.now, 0, &to, 99, &ends) == 17 && ends);
    CHECK("the next", sctp_recv_chain(s, sc.pair.now, 0, &to, 99, &ends) == 20 && ends);
    CHECK("one that goes on", !sctp_recv_whole(s, 0, &len) &&
                                  sctp_recv_chain(s, sc.pair.now, 0, &to, 99, &ends) == 5 && !ends);
    CHECK("all of it", to.len == 52 && chain_copy(&to, 0, text, sizeof text) == 52);
    CHECK("nothing is held for it", sctp_stream_unread_bytes(s, 0) == 0);
    chain_deinit(&to);
    pair_deinit(&sc.pair);
    CHECK("every block came back", pool_used(other) == 0);
    pool_free(other);
}

/* What was not taken for want of memory comes again. */
TEST(every_allocation_may_fail)
{
    static const char steps[] =
        "i2 0 0 1 - 1000; i4 1 0 1 E 1000; i5 2 3 0 BEU 1000; i1 0 0 0 B 1000;"
        "g6 1 4 o; i7 1 5 0 BE 9; i8 3 0 0 BE 9; r0; r1; r2; r3";

    ALLOC_FAIL_EACH {
        struct scene sc;
        bool is_up;

        alloc_pause();
        is_up = up(&sc, true);
        alloc_resume();
        CHECK("up", is_up);
        play(&sc, steps);
        alloc_pause();
        play(&sc, steps);
        alloc_resume();
        CHECK("alive", !sc.pair.side[1].is_closed);
        CHECK("what came behind what was given up", strchr(sc.heard, 'f') != NULL);
        pair_deinit(&sc.pair);
    }
}

TESTS(TEST_ROW(what_arrives_is_read_as_it_should), TEST_ROW(whole_messages_and_chains),
      TEST_ROW(every_allocation_may_fail))

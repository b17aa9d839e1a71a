/* Sealed data between two associations of ours: runs, replays, altered bytes, closing. */
#include "core/dtls/window.h"
#include "tests/check.h"
#include "tests/support/dtls_pair.h"

#include <openssl/err.h>

#define OVERHEAD (DTLS_HEAD + DTLS_TAIL)

static struct dtls_pair pair;

static void pair_up(void)
{
    dtls_pair_init(&pair, 0);
    dtls_pair_start(&pair);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("up", pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up);
}

static uint64_t counted(int end, enum verdict verdict)
{
    return dtls_verdicts(pair.end[end])->count[verdict];
}

static enum verdict give(int end, const uint8_t *data, size_t len)
{
    enum verdict verdict = dtls_input(pair.end[end], pair.now, bytes_of(data, len));

    dtls_pair_drain(&pair, end);
    return verdict;
}

/* Seals one packet of `len` bytes by the client into buf; its length as a datagram. */
static size_t seal(uint8_t buf[DTLS_DATAGRAM_MAX], size_t len)
{
    struct out out;

    out_init(&out, buf, DTLS_DATAGRAM_MAX);
    out.head = DTLS_HEAD;
    out.tail = DTLS_TAIL;
    memset(out_next(&out), 'p', len);
    out_add(&out, len);
    CHECK("sealed", dtls_seal(pair.end[CLIENT], &out) == ERR_OK);
    return out.len;
}

TEST(run_is_sealed_in_place)
{
    static uint8_t buf[OUT_BYTES_MAX];
    struct out out;
    uint8_t packet[1100];
    size_t opened = 0;

    pair_up();
    out_init(&out, buf, sizeof buf);
    out.head = DTLS_HEAD;
    out.tail = DTLS_TAIL;
    for (size_t i = 0; i < 40; i++) {
        memset(packet, (int)i, sizeof packet);
        CHECK("fits", out_add_bytes(&out, bytes_of(packet, i < 39 ? sizeof packet : 77)));
    }
    CHECK("sealed", dtls_seal(pair.end[CLIENT], &out) == ERR_OK);
    CHECK("every datagram but the last has one size", out.segment == sizeof packet + OVERHEAD);
    CHECK("the last is shorter", out.len == 39 * out.segment + 77 + OVERHEAD && out.count == 40);
    for (size_t i = 0; i < out.count; i++) {
        struct bytes dgram = out_datagram(&out, i);

        memset(packet, (int)i, sizeof packet);
        opened +=
            give(SERVER, dgram.data, dgram.len) == VERDICT_TAKEN &&
            bytes_equal(pair.seen[SERVER].last, bytes_of(packet, i < 39 ? sizeof packet : 77));
    }
    CHECK("each opens to what was put in", opened == 40 && pair.seen[SERVER].packets == 40);
    dtls_pair_deinit(&pair);
}

TEST(sizes_at_the_limit)
{
    uint8_t buf[DTLS_DATAGRAM_MAX], long_one[DTLS_DATAGRAM_MAX + 1];
    size_t len;

    pair_up();
    len = seal(buf, DTLS_DATAGRAM_MAX - OVERHEAD);
    CHECK("the longest datagram", len == DTLS_DATAGRAM_MAX);
    CHECK("is opened", give(SERVER, buf, len) == VERDICT_TAKEN &&
                           pair.seen[SERVER].last.len == DTLS_DATAGRAM_MAX - OVERHEAD);
    len = seal(buf, 1);
    CHECK("so is the shortest",
          give(SERVER, buf, len) == VERDICT_TAKEN && pair.seen[SERVER].last.len == 1);
    memset(long_one, 23, sizeof long_one);
    CHECK("a longer one is refused", give(SERVER, long_one, sizeof long_one) == VERDICT_LIMIT);
    dtls_pair_deinit(&pair);
}

TEST(records_that_share_a_datagram)
{
    uint8_t buf[DTLS_DATAGRAM_MAX], both[DTLS_DATAGRAM_MAX];
    size_t first, second;

    pair_up();
    first = seal(buf, 100);
    memcpy(both, buf, first);
    second = seal(buf, 200);
    memcpy(both + first, buf, second);
    CHECK("are taken", give(SERVER, both, first + second) == VERDICT_TAKEN);
    CHECK("as two packets", pair.seen[SERVER].packets == 2 && pair.seen[SERVER].bytes == 300);
    first = seal(buf, 50);
    memcpy(both, buf, first);
    second = seal(buf, 60);
    memcpy(both + first, buf, second);
    CHECK("what follows a whole record may be cut short",
          give(SERVER, both, first + second - 1) == VERDICT_TAKEN &&
              pair.seen[SERVER].packets == 3);
    dtls_pair_deinit(&pair);
}

TEST(replayed_records_are_dropped)
{
    uint8_t old[DTLS_DATAGRAM_MAX], buf[DTLS_DATAGRAM_MAX];
    size_t old_len, len = 0;

    pair_up();
    old_len = seal(old, 10);
    for (int i = 0; i < 5; i++)
        len = seal(buf, 10);
    CHECK("a later one first", give(SERVER, buf, len) == VERDICT_TAKEN);
    CHECK("then the earlier one", give(SERVER, old, old_len) == VERDICT_TAKEN);
    CHECK("but not again", give(SERVER, old, old_len) == VERDICT_DUPLICATE);
    CHECK("nor the later one", give(SERVER, buf, len) == VERDICT_DUPLICATE);
    CHECK("two packets came", pair.seen[SERVER].packets == 2);
    old_len = seal(old, 10);
    for (int i = 0; i < DTLS_WINDOW + 1; i++)
        len = seal(buf, 10);
    CHECK("far ahead", give(SERVER, buf, len) == VERDICT_TAKEN);
    CHECK("too old to tell counts as seen", give(SERVER, old, old_len) == VERDICT_DUPLICATE);
    CHECK("each was counted", counted(SERVER, VERDICT_DUPLICATE) == 3);
    dtls_pair_deinit(&pair);
}

TEST(any_altered_byte_is_a_drop)
{
    uint8_t buf[DTLS_DATAGRAM_MAX];
    size_t len, taken = 0, bad = 0;

    pair_up();
    len = seal(buf, 48);
    for (size_t i = 0; i < len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            buf[i] ^= (uint8_t)(1u << bit);
            taken += give(SERVER, buf, len) == VERDICT_TAKEN;
            buf[i] ^= (uint8_t)(1u << bit);
            bad += ERR_peek_error() != 0;
        }
    CHECK("none is taken", taken == 0 && pair.seen[SERVER].packets == 0);
    CHECK("none ends the association", !pair.seen[SERVER].has_ended);
    CHECK("none leaves an error behind", bad == 0);
    for (size_t cut = 0; cut < len; cut++)
        taken += give(SERVER, buf, cut) == VERDICT_TAKEN;
    CHECK("nor is one cut short taken", taken == 0);
    CHECK("the unaltered one still is", give(SERVER, buf, len) == VERDICT_TAKEN);
    dtls_pair_deinit(&pair);
}

TEST(foreign_and_misplaced_datagrams)
{
    static const struct {
        const char *claim;
        uint8_t data[16];
        size_t len;
        enum verdict verdict;
    } rows[] = {
        { "nothing", { 0 }, 0, VERDICT_FOREIGN },
        { "STUN", { 0, 1 }, 2, VERDICT_FOREIGN },
        { "RTP", { 0x80, 1 }, 2, VERDICT_FOREIGN },
        { "one byte of a record", { 22 }, 1, VERDICT_MALFORMED },
        { "a DTLS 1.3 unified header", { 0x2e, 0, 1, 0, 1, 0 }, 6, VERDICT_MALFORMED },
        { "TLS, not DTLS", { 22, 3, 3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0 }, 14, VERDICT_MALFORMED },
        { "data in the clear",
          { 23, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0 },
          14,
          VERDICT_MALFORMED },
        { "an alert in the clear",
          { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40 },
          15,
          VERDICT_UNEXPECTED },
        { "an alert sealed with no key of ours",
          { 21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40 },
          15,
          VERDICT_FORGED },
    };

    pair_up();
    for (size_t i = 0; i < COUNT(rows); i++)
        CHECK(rows[i].claim, give(SERVER, rows[i].data, rows[i].len) == rows[i].verdict);
    CHECK("no harm done", !pair.seen[SERVER].has_ended && dtls_is_up(pair.end[SERVER]));
    CHECK("the other side heard nothing of it", pair.letter_count == 0);
    dtls_pair_deinit(&pair);
}

TEST(close_notify_ends_both)
{
    for (int who = CLIENT; who <= SERVER; who++) {
        pair_up();
        dtls_close(pair.end[who]);
        CHECK("a last word may be sealed before it is given out",
              !dtls_pair_send(&pair, who, bytes_of_string("bye")));
        dtls_pair_drain(&pair, who);
        CHECK("one datagram says so", pair.letter_count == 2);
        CHECK("the closer is no longer up", !dtls_is_up(pair.end[who]));
        dtls_pair_run(&pair, pair.now + SECOND);
        CHECK("the other side has the last word",
              bytes_equal(pair.seen[!who].last, bytes_of_string("bye")));
        CHECK("and is told", pair.seen[!who].has_ended &&
                                 pair.seen[!who].end == DTLS_EVENT_CLOSED &&
                                 pair.seen[!who].reason == DTLS_REASON_CLOSE);
        CHECK("neither seals any more",
              dtls_pair_send(&pair, who, bytes_of_string("x")) == ERR_WRONG_STATE &&
                  dtls_pair_send(&pair, !who, bytes_of_string("x")) == ERR_WRONG_STATE);
        CHECK("the answer is of no interest", counted(who, VERDICT_UNEXPECTED) == 1);
        dtls_close(pair.end[who]);
        dtls_close(pair.end[!who]);
        CHECK("closing again does nothing", pair.letter_count == 0);
        dtls_pair_deinit(&pair);
    }
}

/* Holds back the last handshake datagram of a server. */
static void delay_servers(void *ctx, struct dtls_letter *letter)
{
    size_t *index = ctx;

    if (letter->index == *index)
        letter->at += 30 * MILLISECOND;
}

TEST(data_that_overtakes_the_finished)
{
    size_t last;

    pair_up();
    last = pair.sent - 1;
    dtls_pair_deinit(&pair);

    dtls_pair_init(&pair, 0);
    pair.meddle = delay_servers;
    pair.ctx = &last;
    dtls_pair_start(&pair);
    while (!pair.seen[SERVER].is_up)
        dtls_pair_run(&pair, pair.now + MILLISECOND), pair.now += MILLISECOND;
    for (int i = 0; i < 3; i++)
        CHECK("the server may send", !dtls_pair_send(&pair, SERVER, bytes_of_string("early")));
    dtls_pair_run(&pair, pair.now + 15 * MILLISECOND);
    CHECK("the client is not up yet", !pair.seen[CLIENT].is_up && pair.letter_count == 1);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("then it is", pair.seen[CLIENT].is_up && !pair.seen[CLIENT].has_ended);
    CHECK("and has all that came early", pair.seen[CLIENT].packets == 3);
    dtls_pair_deinit(&pair);
}

/* A record that nobody sealed. */
static const uint8_t noise[] = { 23, 254, 253, 0, 1, 0, 0, 0, 0, 9, 9, 0, 3, 1, 2, 3 };

static void append_noise(void *ctx, struct dtls_letter *letter)
{
    (void)ctx;
    memcpy(letter->data + letter->len, noise, sizeof noise);
    letter->len += sizeof noise;
}

TEST(noise_that_looks_like_early_data)
{
    dtls_pair_init(&pair, 0);
    pair.meddle = append_noise;
    dtls_pair_start(&pair);
    for (int end = 0; end < 2; end++)
        for (unsigned i = 0; i < 100; i++)
            (void)dtls_input(pair.end[end], pair.now, bytes_of(noise, sizeof noise));
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("costs no flight", pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up);
    CHECK("and is nothing", pair.seen[CLIENT].packets + pair.seen[SERVER].packets == 0);
    dtls_pair_deinit(&pair);
}

static void treble(void *ctx, struct dtls_letter *letter)
{
    (void)ctx;
    letter->copies = 3;
}

TEST(server_that_has_not_started)
{
    dtls_pair_init(&pair, 256);
    dtls_start(pair.end[CLIENT], pair.now);
    dtls_pair_drain(&pair, CLIENT);
    dtls_pair_run(&pair, pair.now + 20 * MILLISECOND);
    CHECK("says nothing", pair.letter_count == 0 && counted(SERVER, VERDICT_TAKEN) > 0);
    dtls_start(pair.end[SERVER], pair.now);
    dtls_pair_drain(&pair, SERVER);
    CHECK("but remembers the ClientHello", pair.letter_count > 0);
    dtls_pair_run(&pair, 10 * SECOND);
    CHECK("and comes up", pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up);
    dtls_pair_deinit(&pair);

    dtls_pair_init(&pair, 256);
    pair.meddle = treble;
    dtls_start(pair.end[CLIENT], pair.now);
    dtls_pair_drain(&pair, CLIENT);
    dtls_pair_run(&pair, 30 * SECOND);
    CHECK("holds no more than its limit", counted(SERVER, VERDICT_LIMIT) > 0);
    dtls_pair_deinit(&pair);
}

TESTS(TEST_ROW(noise_that_looks_like_early_data), TEST_ROW(run_is_sealed_in_place),
      TEST_ROW(sizes_at_the_limit), TEST_ROW(records_that_share_a_datagram),
      TEST_ROW(replayed_records_are_dropped), TEST_ROW(any_altered_byte_is_a_drop),
      TEST_ROW(foreign_and_misplaced_datagrams), TEST_ROW(close_notify_ends_both),
      TEST_ROW(data_that_overtakes_the_finished), TEST_ROW(server_that_has_not_started))

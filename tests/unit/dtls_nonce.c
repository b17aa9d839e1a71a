/* No nonce twice under a key, though two seal with it: OpenSSL its Finished, however often, and our
 * record layer the rest. Watched on the wire, where GCM shows them (RFC 5288 §3). */
#include "core/dtls/wire.h"
#include "tests/check.h"
#include "tests/support/dtls_pair.h"

#define SEALED_MAX 600

struct sealed {
    uint64_t nonce, sequence;
    uint8_t tag[DTLS_TAIL]; /* the same record sent again is no second use */
};

struct watch {
    struct sealed seen[2][SEALED_MAX]; /* by receiver */
    size_t count[2];
    unsigned lose_sealed; /* so many more datagrams with sealed records get lost */
};

static struct dtls_pair pair;

static bool watch_record(struct watch *w, int to, struct rd *r)
{
    struct sealed *s = &w->seen[to][w->count[to]];
    uint16_t epoch;
    struct bytes fragment;

    rd_skip(r, 1 + 2); /* type, version */
    epoch = rd_u16(r);
    s->sequence = rd_uint(r, 6);
    fragment = rd_bytes(r, rd_u16(r));
    if (!r->ok || epoch == 0 || fragment.len < 8 + DTLS_TAIL)
        return false;
    struct rd body = rd_of(fragment);

    s->nonce = rd_u64(&body);
    memcpy(s->tag, fragment.data + fragment.len - DTLS_TAIL, DTLS_TAIL);
    w->count[to]++;
    return true;
}

static void meddle(void *ctx, struct dtls_letter *letter)
{
    struct watch *w = ctx;
    struct rd r = rd_of(bytes_of(letter->data, letter->len));
    bool is_sealed = false;

    while (rd_left(&r))
        is_sealed |= watch_record(w, letter->to, &r);
    if (is_sealed && w->lose_sealed) {
        w->lose_sealed--;
        letter->copies = 0;
    }
}

static size_t count_repeated(const struct watch *w, int to)
{
    size_t repeated = 0;

    for (size_t i = 0; i < w->count[to]; i++)
        for (size_t k = 0; k < i; k++) {
            const struct sealed *a = &w->seen[to][i], *b = &w->seen[to][k];

            repeated += (a->nonce == b->nonce || a->sequence == b->sequence) &&
                        memcmp(a->tag, b->tag, sizeof a->tag) != 0;
        }
    return repeated;
}

TEST(nonces_and_numbers_are_used_once)
{
    static struct watch w;

    for (unsigned lost = 0; lost < 6; lost++) {
        memset(&w, 0, sizeof w);
        w.lose_sealed = lost;
        dtls_pair_init(&pair, 0);
        pair.meddle = meddle;
        pair.ctx = &w;
        dtls_pair_start(&pair);
        dtls_pair_run(&pair, 60 * SECOND);
        CHECK("up in spite of it", pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up);
        for (int i = 0; i < 100; i++) {
            CHECK("sent", dtls_pair_send(&pair, CLIENT, bytes_of("x", 1)) == ERR_OK);
            CHECK("sent", dtls_pair_send(&pair, SERVER, bytes_of("y", 1)) == ERR_OK);
        }
        dtls_close(pair.end[CLIENT]);
        dtls_pair_drain(&pair, CLIENT);
        dtls_pair_run(&pair, 120 * SECOND);
        CHECK("both ends sealed much", w.count[CLIENT] > 100 && w.count[SERVER] > 100);
        CHECK("nothing twice towards the server", count_repeated(&w, SERVER) == 0);
        CHECK("nothing twice towards the client", count_repeated(&w, CLIENT) == 0);
        dtls_pair_deinit(&pair);
    }
}

TESTS(TEST_ROW(nonces_and_numbers_are_used_once))

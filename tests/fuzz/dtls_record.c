/* Whatever arrives, sealed or not: a server amid its handshake and one that is up must take, drop
 * or end, and stay within their limits. The input is datagrams, each behind its length in two
 * bytes; the highest bit of the length chooses the association. */
#include "core/dtls/dtls.h"
#include "tests/support/dtls_pair.h"

#include <assert.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define CHOICE 0x8000 /* the server that is up, not the one amid its handshake */

static struct dtls_pair up, waiting;

/* What an application sends, so that the fuzzer can alter a record that opens. */
static void post_sealed(void)
{
    (void)dtls_pair_send(&up, CLIENT, bytes_of_string("sealed"));
}

static void give(struct dtls_pair *p, struct bytes dgram)
{
    enum verdict verdict = dtls_input(p->end[SERVER], p->now, dgram);

    assert(verdict < VERDICT_COUNT);
    assert(ERR_peek_error() == 0);
    dtls_pair_drain(p, SERVER);
    assert(p->letter_count < DTLS_PAIR_IN_FLIGHT);
    p->letter_count = 0;
}

/* Writes the input over a sealed record's beginning: what it leaves alone is still valid. */
static void give_altered(struct bytes change)
{
    struct dtls_letter letter;

    post_sealed();
    letter = up.letters[0];
    up.letter_count = 0;
    for (size_t i = 0; i < change.len && i < letter.len; i++)
        letter.data[i] ^= change.data[i];
    give(&up, bytes_of(letter.data, letter.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rd r = rd_of(bytes_of(data, len));

    dtls_pair_init(&up, 0);
    dtls_pair_start(&up);
    dtls_pair_run(&up, 10 * SECOND);
    dtls_pair_init(&waiting, 0);
    dtls_start(waiting.end[SERVER], waiting.now);
    while (rd_left(&r) > 2) {
        uint16_t head = rd_u16(&r);
        size_t want = head & ~(unsigned)CHOICE;
        struct bytes dgram = rd_bytes(&r, want < rd_left(&r) ? want : rd_left(&r));

        give(head & CHOICE ? &up : &waiting, dgram);
        if (head & CHOICE && dtls_is_up(up.end[CLIENT]) && dtls_is_up(up.end[SERVER]))
            give_altered(dgram);
    }
    dtls_tick(waiting.end[SERVER], waiting.now + 60 * SECOND);
    dtls_pair_drain(&waiting, SERVER);
    dtls_pair_deinit(&up);
    dtls_pair_deinit(&waiting);
    return 0;
}

/* Memory that runs out: in our own code every allocation in turn, in OpenSSL a spread of them. */
#include "tests/check.h"
#include "tests/support/alloc.h"
#include "tests/support/dtls_pair.h"
#include "tests/support/rng.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

static struct dtls_pair pair;
static uint64_t seed = 3;

/* Past the harness of alloc.h, which counts only our own. */
void *__real_malloc(size_t len);
void *__real_realloc(void *old, size_t len);

/* OpenSSL's allocations, of which one may be told to fail; `left` 0: none. */
static struct {
    size_t made, left;
    bool failed;
} heap;

static bool heap_refuses(void)
{
    heap.made++;
    if (heap.left == 0 || --heap.left > 0)
        return false;
    heap.failed = true;
    return true;
}

static void *heap_malloc(size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return heap_refuses() ? NULL : __real_malloc(len);
}

static void *heap_realloc(void *old, size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return heap_refuses() ? NULL : __real_realloc(old, len);
}

static void heap_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* Before OpenSSL's first allocation, or it would not listen. */
__attribute__((constructor)) static void take_heap(void)
{
    if (!CRYPTO_set_mem_functions(heap_malloc, heap_realloc, heap_free))
        abort();
}

TEST(identity)
{
    struct rng rng = test_rng(&seed);

    ALLOC_FAIL_EACH {
        struct dtls_identity *id = NULL;
        int err = dtls_identity_new(&id, &rng, 1700000000);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("gives nothing half-made", (id != NULL) == (err == ERR_OK));
        dtls_identity_free(id);
    }
}

TEST(association)
{
    struct rng rng = test_rng(&seed);
    struct dtls_config cfg = { .identity = dtls_pair_identity(CLIENT) };

    ALLOC_FAIL_EACH {
        struct dtls *d = NULL;
        int err = dtls_new(&d, &cfg, &rng);

        CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
        CHECK("gives nothing half-made", (d != NULL) == (err == ERR_OK));
        dtls_free(d);
    }
}

TEST(handshake_with_a_datagram_that_cannot_be_kept)
{
    ALLOC_FAIL_EACH {
        alloc_pause();
        dtls_pair_init(&pair, 256);
        alloc_resume();
        dtls_pair_start(&pair);
        dtls_pair_run(&pair, 20 * SECOND);
        CHECK("it is like one lost on its way", pair.seen[CLIENT].is_up && pair.seen[SERVER].is_up);
        dtls_pair_deinit(&pair);
    }
}

/* One association from dtls_new() to dtls_free() against a sound peer, with OpenSSL's nth
 * allocation failing. False when it makes fewer. */
static bool live_with(size_t nth)
{
    struct rng rng = test_rng(&seed);
    struct dtls_config cfg = { .identity = dtls_pair_identity(CLIENT) };
    struct dtls *d;
    int err;

    dtls_pair_init(&pair, 0);
    dtls_free(pair.end[CLIENT]);
    memcpy(cfg.remote_fingerprint, dtls_identity_fingerprint(pair.identity[SERVER]),
           sizeof cfg.remote_fingerprint);
    heap.failed = false;
    heap.left = nth;
    err = dtls_new(&d, &cfg, &rng);
    CHECK("made, or not at all", (d != NULL) == (err == ERR_OK));
    pair.end[CLIENT] = d;
    if (d) {
        dtls_pair_start(&pair);
        dtls_pair_run(&pair, 1000 * SECOND);
        if (pair.seen[CLIENT].is_up)
            (void)dtls_pair_send(&pair, CLIENT, bytes_of_string("still here"));
        dtls_pair_run(&pair, pair.now + SECOND);
        CHECK("up or ended, never in between",
              dtls_is_up(pair.end[CLIENT]) || pair.seen[CLIENT].has_ended);
    }
    CHECK("nothing left behind", ERR_peek_error() == 0);
    heap.left = 0;
    dtls_pair_deinit(&pair);
    return heap.failed;
}

/* All of the first hundred, then ever wider apart: there are thousands. */
TEST(openssl_out_of_memory)
{
    size_t nth = 1, rounds = 0;

    while (live_with(nth)) {
        nth += 1 + nth / 100;
        rounds++;
    }
    CHECK("a handshake was reached", rounds > 100);
}

TESTS(TEST_ROW(identity), TEST_ROW(association),
      TEST_ROW(handshake_with_a_datagram_that_cannot_be_kept), TEST_ROW(openssl_out_of_memory))

/* alloc.h: makes the n-th allocation fail, for every n that a scenario has.
 *
 *     TEST(every_allocation_may_fail)
 *     {
 *         ALLOC_FAIL_EACH {
 *             struct thing *t = NULL;
 *             int err = thing_new(&t);
 *
 *             CHECK("says so", err == (alloc_has_failed() ? ERR_NOMEM : ERR_OK));
 *             CHECK("gives nothing half-made", (t != NULL) == (err == ERR_OK));
 *             thing_free(t);
 *         }
 *     }
 *
 * The body runs with its first allocation failing, then its second, and so on, and a last time
 * undisturbed. It must allocate the same way each time, and must not be left by break or return.
 * Counted are malloc, calloc, realloc, strdup and strndup in everything linked statically (tests
 * and core), and what jansson allocates; not what OpenSSL does. Only the calling thread's count.
 * That nothing leaks on the way out is for the leak sanitizer to say. */
#ifndef HAWSER_TESTS_SUPPORT_ALLOC_H
#define HAWSER_TESTS_SUPPORT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#define ALLOC_FAIL_EACH for (size_t alloc_nth = 0; alloc_fail_next(&alloc_nth);)

/* True from the moment the chosen allocation of this round has been refused. */
bool alloc_has_failed(void);

/* Allocations between these two are neither counted nor refused: the scenario's own preparation. */
void alloc_pause(void);
void alloc_resume(void);

/* For tests that count for themselves: the nth allocation from here fails, once; 0: none does. */
void alloc_fail_nth(size_t nth);

/* Used by ALLOC_FAIL_EACH: false once a round met no failure. */
bool alloc_fail_next(size_t *nth);

#endif

#include "tests/support/alloc.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The linker sends every call of malloc here (--wrap=malloc, cmake/tests.cmake). Replacing malloc
 * itself would not do: the sanitizers replace it too. */
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

#define ROUNDS_MAX 100000 /* a scenario with more allocations never ends */

static _Thread_local struct {
    size_t left; /* allocations until one fails; 0: none will */
    bool paused, failed;
} state;

static bool is_refused(void)
{
    if (state.paused || state.left == 0 || --state.left > 0)
        return false;
    state.failed = true;
    return true;
}

void *__wrap_malloc(size_t len)
{
    return is_refused() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return is_refused() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return is_refused() ? NULL : __real_realloc(old, len);
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return is_refused() ? NULL : __real_strndup(text, len);
}

/* jansson is a shared library, out of the linker's reach, but it asks where to allocate. */
static void count_jansson(void)
{
    static bool done;

    if (!done)
        json_set_alloc_funcs(__wrap_malloc, free);
    done = true;
}

void alloc_fail_nth(size_t nth)
{
    count_jansson();
    state.left = nth;
    state.failed = false;
    state.paused = false;
}

bool alloc_has_failed(void)
{
    return state.failed;
}

void alloc_pause(void)
{
    state.paused = true;
}

void alloc_resume(void)
{
    state.paused = false;
}

bool alloc_fail_next(size_t *nth)
{
    bool again = *nth == 0 || state.failed;

    assert(*nth < ROUNDS_MAX);
    alloc_fail_nth(again ? ++*nth : 0);
    return again;
}

#include "io/thread.h"

#include <netinet/in.h>
#include <resolv.h>
#include <time.h>

#include "core/base/err.h"

int thread_start(pthread_t *out, void *(*main)(void *ctx), void *ctx, const char *name)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(out, NULL, main, ctx); /* inherits the mask */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return ERR_LIMIT;
    pthread_setname_np(*out, name);
    return ERR_OK;
}

static const sigset_t *only_pipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
    return set;
}

void thread_begin_guest(sigset_t *before)
{
    sigset_t pipe;

    pthread_sigmask(SIG_BLOCK, only_pipe(&pipe), before);
}

/* One that our own writing has raised waits for this thread alone, and is taken away. */
void thread_end_guest(const sigset_t *before)
{
    const struct timespec now = { 0 };
    sigset_t pending, pipe;

    if (sigismember(before, SIGPIPE))
        return;
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(only_pipe(&pipe), NULL, &now);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

int thread_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    int failed;

    if (pthread_condattr_init(&attr))
        return ERR_NOMEM;
    failed = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) || pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
    return failed ? ERR_NOMEM : ERR_OK;
}

void thread_limit_resolver(void)
{
    /* The resolver's state is each thread's own in glibc; getaddrinfo() uses it. */
    if (!(_res.options & RES_INIT) && res_init())
        return;
    _res.retrans = 2; /* seconds for one server's answer */
    _res.retry = 1;
}

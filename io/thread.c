#include "io/thread.h"

#include <netinet/in.h>
#include <resolv.h>
#include <signal.h>

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

void thread_limit_resolver(void)
{
    /* The resolver's state is each thread's own in glibc; getaddrinfo() uses it. */
    if (!(_res.options & RES_INIT) && res_init())
        return;
    _res.retrans = 2; /* seconds for one server's answer */
    _res.retry = 1;
}

/* thread.h: threads that belong to this library. They block every signal, so that the program's
 * handlers run on the program's threads, and so that a write to a dead connection is EPIPE and not
 * SIGPIPE. */
#ifndef HAWSER_IO_THREAD_H
#define HAWSER_IO_THREAD_H

#include <pthread.h>
#include <signal.h>

/* name shows in debuggers, at most 15 characters. ERR_LIMIT. */
int thread_start(pthread_t *out, void *(*main)(void *ctx), void *ctx, const char *name);

/* Between the two a thread of the program may write to connections that are dead: no SIGPIPE
 * reaches the program. `before` is the caller's to keep. */
void thread_begin_guest(sigset_t *before);
void thread_end_guest(const sigset_t *before);

/* A condition whose timed waits go by the monotonic clock. 0, or ERR_NOMEM. */
int thread_cond_init(pthread_cond_t *c);

/* Makes this thread's name look-ups give up after a few seconds instead of half a minute. */
void thread_limit_resolver(void);

#endif

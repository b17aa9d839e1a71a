#include "sdk/dispatcher.h"

#include <pthread.h>
#include <stdlib.h>

struct dispatcher {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows; never held while a job runs */
    pthread_cond_t changed;
    struct job *first, *last;
    bool is_ending;
};

static _Thread_local const struct dispatcher *current; /* set on its thread alone */

static struct job *take(struct dispatcher *d)
{
    struct job *job;

    pthread_mutex_lock(&d->lock);
    while (!d->first && !d->is_ending)
        pthread_cond_wait(&d->changed, &d->lock);
    job = d->first;
    if (job) {
        d->first = job->next;
        if (!d->first)
            d->last = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    return job;
}

static void *run(void *ctx)
{
    struct dispatcher *d = ctx;
    struct job *job;

    current = d;
    while ((job = take(d)))
        job->run(job);
    return NULL;
}

int dispatcher_new(struct dispatcher **out)
{
    struct dispatcher *d = *out = calloc(1, sizeof *d);

    if (!d)
        return ERR_NOMEM;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    if (pthread_create(&d->thread, NULL, run, d) == 0)
        return ERR_OK;
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *out = NULL;
    return ERR_LIMIT;
}

void dispatcher_free(struct dispatcher *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->is_ending = true;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

void dispatcher_post(struct dispatcher *d, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&d->lock);
    if (d->last)
        d->last->next = job;
    else
        d->first = job;
    d->last = job;
    pthread_cond_signal(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

bool dispatcher_is_current(const struct dispatcher *d)
{
    return d && current == d; /* which another thread may just be freeing */
}

#include "apps/camera/receive.h"

#include <stdio.h>

#include "apps/common/flow.h"
#include "hawser/hawser.h"

enum { SILENCE_MS = 45000 }; /* longer than a session lives unheard */

static bool give_up(struct receiver *r, const char *why)
{
    snprintf(r->why, sizeof r->why, "%s", why);
    return false;
}

static bool on_end(struct receiver *r, const struct record *record)
{
    unsigned long long units = atomic_load(&r->units);

    r->complete = record->unit_count == units;
    if (!r->complete)
        snprintf(r->why, sizeof r->why, "%llu units came, but %llu were sent", units,
                 (unsigned long long)record->unit_count);
    return false;
}

/* False when the stream is over, for better or worse. */
static bool take_record(struct receiver *r, struct bytes body)
{
    struct record record;
    const char *wrong = record_decode(&record, body);

    if (wrong)
        return give_up(r, wrong);
    if (record.kind == RECORD_END)
        return on_end(r, &record);
    if (!remux_add(r->remux, r->media, &record))
        return give_up(r, "it cannot be stored");
    if (record.kind == RECORD_UNIT) {
        atomic_fetch_add(&r->units, 1);
        atomic_fetch_add(&r->bytes, record.unit.data.len);
    }
    return true;
}

static void *run(void *arg)
{
    struct receiver *r = arg;
    struct flow flow;
    struct bytes body;
    bool going = true;

    flow_init(&flow, r->handle, (int)r->media);
    while (going) {
        r->code = flow_next_frame(&flow, RECORD_BYTES_MAX, SILENCE_MS, &body);
        going = r->code ? give_up(r, hawser_strerror(r->code)) : take_record(r, body);
    }
    if (!r->complete)
        remux_cancel(r->remux);
    flow_deinit(&flow);
    atomic_store(&r->done, true);
    return NULL;
}

bool receiver_start(struct receiver *r, int handle, enum record_media media, struct remux *remux)
{
    *r = (struct receiver){ .handle = handle, .media = media, .remux = remux };
    r->has_thread = pthread_create(&r->thread, NULL, run, r) == 0;
    return r->has_thread;
}

void receiver_join(struct receiver *r)
{
    if (r->has_thread)
        pthread_join(r->thread, NULL);
    r->has_thread = false;
}

bool receiver_is_running(const struct receiver *r)
{
    return r->has_thread && !atomic_load(&r->done);
}

/* internal.h: the library's one state, and who may touch it when.
 *
 * Threads: those of the application, the loop's (all protocol state), the dispatcher's (callbacks).
 * Locks, in the order they are taken; none is held while a callback of the application runs:
 *   1. the loop's turn  everything marked as the loop's: its thread has it but while it sleeps, and
 *                     a call that sends something small may take it meanwhile (io_loop_try_enter(),
 *                     which never waits)
 *   2. lib.lock       everything in this file that does not say otherwise, and the fields of links
 *                     and devices that are marked so
 *   3. rings.lock     of one session: its bytes, its end (ring.h)
 *   4. inside io/ and the dispatcher: their queues; log.c
 * Nobody who holds lib.lock waits for the loop's thread: io_loop_run() is called without it, and so
 * is link_turn_as_guest(), since whatever runs in a turn may want the locks below it.
 * A call of the application is counted in lib.calls, and in its link's or device's users, from
 * beginning to end: what it uses is not freed meanwhile. */
#ifndef HAWSER_SDK_INTERNAL_H
#define HAWSER_SDK_INTERNAL_H

#include <pthread.h>

#include "core/dtls/dtls.h"
#include "hawser/device.h"
#include "io/loop.h"
#include "sdk/dispatcher.h"
#include "sdk/handles.h"
#include "sdk/options.h"

#define CONNECTS_MAX 64 /* pending at once: HAWSER_ERR_TOO_MANY_CONNECTS */
#define DEVICES_MAX  64 /* open at once: HAWSER_ERR_NO_MEMORY */

struct lan;
struct link;
struct identity;
struct pairing_call;

struct library {
    pthread_mutex_t lock;
    pthread_cond_t
        changed;      /* calls, links or is_changing became less; pairings and devices moved */
    bool is_running;  /* loop and dispatcher are there */
    bool is_changing; /* somebody starts, stops, binds or unbinds: others of the kind wait */
    bool is_ending;   /* everything is about to be freed: calls are refused */
    unsigned calls;   /* of the application, inside the library now */
    struct options options; /* constant while running; but see adopt_broker() in pairing.c */

    struct identity *app;    /* NULL: no user is bound */
    struct handles sessions; /* of struct link */
    struct handles devices;  /* of struct device */
    struct link *links;      /* all; taken out by the loop's thread alone */
    size_t link_count, connect_count;
    struct pairing_call *pairings;
    hawser_state_cb *state_cb;
    void *state_ctx;

    struct io_loop *loop; /* constant while running, down to here */
    struct lan *lan;      /* the loop's; NULL: switched off */
    struct dispatcher *dispatcher;
    struct dtls_identity *dtls; /* this run's certificate */
    struct rng rng;

    uint8_t *run; /* the loop's: where datagrams are put together, OUT_BYTES_MAX */
    uint64_t serial;
};

extern struct library lib;

/* ---- Calls of the application ---------------------------------------------------------------- */

/* Counts the call in. HAWSER_ERR_UNINITIALISED if nothing is running. Ends with call_leave(). */
int call_enter(void);
void call_leave(void);

/* The same for a call on a session's handle or a device's number, which stay until the leaving.
 * HAWSER_ERR_INVALID_SESSION, HAWSER_ERR_INVALID. */
int call_enter_link(int handle, struct link **out);
void call_leave_link(struct link *l);

/* ---- Starting and stopping ------------------------------------------------------------------- */

/* Waits until nobody else starts or stops, and starts loop and dispatcher if they are not there.
 * Ends with library_settle(). Codes of hawser.h. */
int library_change(void);

/* Stops what nobody uses any more: no user bound, no device open. */
void library_settle(void);

bool library_is_callback(void); /* on the dispatcher's thread */

/* A negative enum err of a lower layer as a code. */
int code_of_err(int err);

#endif

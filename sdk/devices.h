/* devices.h: the side that is connected to: what a device of this process holds.
 *
 *     offer --known session?--> drop          asked for each, by the dispatcher's thread
 *        '--grant wrong--> -105, rarely             |
 *        '--no room, privacy, in a call--> code     v
 *        '--admission--------------------------> accept? --no--> -100 - reason
 *                                               '--yes--> link, answer --open--> ready: listen() */
#ifndef HAWSER_SDK_DEVICES_H
#define HAWSER_SDK_DEVICES_H

#include "core/token/grant.h"
#include "core/token/invite.h"
#include "sdk/link.h"

#define DEVICE_SESSIONS_MAX 256

struct admission;

struct device_counts {
    uint64_t offers, repeated, refused, admitted;
};

struct device {
    int number; /* lib.lock, down to sessions_max */
    unsigned users;
    bool is_closed, is_break_asked;
    struct link *ready_first, *ready_last; /* open, and not given to the application yet */
    struct admission *admissions;
    hawser_accept_cb *accept;
    void *accept_ctx;
    hawser_paired_cb *paired;
    void *paired_ctx;
    bool is_private, is_in_call;
    int sessions_max;

    struct identity *identity; /* constant */

    struct token_clock clock; /* the loop's, from here */
    struct pairing pairing;
    struct replay *sessions; /* whose offers were handled */
    struct bucket refusals;  /* to those without a valid grant */
    struct device_counts counts;
};

/* ---- On the loop's thread -------------------------------------------------------------------- */

void device_on_offer(struct device *d, const struct envelope *e);

/* A message that was had before has come again, perhaps by another way. */
void device_on_repeat(struct device *d, const struct origin *o);

/* Of an offer that the application still thinks about. */
void device_on_candidate(struct device *d, const struct envelope *e);
void device_on_bye(struct device *d, const struct envelope *e);

void device_send_answer(struct link *l);
void device_on_open(struct link *l);

/* A refusal to whoever sent this; those without a valid grant are answered only now and then. */
void device_refuse(struct device *d, const struct envelope *e, int code);

/* ---- With lib.lock held ---------------------------------------------------------------------- */

/* It is in no queue any more. */
void device_drop_ready(struct link *l);

/* Sessions that are established or may become so. */
int device_count_sessions(const struct device *d);

/* Nobody will be admitted any more. */
void device_drop_admissions(struct device *d);

/* Ends all its sessions with this reason; their calls return -14. */
void device_close_sessions(struct device *d, unsigned reason);

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Counts a call in; ends with call_leave_device(). Codes of hawser.h. */
int call_enter_device(int number, struct device **out);
void call_leave_device(struct device *d);

/* Closes all devices with `reason`, as hawser_device_close(); within library_change(). */
void devices_close_all(void);

#endif

/* connect.h: hawser_connect() from the call to its callback.
 *
 *     call: record of the device, link, job --> loop: sockets, offer --answer--> session --> handle
 *                                                        '--refuse, offline, time, break--> code
 *
 * By which ways the offer goes, and when, is for ways.h to say.
 *
 * Whoever is first to finish a connect decides its result; the others find nothing to finish. */
#ifndef HAWSER_SDK_CONNECT_H
#define HAWSER_SDK_CONNECT_H

#include "sdk/link.h"

/* The callback will be told `result`. False: it was told before. */
bool connect_finish(struct link *l, int result);
bool connect_finish_locked(struct link *l, int result); /* with lib.lock held */

/* The rest on the loop's thread. */
void connect_begin(struct link *l);
void connect_send_offer(struct link *l);
void connect_on_sent(struct link *l, enum signaling_result result);
void connect_on_answer(struct link *l, const struct envelope *e);
void connect_on_refuse(struct link *l, const struct envelope *e);
void connect_on_open(struct link *l);
void connect_on_timeout(struct link *l);
void connect_send_again(struct link *l);
void connect_on_broker_bad(struct link *l); /* it does not accept us, or is not there */

#endif

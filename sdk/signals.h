/* signals.h: what travels by the broker, and whom it concerns. All on the loop's thread.
 *
 *     offer      {"session": …, "grant": […]}, with the app's card
 *     answer     {"session": …}
 *     refuse     {"code": -23 or -100 - reason}
 *     candidate  {"candidates": ["candidate:…", …], "ufrag": of the description, "end": true?}
 *     restart    {"session": …}, of an open session by its own peer
 *     bye        {"reason": n}
 *     pair       {"proof": …}, with the app's card
 *     paired     {"grant": […], "lan": secret of its LAN}, with the device's card */
#ifndef HAWSER_SDK_SIGNALS_H
#define HAWSER_SDK_SIGNALS_H

#include "sdk/link.h"

/* A message that was opened: verified, and not seen before. */
void signals_on_envelope(struct identity *id, const struct envelope *e);
void signals_on_sent(struct identity *id, uint64_t request, enum signaling_result result);

/* The broker does not accept this identity, or is not there. */
void signals_on_broker_bad(struct identity *id);

/* No link sends by this identity any more. */
void signals_forget(struct identity *id);

/* Keeps a candidate that the peer does not know of, and sends those that are kept. */
void signals_add_candidate(struct link *l, const struct ice_candidate *c);
void signals_flush_candidates(struct link *l);

/* The session looks for paths anew: tells the peer, again and again until it answers or the restart
 * ends. The second is for every turn. */
void signals_restart(struct link *l);
void signals_restart_again(struct link *l);

/* The link of a message: same session, same peer, same identity. NULL: none. */
struct link *signals_find(const struct identity *id, const struct envelope *e);

/* A message of this link to its peer; the body is taken. */
void signals_send(struct link *l, enum envelope_type type, json_t *body);

#endif

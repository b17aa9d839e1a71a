/* ways.h: by which ways the messages of a link travel: the broker, the LAN, or both.
 *
 *     lan_mode   LAN leg begins                        internet leg begins
 *     0          at once                               a head start later
 *     1          when the internet leg has failed      at once
 *     2          at once                               when the LAN leg has failed
 *
 * The LAN leg has failed when LEG_US went by without a connection, or there is no LAN; the internet
 * leg when there is no broker, it refuses us or says that the device is offline, or LEG_US went by
 * without an answer. A leg that has failed goes on in the background. The device answers once: it
 * knows the offer again.
 *
 * Until the peer was heard, a message goes by every leg that has begun; then by those it was heard
 * on; of an open session by every way there is, as a network may have died in silence. A message
 * that comes twice is dropped at its digest. */
#ifndef HAWSER_SDK_WAYS_H
#define HAWSER_SDK_WAYS_H

#include "core/lan/message.h"
#include "hawser/hawser.h"
#include "io/signaling.h"
#include "sdk/identity.h"

struct link;

struct ways {
    struct origin heard; /* where the peer was heard; LINK_DEVICE: first of all, its offer */

    int mode; /* LINK_APP, down to offers_by_lan */
    bool has_secret;
    uint8_t secret[LAN_SECRET_BYTES];
    struct signaling *lan; /* NULL: this leg has not begun */
    bool is_broker_begun, is_lan_up;
    bool is_offline;        /* so says the broker */
    usec broker_at, lan_at; /* when the offer goes out next; USEC_NEVER: not by itself */
    usec lan_until;         /* when the LAN leg has failed if there is still no connection */
    unsigned offers_by_lan;

    char *answer; /* LINK_DEVICE: sealed, until the session is open */
    unsigned answers;
};

/* The process's own part in the LAN, as the options say. Without lib.lock; ERR_NOMEM. */
int ways_start(void);
void ways_stop(void); /* no link and no identity is left */

/* The network has changed; on the loop's thread, as everything from here. */
void ways_on_network_change(void);

void ways_init(struct ways *w);
void ways_deinit(struct ways *w); /* wipes; of a link that has ended */

/* What goes by the LAN still goes, then the connection is closed or let go. */
void ways_close(struct link *l);

/* ---- Any link -------------------------------------------------------------------------------- */

/* Sends a sealed text. request: as identity_send(), for what goes by the broker. ERR_WRONG_STATE:
 * there is no way; ERR_LIMIT, ERR_NOMEM. */
int ways_send(struct link *l, const char *text, uint64_t request);

/* Could a message get out now? */
bool ways_are_open(const struct link *l);

/* A message of the peer's is being handled: notes where it came from. */
void ways_heard(struct link *l);

/* ---- LINK_APP, while connecting -------------------------------------------------------------- */

/* The offer is sealed: decides when the legs begin. */
void ways_begin(struct link *l);

/* Does what is due. False: both legs are known to lead nowhere, the device is offline. */
bool ways_tick(struct link *l);
usec ways_next_timeout(const struct link *l);

/* The broker says that the device is offline, or has no use for us: the LAN leg need not wait. */
void ways_on_offline(struct link *l);
void ways_on_broker_bad(struct link *l);

/* The broker said that the device is offline, and the LAN is silent. */
bool ways_are_offline(const struct link *l);

/* ---- LINK_DEVICE ----------------------------------------------------------------------------- */

/* The offer came from here. */
void ways_take_origin(struct link *l, const struct origin *o);

/* Sends the answer, and keeps it for when the same offer comes by another way. Takes the text. */
void ways_send_answer(struct link *l, char *text);

/* The offer came again. */
void ways_on_repeat(struct link *l, const struct origin *o);
void ways_on_open(struct link *l);

#endif

/* identity.h: one key of this process: its connection to the broker, its inbox there, and that of
 * a device on the LAN.
 *
 * What arrives is looked up in the replay memory before any public-key operation, then opened. Its
 * rate is limited for each way: a flood costs digests, and the messages that come with it. */
#ifndef HAWSER_SDK_IDENTITY_H
#define HAWSER_SDK_IDENTITY_H

#include <stdatomic.h>

#include "core/token/envelope.h"
#include "core/token/replay.h"
#include "io/signaling.h"
#include "sdk/bucket.h"
#include "sdk/store.h"

struct device;
struct lan_service;
struct link;

/* Which way a message came. */
struct origin {
    uint8_t digest[ENVELOPE_DIGEST_BYTES];
    bool is_by_broker;
    uint64_t guest;    /* the LAN connection to a device (io/lan.h); 0: none */
    struct link *link; /* the app's, whose LAN connection it is; NULL: none */
};

struct identity_counts {
    uint64_t received, flooded, repeated, unreadable;
};

#define OUTBOX_MAX 512 /* messages that wait for room in signaling; more are refused */

struct outgoing;

struct identity {
    char label[LABEL_BYTES]; /* constant, down to device */
    struct key *key;
    struct card card;            /* this key's own */
    struct device *device;       /* NULL: the app's */
    bool is_online;              /* lib.lock */
    struct signaling *signaling; /* the loop's, from here; NULL: no broker is configured */
    enum signaling_state state;
    struct lan_service *service; /* NULL: not found on the LAN */
    struct replay *seen;
    struct bucket inbox, lan_inbox;
    struct origin origin; /* of the message that is being handled */
    struct outgoing *waiting_first, *waiting_last;
    size_t waiting_count;
    atomic_uint unsent; /* accepted by identity_send() and not yet told of */
    struct identity_counts counts;
};

/* Loads or makes the key and begins to connect to the broker. Codes of hawser.h. Without
 * lib.lock. */
int identity_new(struct identity **out, const char *label, struct device *device);

/* Begins to connect to the broker, now that there is one. A negative enum err. */
int identity_open_broker(struct identity *id);

/* Leaves the broker, once what was to be sent is sent or flush_ms have passed: a goodbye that does
 * not get out costs the device a place for as long as a half-open session lives. Without lib.lock:
 * it waits for the loop's thread. NULL is fine. */
void identity_free(struct identity *id);

/* Whom a message is for. */
struct recipient {
    char id[ID_BYTES];
    uint8_t x25519[ID_PUBLIC_BYTES];
};

struct signal {
    enum envelope_type type;
    uint32_t seq;
    uint8_t sid[ENVELOPE_SID_BYTES];
    bool has_card; /* enclose ours */
    json_t *body;  /* borrowed */
};

/* Seals a message; the text is the caller's to free(). ERR_LIMIT: the body is too long. */
int identity_seal(const struct identity *id, const struct recipient *to, const struct signal *s,
                  char **text);

/* Sends a sealed text, at once or when there is room. request: handed to signals_on_sent(); 0:
 * nobody asks. ERR_LIMIT, ERR_NOMEM; ERR_WRONG_STATE: there is no broker. */
int identity_send(struct identity *id, const char *to, const char *text, uint64_t request);

/* Seals and sends it back by where the message came from that is being handled: for those that have
 * no link. Failures are logged. */
void identity_signal(struct identity *id, const struct recipient *to, const struct signal *s);

/* A message has come: o says which way, its digest is filled in here. */
void identity_receive(struct identity *id, struct bytes message, const struct origin *o);

/* The secret by which a device is found on the LAN. ERR_CRYPTO. */
int identity_lan_secret(const struct identity *id, uint8_t out[KEY_DERIVED_BYTES]);

#endif

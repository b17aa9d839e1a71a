/* identity.h: one key of this process at the broker: its connection and its inbox.
 *
 * What arrives is looked up in the replay memory before any public-key operation, then opened. Its
 * rate is limited: a flood costs digests, and the messages that come with it. */
#ifndef HAWSER_SDK_IDENTITY_H
#define HAWSER_SDK_IDENTITY_H

#include <stdatomic.h>

#include "core/token/envelope.h"
#include "core/token/replay.h"
#include "io/signaling.h"
#include "sdk/bucket.h"
#include "sdk/store.h"

struct device;

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
    struct replay *seen;
    struct bucket inbox;
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

/* Both at once, where nobody asks; failures are logged. */
void identity_signal(struct identity *id, const struct recipient *to, const struct signal *s);

#endif

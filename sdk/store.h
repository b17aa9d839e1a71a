/* store.h: what is kept under the home directory. [any thread]
 *
 *     keys/LABEL.json         private JWK, mode 0600
 *     grants/LABEL/ID.json    {"id", "ed25519", "x25519", "card_iat", "grant": [...], "lan"?}: a
 *                             device that LABEL has paired with
 *
 * Files appear whole or not at all: they are written beside their place and then renamed. */
#ifndef HAWSER_SDK_STORE_H
#define HAWSER_SDK_STORE_H

#include <jansson.h>

#include "core/lan/message.h"
#include "core/token/card.h"

#define LABEL_BYTES 65 /* 1…64 of [A-Za-z0-9._@-] and NUL */

bool label_is_valid(const char *label);

/* The key of this label; made if there is none. ERR_INVALID (the log says which file and why),
 * ERR_NOMEM, ERR_CRYPTO. */
int store_key(struct key **out, const char *home, const char *label);

struct device_record {
    struct card card;
    json_t *grant; /* the chain; owned; may be NULL */
    bool has_lan;  /* the secret by which it is found on the LAN is known */
    uint8_t lan[LAN_SECRET_BYTES];
};

/* ERR_WRONG_STATE: no such record. ERR_INVALID, ERR_NOMEM. */
int store_load_device(struct device_record *out, const char *home, const char *label,
                      const char *id);
int store_save_device(const struct device_record *record, const char *home, const char *label);
/* Adds one member to config.json. ERR_INVALID (also a file that is no object), ERR_NOMEM. */
int store_set_config(const char *home, const char *name, const char *value);

void device_record_deinit(struct device_record *r);

#endif

/* access.h: who may do what on a hawser broker. A client's ID is its user name and its client ID.
 * It subscribes to its own inbox, hawser/v1/<ID>, and to nothing else; it publishes to anybody's
 * inbox, not retained, up to a length. So nobody can list, watch or impersonate anyone. */
#ifndef HAWSER_MOSQUITTO_ACCESS_H
#define HAWSER_MOSQUITTO_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCESS_TOPIC_PREFIX "hawser/v1/"

/* A subscription, or a message on its way to this client. */
bool access_may_read(const char *id, const char *topic);

/* Why a message from anyone may not be published: static text; NULL if it may. */
const char *access_publish_refusal(const char *topic, size_t payload_len, bool is_retained,
                                   size_t payload_max);

#endif

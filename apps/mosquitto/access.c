#include "apps/mosquitto/access.h"

#include <string.h>

#include "core/token/id.h"

/* What follows the prefix, or NULL. */
static const char *inbox_owner(const char *topic)
{
    size_t len = strlen(ACCESS_TOPIC_PREFIX);

    return strncmp(topic, ACCESS_TOPIC_PREFIX, len) == 0 ? topic + len : NULL;
}

bool access_may_read(const char *id, const char *topic)
{
    const char *owner = inbox_owner(topic);

    return owner && id_is_canonical(id) && strcmp(owner, id) == 0;
}

const char *access_publish_refusal(const char *topic, size_t payload_len, bool is_retained,
                                   size_t payload_max)
{
    const char *owner = inbox_owner(topic);

    if (!owner || !id_is_canonical(owner))
        return "the topic is nobody's inbox";
    if (is_retained)
        return "the message is to be retained";
    return payload_len > payload_max ? "the message is too long" : NULL;
}

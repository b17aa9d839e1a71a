#include "io/signaling.h"

const char *signaling_state_string(enum signaling_state state)
{
    static const char *const names[] = {
        [SIGNALING_CONNECTING] = "connecting",
        [SIGNALING_ONLINE] = "online",
        [SIGNALING_DOWN] = "down",
        [SIGNALING_REFUSED] = "refused",
        [SIGNALING_REPLACED] = "replaced",
    };

    return (size_t)state < COUNT(names) ? names[state] : "unknown";
}

const char *signaling_result_string(enum signaling_result result)
{
    static const char *const names[] = {
        [SIGNALING_DELIVERED] = "delivered",
        [SIGNALING_OFFLINE] = "receiver is offline",
        [SIGNALING_FAILED] = "failed",
    };

    return (size_t)result < COUNT(names) ? names[result] : "unknown";
}

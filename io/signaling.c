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

#include "apps/common/heard.h"

#include <stdatomic.h>
#include <string.h>

static atomic_bool bad_config, replaced;

/* An error that names the file is about the file; what is only a warning did no harm. */
void heard_note(enum hawser_log_level level, const char *line)
{
    if (level == HAWSER_LOG_ERROR && strstr(line, "config.json"))
        atomic_store(&bad_config, true);
    if (level <= HAWSER_LOG_WARNING && strstr(line, " at the broker: replaced"))
        atomic_store(&replaced, true);
}

bool heard_bad_config(void)
{
    return atomic_load(&bad_config);
}

bool heard_replaced(void)
{
    return atomic_load(&replaced);
}

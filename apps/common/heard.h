/* heard.h: what the library's log has told that makes for better advice than a code does. */
#ifndef HAWSER_APPS_COMMON_HEARD_H
#define HAWSER_APPS_COMMON_HEARD_H

#include <stdbool.h>

#include "hawser/hawser.h"

/* Looks at a line of the log; on any thread. */
void heard_note(enum hawser_log_level level, const char *line);

/* config.json could not be read or used. */
bool heard_bad_config(void);

/* The broker has put another connection with our key in the place of ours. */
bool heard_replaced(void);

#endif

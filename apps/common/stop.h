/* stop.h: SIGINT and SIGTERM as a question that loops ask between their short waits. A second one
 * kills as usual. */
#ifndef HAWSER_APPS_COMMON_STOP_H
#define HAWSER_APPS_COMMON_STOP_H

#include <stdbool.h>

#define STOP_POLL_MS 200 /* the longest wait between two questions */

void stop_on_signals(void);
bool stop_asked(void);
void stop_ask(void);

#endif

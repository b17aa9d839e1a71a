/* log.h: lines for people, to whoever asked for them. [any thread]
 *
 * A line names the session it is about by its trace ID, which both ends know. Keys, secrets and
 * content never get here: IDs, addresses, codes and sizes do. */
#ifndef HAWSER_SDK_LOG_H
#define HAWSER_SDK_LOG_H

#include "hawser/hawser.h"

#define LOG_LINE_MAX 400 /* longer ones are cut */

/* trace may be NULL. */
void log_line(enum hawser_log_level level, const char *trace, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

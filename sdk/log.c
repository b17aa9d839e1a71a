#include "sdk/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static struct {
    pthread_mutex_t lock; /* the innermost: held while the application's callback runs */
    hawser_log_cb *cb;
    void *ctx;
    enum hawser_log_level most;
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER };

void hawser_set_log(enum hawser_log_level most, hawser_log_cb *cb, void *ctx)
{
    pthread_mutex_lock(&sink.lock);
    sink.most = most;
    sink.cb = cb;
    sink.ctx = ctx;
    pthread_mutex_unlock(&sink.lock);
}

void log_line(enum hawser_log_level level, const char *trace, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    size_t len = 0;
    va_list args;

    pthread_mutex_lock(&sink.lock);
    if (sink.cb && level <= sink.most) {
        if (trace)
            len = (size_t)snprintf(line, sizeof line, "[%.32s] ", trace);
        va_start(args, format);
        (void)vsnprintf(line + len, sizeof line - len, format, args);
        va_end(args);
        sink.cb(sink.ctx, level, line);
    }
    pthread_mutex_unlock(&sink.lock);
}

#include "apps/common/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "apps/common/clock.h"
#include "apps/common/say.h"

enum { BAR_COLUMNS = 24, DRAW_US = 200000, LINE_MAX = 160 };

void progress_init(struct progress *p, const char *what, uint64_t size, uint64_t first)
{
    *p = (struct progress){ .what = what,
                            .size = size,
                            .first = first,
                            .began_at = clock_now(),
                            .is_silent = say_is_json() || !isatty(STDERR_FILENO) };
}

void progress_format_bytes(double bytes, char *text, size_t cap)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t unit = 0;

    for (; bytes >= 1024 && unit + 1 < sizeof units / sizeof *units; unit++)
        bytes /= 1024;
    snprintf(text, cap, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* "12 s", "3 min 05 s" or "2 h 10 min". */
static void format_left(double seconds, char *text, size_t cap)
{
    unsigned s = seconds < 360000 ? (unsigned)(seconds + 0.5) : 360000;

    if (s < 60)
        snprintf(text, cap, "%u s", s);
    else if (s < 3600)
        snprintf(text, cap, "%u min %02u s", s / 60, s % 60);
    else
        snprintf(text, cap, "%u h %02u min", s / 3600, s / 60 % 60);
}

void progress_format(const struct progress *p, uint64_t done, usec now, char *text, size_t cap)
{
    double spent = (double)(now - p->began_at) / (double)SECOND;
    double rate = spent > 0 ? (double)(done - p->first) / spent : 0;
    char amount[32], speed[32], left[32] = "?", bar[BAR_COLUMNS + 1];
    size_t filled;

    progress_format_bytes((double)done, amount, sizeof amount);
    progress_format_bytes(rate, speed, sizeof speed);
    if (!p->size) {
        snprintf(text, cap, "%s  %s  %s/s", p->what, amount, speed);
        return;
    }
    filled = (size_t)((double)done / (double)p->size * BAR_COLUMNS);
    filled = filled < BAR_COLUMNS ? filled : BAR_COLUMNS;
    memset(bar, '.', BAR_COLUMNS);
    memset(bar, '#', filled);
    bar[BAR_COLUMNS] = '\0';
    if (rate > 0)
        format_left((double)(p->size - done) / rate, left, sizeof left);
    snprintf(text, cap, "%s [%s] %3.0f %%  %s  %s/s  %s left", p->what, bar,
             100 * (double)done / (double)p->size, amount, speed, left);
}

void progress_show(struct progress *p, uint64_t done)
{
    usec now = clock_now();
    char line[LINE_MAX];

    if (p->is_silent || (p->is_drawn && now - p->drawn_at < DRAW_US))
        return;
    progress_format(p, done, now, line, sizeof line);
    progress_draw(line);
    p->drawn_at = now;
    p->is_drawn = true;
}

void progress_end(struct progress *p)
{
    if (p->is_drawn)
        progress_clear();
}

/* A line that wraps could not be taken back by a carriage return. */
void progress_draw(const char *line)
{
    struct winsize size = { .ws_col = 0 };
    int columns = LINE_MAX;

    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col > 1)
        columns = size.ws_col - 1;
    fprintf(stderr, "\r\033[K%.*s", columns, line);
    fflush(stderr);
}

void progress_clear(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

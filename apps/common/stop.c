#include "apps/common/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    (void)number;
    asked = 1;
}

void stop_on_signals(void)
{
    /* Not SA_RESTART: a blocking system call of the main thread ends at once. */
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool stop_asked(void)
{
    return asked;
}

void stop_ask(void)
{
    asked = 1;
}

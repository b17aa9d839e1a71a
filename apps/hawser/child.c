#include "apps/hawser/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "apps/common/clock.h"
#include "apps/common/say.h"

enum { PATIENCE_MS = 3000, LOOK_MS = 20 };

static void become(char *const argv[], int out, int err)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    if (err >= 0)
        dup2(err, STDERR_FILENO);
    execv(argv[0], argv);
    _exit(127);
}

int child_start(struct child *c, const char *name, char *const argv[], int out, int err)
{
    c->name = name;
    c->pid = fork();
    if (c->pid == 0)
        become(argv, out, err);
    if (c->pid > 0)
        return 0;
    c->pid = 0;
    say_error("%s cannot be started: %s", name, strerror(errno));
    return -1;
}

bool child_has_ended(struct child *c)
{
    if (c->pid && waitpid(c->pid, NULL, WNOHANG) == c->pid)
        c->pid = 0;
    return c->pid == 0;
}

void child_end(struct child *c)
{
    struct timespec pause = clock_timespec(LOOK_MS * MILLISECOND);
    usec patient_until = clock_now() + PATIENCE_MS * MILLISECOND;

    if (c->pid)
        kill(c->pid, SIGTERM);
    while (!child_has_ended(c) && clock_now() < patient_until)
        nanosleep(&pause, NULL);
    if (c->pid) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, 0);
        c->pid = 0;
    }
}

#include "tests/sdk/support/system.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

bool directory_make(char out[64])
{
    (void)snprintf(out, 64, "/tmp/hawser-test-XXXXXX");
    return mkdtemp(out) != NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void directory_remove(const char *path)
{
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void process_freeze(pid_t pid)
{
    int status;

    kill(pid, SIGSTOP);
    (void)waitpid(pid, &status, WUNTRACED);
}

void process_thaw(pid_t pid)
{
    kill(pid, SIGCONT);
}

void process_kill(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

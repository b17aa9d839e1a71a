#include "tests/net/space.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_own(void)
{
    return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

const char *space_missing(void)
{
    static char reason[96];
    int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC), space;

    if (tun < 0) {
        (void)snprintf(reason, sizeof reason, "/dev/net/tun cannot be opened: %s", strerror(errno));
        return reason;
    }
    close(tun);
    space = space_new();
    if (space < 0) {
        (void)snprintf(reason, sizeof reason, "no network namespace can be made: %s%s",
                       strerror(errno), geteuid() ? "; this needs root" : "");
        return reason;
    }
    close(space);
    return NULL;
}

int space_new(void)
{
    int home = open_own(), space = -1;

    if (home < 0 || unshare(CLONE_NEWNET))
        return -1;
    space = open_own();
    if (setns(home, CLONE_NEWNET))
        _exit(70); /* in the wrong namespace nothing more may be done */
    close(home);
    return space;
}

/* Goes in; returns the way back for leave(), or -1. */
static int enter(int space)
{
    int home = open_own();

    if (home < 0 || setns(space, CLONE_NEWNET)) {
        close(home);
        return -1;
    }
    return home;
}

static void leave(int home)
{
    if (setns(home, CLONE_NEWNET))
        _exit(70);
    close(home);
}

int space_open_tun(int space, const char *device)
{
    struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    int home = enter(space), tun = -1;

    if (home < 0)
        return -1;
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (tun >= 0 && ioctl(tun, TUNSETIFF, &request)) {
        close(tun);
        tun = -1;
    }
    leave(home);
    return tun;
}

bool space_set(int space, const char *path, const char *value)
{
    char whole[160];
    int home = enter(space), fd;
    bool is_written = false;

    if (home < 0)
        return false;
    (void)snprintf(whole, sizeof whole, "/proc/sys/net/%s", path);
    fd = open(whole, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        is_written = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
        close(fd);
    }
    leave(home);
    return is_written;
}

static void run_child(int space, const char *const argv[], int input)
{
    (void)dup2(input, STDIN_FILENO);
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    if (setns(space, CLONE_NEWNET) == 0)
        (void)execvp(argv[0], (char *const *)argv);
    (void)fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

bool space_run(int space, const char *const argv[], const char *input)
{
    int ends[2], status = -1;
    bool is_fed;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC))
        return false;
    pid = fork();
    if (pid == 0)
        run_child(space, argv, ends[0]);
    close(ends[0]);
    is_fed = write(ends[1], input, strlen(input)) == (ssize_t)strlen(input);
    close(ends[1]);
    return pid > 0 && waitpid(pid, &status, 0) == pid && is_fed && status == 0;
}

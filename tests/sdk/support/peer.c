#include "tests/sdk/support/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MS = 40000 };

bool peer_start(struct peer *p, const char *home, const char *broker)
{
    int to[2], from[2];
    const char *answer;

    memset(p, 0, sizeof *p);
    if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
        return false;
    p->pid = fork();
    if (p->pid == 0) {
        (void)dup2(to[0], STDIN_FILENO);
        (void)dup2(from[1], STDOUT_FILENO);
        execl(DEVICE_PROGRAM, DEVICE_PROGRAM, home, broker, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    p->to = fdopen(to[1], "w");
    p->from = from[0];
    if (p->pid < 0 || !p->to)
        return false;
    answer = peer_answer(p);
    (void)snprintf(p->id, sizeof p->id, "%s", answer);
    return strncmp(answer, "hw1", 3) == 0;
}

void peer_stop(struct peer *p)
{
    if (p->to)
        (void)fclose(p->to); /* the end of its input is its end */
    if (p->from > 0)
        close(p->from);
    if (p->pid > 0)
        (void)waitpid(p->pid, NULL, 0);
    memset(p, 0, sizeof *p);
}

static void tell(struct peer *p, const char *format, va_list args)
{
    (void)vfprintf(p->to, format, args);
    (void)fputc('\n', p->to);
    (void)fflush(p->to);
}

void peer_tell(struct peer *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell(p, format, args);
    va_end(args);
}

const char *peer_answer(struct peer *p)
{
    static char line[1024];
    struct pollfd wait = { .fd = p->from, .events = POLLIN };
    size_t len = 0;

    while (len < sizeof line - 1 && poll(&wait, 1, ANSWER_MS) > 0) {
        if (read(p->from, line + len, 1) != 1 || line[len] == '\n')
            break;
        len++;
    }
    line[len] = '\0';
    return line;
}

long peer_ask(struct peer *p, const char *format, ...)
{
    const char *answer;
    char *end;
    long number;
    va_list args;

    va_start(args, format);
    tell(p, format, args);
    va_end(args);
    answer = peer_answer(p);
    number = strtol(answer, &end, 10);
    return end == answer ? INT32_MIN : number;
}

const char *peer_invite(struct peer *p)
{
    peer_tell(p, "invite");
    return peer_answer(p);
}

/* net-lab PLAN [LOG]: runs the laboratory of a plan (topology.h) until its input ends.
 *
 * Prints `host NAME PATH` for each host, where PATH is its namespace for as long as this process
 * lives (nsenter --net=PATH), then `ready`; then obeys the lines of control.h. LOG gets a line for
 * each packet and what became of it. Exits with 77 where no laboratory can be made. */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/net/control.h"
#include "tests/net/now.h"
#include "tests/net/space.h"

enum { EXIT_SKIP = 77 };

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

/* Delays are only as good as this process is prompt, and what happens to the network is to happen
 * when it is told to. Where it is refused, they are less good. */
static void become_prompt(void)
{
    struct sched_param param = { .sched_priority = 2 };

    (void)sched_setscheduler(0, SCHED_FIFO, &param);
}

/* Input comes in pieces; every whole line is obeyed. False: it has ended. */
static bool read_commands(struct lab *l)
{
    static char text[1024];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, text + len, sizeof text - 1 - len);
    char *end;

    if (got <= 0)
        return false;
    len += (size_t)got;
    text[len] = '\0';
    while ((end = strchr(text, '\n'))) {
        *end = '\0';
        control_obey(l, text);
        len -= (size_t)(end + 1 - text);
        memmove(text, end + 1, len + 1);
    }
    return len < sizeof text - 1;
}

static void wait_for_work(const struct lab *l, usec next, struct pollfd *input)
{
    struct pollfd rows[TOPOLOGY_PORTS_MAX + 1];
    usec left = next == USEC_NEVER ? SECOND : usec_max(next - net_now(), 0);
    struct timespec most = { .tv_sec = left / SECOND, .tv_nsec = left % SECOND * 1000 };

    lab_poll_rows(l, rows);
    rows[l->plan.port_count] = *input;
    (void)ppoll(rows, (nfds_t)l->plan.port_count + 1, &most, NULL);
    *input = rows[l->plan.port_count];
}

static void serve(struct lab *l)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

    for (int i = 0; i < l->host_count; i++)
        (void)printf("host %s /proc/%d/fd/%d\n", l->host[i].name, getpid(), l->host[i].space);
    (void)printf("ready\n");
    while (!is_over) {
        usec next;

        lab_tick(l, &next);
        (void)waitpid(-1, NULL, WNOHANG); /* of control.c's processes */
        input.revents = 0;
        wait_for_work(l, next, &input);
        if (input.revents && !read_commands(l))
            break;
    }
}

static bool read_plan(struct topology *plan, const char *path)
{
    char error[TOPOLOGY_ERROR_MAX];

    if (topology_read_file(plan, path, error))
        return true;
    (void)fprintf(stderr, "lab: %s: %s\n", path, error);
    return false;
}

static int run(struct lab *l, const struct topology *plan, const char *log)
{
    bool is_made = lab_init(l, plan);

    if (log && !(l->log = fopen(log, "w")))
        is_made = false;
    if (is_made) {
        become_prompt();
        serve(l);
    }
    lab_deinit(l);
    if (l->log)
        (void)fclose(l->log);
    return is_made ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct topology plan; /* both are large */
    static struct lab lab;
    const char *missing = space_missing();
    char path[512];

    if (argc < 2 || argc > 3) {
        (void)fprintf(stderr, "usage: net-lab PLAN [LOG]\n");
        return 2;
    }
    if (missing) {
        (void)printf("SKIP: %s\n", missing);
        return EXIT_SKIP;
    }
    (void)snprintf(path, sizeof path, "%s:/usr/sbin:/sbin", getenv("PATH"));
    (void)setenv("PATH", path, 1);
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
    return read_plan(&plan, argv[1]) ? run(&lab, &plan, argc > 2 ? argv[2] : NULL) : EXIT_FAILURE;
}

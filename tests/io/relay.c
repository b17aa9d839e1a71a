/* hawser-relay as a program: RELAY names it. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "tests/check.h"
#include "tests/io/gate.h"

struct program {
    pid_t pid;
    int out;         /* stdout and stderr */
    char text[2048]; /* what came so far */
    size_t len;
};

static void run(struct program *p, char *const args[])
{
    const char *path = getenv("RELAY");
    int ends[2];

    *p = (struct program){ .out = -1 };
    if (!path || pipe(ends)) {
        CHECK("RELAY names the program", false);
        return;
    }
    p->pid = fork();
    if (p->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execv(path, args);
        _exit(127);
    }
    close(ends[1]);
    p->out = ends[0];
}

/* Reads on until the text has come; NULL waits for the end of output. */
static bool wait_for(struct program *p, const char *text)
{
    struct pollfd readable = { .fd = p->out, .events = POLLIN };

    while (!text || !strstr(p->text, text)) {
        ssize_t got;

        if (p->len == sizeof p->text - 1 || poll(&readable, 1, GATE_PATIENCE_S * 1000) != 1)
            return false;
        got = read(p->out, p->text + p->len, sizeof p->text - 1 - p->len);
        if (got <= 0)
            return !text;
        p->len += (size_t)got;
        p->text[p->len] = '\0';
    }
    return true;
}

/* The exit code; -1 if it did not exit. */
static int end(struct program *p)
{
    int status = -1;

    CHECK("says no more", wait_for(p, NULL));
    waitpid(p->pid, &status, 0);
    close(p->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint16_t port_after(const char *text, const char *mark)
{
    const char *at = strstr(text, mark);

    return at ? (uint16_t)strtoul(at + strlen(mark), NULL, 10) : 0;
}

/* RFC 8489 §5: a Binding request without attributes. */
static const uint8_t request[20] = { 0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1,  2,
                                     3,    4,    5,    6,    7,    8,    9,    10,   11, 12 };

static size_t ask(const char *ip, uint16_t port, uint8_t *answer, size_t cap, uint16_t *own_port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) }, own;
    socklen_t len = sizeof own;
    struct pollfd readable;
    ssize_t got = 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, ip, &to.sin_addr);
    readable = (struct pollfd){ .fd = fd, .events = POLLIN };
    /* Connected: an answer from another address than the one asked is not for us. */
    if (!connect(fd, (struct sockaddr *)&to, sizeof to) && send(fd, "noise", 5, 0) == 5 &&
        send(fd, request, sizeof request, 0) == sizeof request &&
        !getsockname(fd, (struct sockaddr *)&own, &len) &&
        poll(&readable, 1, GATE_PATIENCE_S * 1000) == 1)
        got = recv(fd, answer, cap, 0);
    *own_port = ntohs(own.sin_port);
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

TEST(answers_from_the_address_asked_and_ends_as_told)
{
    struct program p;
    uint8_t answer[512];
    uint16_t own_port;
    size_t len;

    run(&p, (char *[]){ "hawser-relay", "--json", "--listen", "0.0.0.0:0", NULL });
    CHECK("tells that it is ready", wait_for(&p, "{\"ready\":{\"listen\":[\"0.0.0.0:"));
    len = ask("127.0.0.5", port_after(p.text, "0.0.0.0:"), answer, sizeof answer, &own_port);
    CHECK("a success for this transaction", len >= 32 && answer[0] == 0x01 && answer[1] == 0x01 &&
                                                memcmp(answer + 4, request + 4, 16) == 0);
    /* XOR-MAPPED-ADDRESS: RFC 8489 §14.2 */
    CHECK("with our own port", len >= 32 && ((answer[26] << 8 | answer[27]) ^ 0x2112) == own_port);
    kill(p.pid, SIGTERM);
    CHECK("ends well", end(&p) == 0);
    CHECK("counts", strstr(p.text, "\"received\":2,\"answered\":1"));
}

TEST(a_taken_port_is_named_and_so_is_the_way_out)
{
    struct program first, second;
    char taken[32];

    run(&first, (char *[]){ "hawser-relay", "-l", "127.0.0.1:0", NULL });
    CHECK("ready", wait_for(&first, "answering STUN on 127.0.0.1:") && wait_for(&first, "\n"));
    snprintf(taken, sizeof taken, "127.0.0.1:%u", port_after(first.text, "127.0.0.1:"));
    run(&second, (char *[]){ "hawser-relay", "-l", taken, NULL });
    CHECK("fails", end(&second) == 1);
    CHECK("in one line that names it",
          strstr(second.text, taken) && strchr(second.text, '\n') == second.text + second.len - 1);
    CHECK("and says what to do", strstr(second.text, "--listen"));
    kill(first.pid, SIGINT);
    CHECK("the first ends well", end(&first) == 0);
}

static const struct {
    const char *claim;
    char *args[6];
    int code;
    const char *text;
} wrong[] = {
    { "help", { "hawser-relay", "--help" }, 0, "usage:" },
    { "no port", { "hawser-relay", "--listen", "127.0.0.1" }, 2, "127.0.0.1: not an address" },
    { "no such option", { "hawser-relay", "--lisp" }, 2, "--lisp" },
    { "an operand", { "hawser-relay", "serve" }, 2, "serve" },
    { "not our address", { "hawser-relay", "-l", "192.0.2.1:0" }, 1, "192.0.2.1" },
    { "as JSON, too", { "hawser-relay", "-j", "-l", "x" }, 2, "{\"error\":{\"text\":" },
};

TEST(wrong_usage_is_told)
{
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct program p;

        run(&p, wrong[i].args);
        CHECK(wrong[i].claim, end(&p) == wrong[i].code);
        CHECK(wrong[i].text, strstr(p.text, wrong[i].text));
    }
}

TESTS(TEST_ROW(answers_from_the_address_asked_and_ends_as_told),
      TEST_ROW(a_taken_port_is_named_and_so_is_the_way_out), TEST_ROW(wrong_usage_is_told))

/* hawser-relay: tells whoever asks by STUN which address it has on the internet (RFC 8489). */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "apps/relay/server.h"

enum exit_code { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

struct settings {
    struct addr listen[SERVER_SOCKETS_MAX];
    size_t listen_count;
    bool is_default; /* nothing was asked for: what this host cannot do is left out */
    bool json;
};

static const char usage[] =
    "usage: hawser-relay [OPTIONS]\n"
    "Answers STUN Binding requests, so that peers behind NATs learn their public addresses.\n"
    "\n"
    "  -l, --listen ADDR:PORT  where to answer, up to 16 times; port 0 takes a free one\n"
    "                          (default: 0.0.0.0:3478 and [::]:3478)\n"
    "  -j, --json              one JSON object a line on stdout: {\"ready\":...} once it serves,\n"
    "                          {\"total\":...} at its end\n"
    "  -h, --help              this text\n"
    "\n"
    "It runs until SIGINT or SIGTERM. Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.\n";

static void print_json(json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

__attribute__((format(printf, 3, 4))) static int fail(const struct settings *s, int code,
                                                      const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "hawser-relay: %s\n", text);
    if (s->json)
        print_json(json_pack("{s{ss}}", "error", "text", text));
    return code;
}

/* ---- the command line ---- */

static int add_listen(struct settings *s, const char *text)
{
    if (s->listen_count == SERVER_SOCKETS_MAX)
        return fail(s, EXIT_USAGE, "--listen %s: at most %d addresses", text, SERVER_SOCKETS_MAX);
    if (!addr_parse(&s->listen[s->listen_count], text))
        return fail(s, EXIT_USAGE,
                    "--listen %s: not an address with a port, such as 192.0.2.1:3478 or "
                    "[2001:db8::1]:3478",
                    text);
    s->listen_count++;
    return EXIT_OK;
}

static void add_defaults(struct settings *s)
{
    s->is_default = true;
    addr_parse(&s->listen[s->listen_count++], "0.0.0.0:3478");
    addr_parse(&s->listen[s->listen_count++], "[::]:3478");
}

/* Whether the program goes on: if not, *code is what to exit with. */
static bool read_options(struct settings *s, int argc, char **argv, int *code)
{
    static const struct option options[] = { { "listen", required_argument, NULL, 'l' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "help", no_argument, NULL, 'h' },
                                             { NULL, 0, NULL, 0 } };
    int option;

    while ((option = getopt_long(argc, argv, "l:jh", options, NULL)) != -1) {
        *code = EXIT_OK;
        if (option == 'l') {
            *code = add_listen(s, optarg);
        } else if (option == 'j') {
            s->json = true;
        } else if (option == 'h') {
            fputs(usage, stdout);
            return false;
        } else {
            *code = EXIT_USAGE; /* getopt_long() has said what is wrong */
        }
        if (*code)
            return false;
    }
    if (optind < argc) {
        *code = fail(s, EXIT_USAGE, "%s: takes options only, see --help", argv[optind]);
        return false;
    }
    if (s->listen_count == 0)
        add_defaults(s);
    return true;
}

/* ---- serving ---- */

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program has this port: stop it, or choose another with --listen ADDR:PORT";
    case EADDRNOTAVAIL:
        return "no interface of this host has this address: see `ip address`";
    case EACCES:
        return "ports below 1024 need privileges: choose a higher one with --listen ADDR:PORT";
    case EAFNOSUPPORT:
        return "this host has no IPv6";
    default:
        return "see --help for --listen";
    }
}

static bool is_absent_family(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int listen_all(struct settings *s, struct server *server)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->listen_count; i++) {
        char text[ADDR_TEXT_MAX];
        int error = server_listen(server, &s->listen[i]);

        if (error && s->is_default && is_absent_family(error))
            continue;
        if (error)
            return fail(s, EXIT_FAILED, "cannot listen on %s: %s; %s",
                        addr_format(&s->listen[i], text), strerror(error), advice(error));
        s->listen[kept++] = s->listen[i];
    }
    s->listen_count = kept;
    if (kept == 0)
        return fail(s, EXIT_FAILED, "this host has neither IPv4 nor IPv6 to listen on");
    return EXIT_OK;
}

static void say_ready(const struct settings *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->listen_count; i++) {
        char text[ADDR_TEXT_MAX];

        addr_format(&s->listen[i], text);
        json_array_append_new(list, json_string(text));
        if (!s->json)
            printf("hawser-relay: answering STUN on %s\n", text);
    }
    fflush(stdout);
    if (s->json)
        print_json(json_pack("{s{sO}}", "ready", "listen", list));
    json_decref(list);
}

static void say_totals(const struct settings *s, const struct server_totals *t)
{
    if (s->json)
        print_json(json_pack("{s{sIsIsI}}", "total", "received", (json_int_t)t->received,
                             "answered", (json_int_t)t->answered, "unsent", (json_int_t)t->unsent));
    else
        printf("hawser-relay: %" PRIu64 " datagrams received, %" PRIu64 " answered, %" PRIu64
               " answers not sent\n",
               t->received, t->answered, t->unsent);
}

static int serve(struct settings *s, struct server *server, const sigset_t *ends)
{
    struct server_totals totals;
    int code = listen_all(s, server);
    int ended_by;

    if (code == EXIT_OK) {
        say_ready(s);
        sigwait(ends, &ended_by);
    }
    totals = server_end(server);
    if (code == EXIT_OK)
        say_totals(s, &totals);
    return code;
}

int main(int argc, char **argv)
{
    struct settings settings = { .json = false };
    static struct server server;
    struct io_loop *loop;
    sigset_t ends;
    int code;

    if (!read_options(&settings, argc, argv, &code))
        return code;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread: sigwait() is to have them */
    if (io_loop_new(&loop))
        return fail(&settings, EXIT_FAILED, "no memory or no thread to be had");
    server_init(&server, loop);
    code = serve(&settings, &server, &ends);
    io_loop_free(loop);
    return code;
}

#include "tests/net/ends.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_log(void *ctx, enum hawser_log_level level, const char *line)
{
    usec now = net_now();

    (void)level;
    (void)fprintf(stderr, "%lld.%06lld %s: %s\n", (long long)(now / SECOND),
                  (long long)(now % SECOND), (const char *)ctx, line);
}

static bool set_option(const char *name, const char *value)
{
    int code = hawser_set_option(name, value);

    if (code)
        (void)fprintf(stderr, "option %s=%s: %s\n", name, value, hawser_strerror(code));
    return code == 0;
}

bool ends_begin(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "usage: %s HOME BROKER [OPTION=VALUE...]\n", argv[0]);
        return false;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    if (getenv("VERBOSE"))
        hawser_set_log(HAWSER_LOG_DEBUG, write_log, strrchr(argv[0], '/') + 1);
    if (!set_option("home", argv[1]) || !set_option("broker", argv[2]))
        return false;
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (!value)
            return false;
        *value = '\0';
        if (!set_option(argv[i], value + 1))
            return false;
    }
    return true;
}

bool ends_send(int handle, int channel, const void *data, int len)
{
    const char *at = data;

    for (int sent; len > 0; len -= sent, at += sent) {
        sent = hawser_send_data(handle, channel, at, len, -1);
        if (sent < 0)
            return false;
    }
    return true;
}

bool ends_receive(int handle, int channel, void *data, int len, int timeout_ms)
{
    char *at = data;

    for (int got; len > 0; len -= got, at += got) {
        got = hawser_recv_data(handle, channel, at, len, timeout_ms);
        if (got < 0)
            return false;
    }
    return true;
}

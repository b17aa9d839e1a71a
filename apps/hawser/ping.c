#include <stdio.h>
#include <string.h>
#include <time.h>

#include "apps/common/ask.h"
#include "apps/common/client.h"
#include "apps/common/clock.h"
#include "apps/common/describe.h"
#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "apps/hawser/commands.h"

struct pinger {
    int64_t count, interval_ms; /* count 0: until a signal */
    int64_t done;
    usec least, most, sum;
    int limit_ms; /* of one answer; 0: the usual */
    /* What was told of last. */
    char route[200], why_relayed[HAWSER_WHY_MAX];
};

/* Tells of each path that carries the session: first, as a rule, the one that was there first, then
 * better ones; also when there is none, and when the reason why it is relayed has changed. */
static void say_path(void *ctx, int handle)
{
    struct pinger *p = ctx;
    struct hawser_session_info info;
    char text[sizeof p->route];

    if (hawser_session_info(handle, &info))
        return;
    describe_route(&info, text, sizeof text);
    if (strcmp(text, p->route) == 0 && strcmp(info.why_relayed, p->why_relayed) == 0)
        return;
    memcpy(p->route, text, sizeof text);
    memcpy(p->why_relayed, info.why_relayed, sizeof p->why_relayed);
    say("path: %s", text);
    if (*info.why_relayed)
        say("      relayed: %s", info.why_relayed);
    if (info.direct_retry_us >= 0)
        say("      direct is tried next in %lld s", (long long)(info.direct_retry_us / SECOND));
    say_json(describe_session_json(handle));
}

static int ping_once(struct pinger *p, struct ask *ask)
{
    usec asked_at = clock_now(), spent;
    json_t *reply = ask_or_say(ask, "ping", "ping", NULL);

    if (!reply) /* a signal ends this one as it would have ended the pause before the next */
        return stop_asked() ? EXIT_CODE_OK : EXIT_CODE_FAILED;
    json_decref(reply);
    spent = clock_now() - asked_at;
    p->least = p->done ? usec_min(p->least, spent) : spent;
    p->most = usec_max(p->most, spent);
    p->sum += spent;
    p->done++;
    say("%lld: %.2f ms", (long long)p->done, (double)spent / 1000);
    say_json(json_pack("{sIsI}", "ping", (json_int_t)p->done, "us", (json_int_t)spent));
    return EXIT_CODE_OK;
}

static int ping_all(void *ctx, int handle)
{
    struct pinger *p = ctx;
    usec next_at = clock_now();
    struct ask ask;
    int code = EXIT_CODE_OK;

    ask_init(&ask, handle);
    ask.silence_ms = p->limit_ms ? p->limit_ms : ASK_SOON_MS;
    ask.waiting = say_path;
    ask.ctx = p;
    while (!code && !stop_asked() && (!p->count || p->done < p->count)) {
        struct timespec until = clock_timespec(next_at);

        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        next_at += p->interval_ms * MILLISECOND;
        say_path(p, handle);
        code = stop_asked() ? EXIT_CODE_OK : ping_once(p, &ask);
    }
    ask_deinit(&ask);
    if (p->done)
        say("%lld round trips: least %.2f, mean %.2f, most %.2f ms", (long long)p->done,
            (double)p->least / 1000, (double)p->sum / (double)p->done / 1000,
            (double)p->most / 1000);
    return code;
}

int command_ping(int argc, char **argv)
{
    struct pinger p = { .interval_ms = 1000 };
    const struct option_rule rules[] = {
        { "count", 'c', OPTION_NUMBER, &p.count, 1, INT64_MAX, "N  so many times" },
        { "interval", 'i', OPTION_NUMBER, &p.interval_ms, 10, 3600000, "MS  between two (1000)" },
    };
    struct options o = { 0 };
    const struct options_spec spec = {
        .usage = "ping [OPTIONS] ID",
        .about = "Sends requests on the control channel and prints how long each answer took,\n"
                 "and each path they took, until ^C, --count, or an answer that takes longer than\n"
                 "--timeout (10 seconds).",
        .rules = rules,
        .count = sizeof rules / sizeof *rules,
        .operands_least = 1,
        .operands_most = 1,
    };
    int first = options_parse(&o, &spec, argc, argv);

    p.limit_ms = o.timeout_ms;
    return first < 0 ? options_exit(first) : client_run(&o, argv[first], ping_all, &p);
}

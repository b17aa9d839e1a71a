#include "apps/common/options.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/common/heard.h"
#include "apps/common/home.h"
#include "apps/common/say.h"
#include "core/base/bytes.h"

enum { RULES_MAX = 32, LONG_ONLY = 256 };

/* All rules of one call, and what getopt_long() wants to know of them. */
struct table {
    const struct option_rule *rule[RULES_MAX];
    size_t count;
    struct option longs[RULES_MAX + 1];
    char letters[2 * RULES_MAX + 2];
};

static void table_add(struct table *t, const struct option_rule *rules, size_t count)
{
    for (size_t i = 0; i < count && t->count < RULES_MAX; i++) {
        const struct option_rule *r = &rules[i];
        bool takes_value = r->kind == OPTION_TEXT || r->kind == OPTION_NUMBER;
        size_t at = strlen(t->letters);

        t->longs[t->count] = (struct option){
            .name = r->name,
            .has_arg = takes_value ? required_argument : no_argument,
            .val = LONG_ONLY + (int)t->count,
        };
        if (r->letter) {
            t->letters[at] = r->letter;
            t->letters[at + 1] = takes_value ? ':' : '\0';
        }
        t->rule[t->count++] = r;
    }
}

static bool read_lan(struct options *o, const char *way)
{
    static const char *const names[] = {
        [HAWSER_LAN_AUTO] = "auto",
        [HAWSER_INTERNET_FIRST] = "internet",
        [HAWSER_LAN_FIRST] = "lan",
    };

    for (int i = HAWSER_LAN_AUTO; i <= HAWSER_LAN_FIRST; i++)
        if (strcmp(way, names[i]) == 0) {
            o->lan = (enum hawser_lan_mode)i;
            return true;
        }
    say_error("--lan: \"%s\" is none of auto, internet, lan", way);
    return false;
}

/* What getopt_long() answered: a letter, or the number of a long option. */
static const struct option_rule *table_find(const struct table *t, int answer)
{
    for (size_t i = 0; i < t->count; i++)
        if (answer == LONG_ONLY + (int)i || (answer == t->rule[i]->letter && answer))
            return t->rule[i];
    return NULL;
}

static bool set_number(const struct option_rule *r, const char *text)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < r->least || number > r->most) {
        say_error("--%s: \"%s\" is not a number from %lld to %lld", r->name, text,
                  (long long)r->least, (long long)r->most);
        return false;
    }
    *(int64_t *)r->value = number;
    return true;
}

static bool set_value(const struct option_rule *r, const char *text)
{
    switch (r->kind) {
    case OPTION_FLAG:
        *(bool *)r->value = true;
        break;
    case OPTION_COUNT:
        ++*(int *)r->value;
        break;
    case OPTION_TEXT:
        *(const char **)r->value = text;
        break;
    case OPTION_NUMBER:
        return set_number(r, text);
    }
    return true;
}

static void print_help(const struct options_spec *spec, const struct table *t)
{
    printf("usage: %s %s\n\n%s\n\n", program_invocation_short_name, spec->usage, spec->about);
    for (size_t i = 0; i < t->count; i++) {
        const struct option_rule *r = t->rule[i];
        const char *text = r->help;
        int argument = 0;
        char name[40];

        if (r->kind == OPTION_TEXT || r->kind == OPTION_NUMBER)
            argument = (int)strcspn(text, " ");
        snprintf(name, sizeof name, "--%s %.*s", r->name, argument, text);
        text += argument;
        printf("  %c%c%c %-22s %s\n", r->letter ? '-' : ' ', r->letter ? r->letter : ' ',
               r->letter ? ',' : ' ', name, text + strspn(text, " "));
    }
    printf("\nexit codes: 0 done, 1 failed (the message has the code), 2 wrong usage\n");
}

static bool read_options(const struct table *t, int argc, char **argv)
{
    int answer;

    optind = 0; /* glibc: start anew, also its own state */
    while ((answer = getopt_long(argc, argv, t->letters, t->longs, NULL)) != -1) {
        const struct option_rule *r = table_find(t, answer);

        if (!r) /* getopt_long() has said it, but to people alone */
            say_json(json_pack("{s{ss}}", "error", "text", "a wrong option; --help lists them"));
        if (!r || !set_value(r, optarg))
            return false;
    }
    return true;
}

static int check_operands(const struct options_spec *spec, int operands)
{
    const char *what = operands < spec->operands_least ? "something is missing" : "too much given";

    if (operands >= spec->operands_least && operands <= spec->operands_most)
        return optind;
    say_error("%s; usage: %s %s", what, program_invocation_short_name, spec->usage);
    return OPTIONS_WRONG;
}

/* Whoever started us may have closed 0, 1 or 2: a socket must not take their place. */
static void fill_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Whatever is wrong is to be told as JSON, so this one counts wherever it stands. */
static bool asks_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int options_parse(struct options *o, const struct options_spec *spec, int argc, char **argv)
{
    bool help = false;
    int64_t timeout_s = 0;
    const char *lan = "auto";
    const struct option_rule app[] = {
        { "as", 0, OPTION_TEXT, &o->label, 0, 0, "LABEL  use the key of this label" },
        { "lan", 0, OPTION_TEXT, &lan, 0, 0, "WAY  auto, internet (first) or lan (first)" },
        { "timeout", 0, OPTION_NUMBER, &timeout_s, 1, 30, "S  seconds to connect (15)" },
    };
    const struct option_rule servers[] = {
        { "broker", 0, OPTION_TEXT, &o->broker, 0, 0, "URL  mqtt://host:port or mqtts://..." },
        { "stun", 0, OPTION_TEXT, &o->stun, 0, 0, "LIST  host:port of STUN servers, by commas" },
        { "turn", 0, OPTION_TEXT, &o->turn, 0, 0,
          "LIST  turn:host[:port] or turns:... of relays, by commas;\n"
          "                             turn_username and turn_password belong in config.json" },
        { "verbose", 'v', OPTION_COUNT, &o->verbose, 0, 0, "what the library does; -vv: more" },
    };
    const struct option_rule home[] = {
        { "home", 0, OPTION_TEXT, &o->home, 0, 0, "DIR  keys, grants and config (~/.hawser)" },
    };
    const struct option_rule always[] = {
        { "json", 0, OPTION_FLAG, &o->json, 0, 0, "results as JSON, one object a line" },
        { "help", 'h', OPTION_FLAG, &help, 0, 0, "this text" },
    };
    struct table t = { 0 };

    fill_standard_descriptors();
    table_add(&t, spec->rules, spec->count);
    table_add(&t, app, spec->side == OPTIONS_APP ? COUNT(app) : 0);
    table_add(&t, servers, spec->side <= OPTIONS_DEVICE ? COUNT(servers) : 0);
    table_add(&t, home, spec->side <= OPTIONS_HOME ? COUNT(home) : 0);
    table_add(&t, always, COUNT(always));
    say_use_json(asks_json(argc, argv));
    if (!read_options(&t, argc, argv))
        return OPTIONS_WRONG;
    o->timeout_ms = (int)timeout_s * 1000;
    say_use_json(o->json);
    if (!read_lan(o, lan))
        return OPTIONS_WRONG;
    if (!help)
        return check_operands(spec, argc - optind);
    print_help(spec, &t);
    return OPTIONS_HELP;
}

int options_exit(int answer)
{
    return answer == OPTIONS_HELP ? EXIT_CODE_OK : EXIT_CODE_USAGE;
}

static void log_line(void *ctx, enum hawser_log_level level, const char *line)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };

    (void)ctx;
    heard_note(level, line);
    fprintf(stderr, "%s: %s\n", names[level], line);
}

int options_apply(const struct options *o)
{
    const struct {
        const char *name, *value;
    } settings[] = {
        { "home", o->home }, { "broker", o->broker }, { "stun", o->stun }, { "turn", o->turn }
    };
    int level = HAWSER_LOG_WARNING + o->verbose;

    home_set(o->home);

    hawser_set_log(level < HAWSER_LOG_DEBUG ? (enum hawser_log_level)level : HAWSER_LOG_DEBUG,
                   log_line, NULL);
    for (size_t i = 0; i < COUNT(settings); i++) {
        int error = settings[i].value ? hawser_set_option(settings[i].name, settings[i].value) : 0;

        if (error) {
            say_failure_with(error, "--help tells what it looks like.", "--%s %s", settings[i].name,
                             settings[i].value);
            return error;
        }
    }
    return 0;
}

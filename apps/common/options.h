/* options.h: the command line. A program or command names its options in a table; the common ones
 * come on top of it, and the help text is made from both. */
#ifndef HAWSER_APPS_COMMON_OPTIONS_H
#define HAWSER_APPS_COMMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hawser/hawser.h"

/* What every program that speaks to devices takes. Texts are borrowed from argv. */
struct options {
    const char *label;                       /* --as: which key under the home directory */
    const char *home, *broker, *stun, *turn; /* NULL: as configured */
    bool json;
    int verbose;              /* how many -v */
    enum hawser_lan_mode lan; /* --lan: by which way to connect */
    int timeout_ms;           /* of connecting, pairing and requests; 0: the usual */
};

/* Which of the common options a program takes: only those that change something. */
enum options_side {
    OPTIONS_APP,    /* all: it connects to devices */
    OPTIONS_DEVICE, /* it is one: other options say by which key, and apps connect to it */
    OPTIONS_HOME,   /* it speaks to nobody, but reads the home directory */
    OPTIONS_ALONE,  /* nor that */
};

enum option_kind { OPTION_FLAG, OPTION_COUNT, OPTION_TEXT, OPTION_NUMBER };

struct option_rule {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    void *value;         /* bool *, int *, const char ** or int64_t * */
    int64_t least, most; /* of a number */
    const char *help;    /* "DIR  what it does": the argument's name comes first */
};

struct options_spec {
    const char *usage; /* "get [OPTIONS] ID REMOTE LOCAL" */
    const char *about; /* a sentence or two */
    const struct option_rule *rules;
    size_t count;
    int operands_least, operands_most;
    enum options_side side;
};

enum { OPTIONS_HELP = -1, OPTIONS_WRONG = -2 };

/* Reads argv into *o and the rules' values. Returns the index of the first operand; OPTIONS_HELP
 * after printing help that was asked for; OPTIONS_WRONG after saying what is wrong. */
int options_parse(struct options *o, const struct options_spec *spec, int argc, char **argv);

/* The exit code that belongs to a negative answer. */
int options_exit(int answer);

/* Applies home, broker, stun, turn and -v to the library, before hawser_init(). 0, or a code that
 * has been said. */
int options_apply(const struct options *o);

#endif

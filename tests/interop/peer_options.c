#include "tests/interop/peer_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sctp/sctp.h"

static int usage(void)
{
    fprintf(stderr, "usage: peer --offer|--answer [OPTION...]: see tests/interop/peer_options.h\n");
    return 2;
}

static const struct option options[] = {
    { "offer", no_argument, NULL, 'o' },          { "answer", no_argument, NULL, 'a' },
    { "bytes", required_argument, NULL, 'b' },    { "echo", no_argument, NULL, 'e' },
    { "give", no_argument, NULL, 'g' },           { "take", no_argument, NULL, 'k' },
    { "seconds", required_argument, NULL, 's' },  { "turn", required_argument, NULL, 't' },
    { "deadline", required_argument, NULL, 'd' }, { "user", required_argument, NULL, 'u' },
    { "password", required_argument, NULL, 'p' }, { "no-sped", no_argument, NULL, 'D' },
    { "no-snap", no_argument, NULL, 'S' },        { "relay-only", no_argument, NULL, 'r' },
    { "expect", required_argument, NULL, 'x' },   { "without", required_argument, NULL, 'w' },
    { "agreed", required_argument, NULL, 'A' },   { NULL, 0, NULL, 0 },
};

/* False: one of them is unknown. */
static bool read_extensions(unsigned *bits, const char *text)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {
        { "i-data", SCTP_I_DATA },
        { "zero-checksum", SCTP_ZERO_CHECKSUM },
        { "forward-tsn", SCTP_FORWARD_TSN },
        { "parts", SCTP_PARTS },
        { "none", 0 },
    };

    *bits = 0;
    for (size_t len; *text; text += len + (text[len] == ',')) {
        size_t i = 0;

        len = strcspn(text, ",");
        while (i < COUNT(names) &&
               (strlen(names[i].name) != len || memcmp(names[i].name, text, len) != 0))
            i++;
        if (i == COUNT(names))
            return false;
        *bits |= names[i].bit;
    }
    return true;
}

/* False: no such option, or no such value. */
static bool take_option(struct peer_options *o, int c, const char *value)
{
    switch (c) {
    case 'o':
    case 'a':
        o->is_offerer = c == 'o';
        return o->has_role = true;
    case 'b':
        o->bytes = strtoull(value, NULL, 10);
        return true;
    case 'e':
        return (o->task = PEER_ECHO);
    case 'g':
        o->bytes = UINT64_MAX;
        return (o->task = PEER_GIVE);
    case 'k':
        return (o->task = PEER_TAKE);
    case 's':
        return (o->flow_us = (usec)(strtod(value, NULL) * SECOND)) > 0;
    case 'd':
        o->deadline_us = strtoll(value, NULL, 10) * SECOND;
        return true;
    case 'D':
        return o->no_sped = true;
    case 'S':
        return o->no_snap = true;
    case 'r':
        return o->is_relay_only = true;
    case 'x':
        return (o->expected = value);
    case 'w':
        return read_extensions(&o->without, value);
    case 'A':
        return read_extensions(&o->agreed, value);
    case 't':
        return addr_parse(&o->turn, value);
    case 'u':
        return (o->user = value);
    case 'p':
        return (o->password = value);
    default:
        return false;
    }
}

int peer_options_read(struct peer_options *o, int argc, char **argv)
{
    int c;

    o->bytes = 1 << 20;
    o->deadline_us = 60 * SECOND;
    o->flow_us = 3 * SECOND;
    o->agreed = ANY_AGREED;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(o, c, optarg))
            return usage();
    return o->has_role ? 0 : usage();
}

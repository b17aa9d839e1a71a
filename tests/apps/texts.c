/* What people read: amounts, progress, options and their mistakes. */
#include <stdlib.h>

#include "apps/common/describe.h"
#include "apps/common/heard.h"
#include "apps/common/options.h"
#include "apps/common/progress.h"
#include "apps/common/qr.h"
#include "apps/common/say.h"
#include "core/base/bytes.h"
#include "tests/check.h"

TEST(amounts_have_units)
{
    static const struct {
        double bytes;
        const char *text;
    } rows[] = {
        { 0, "0 B" },
        { 1023, "1023 B" },
        { 1024, "1.0 KiB" },
        { 67108864, "64.0 MiB" },
        { 1.5 * 1024 * 1024 * 1024, "1.5 GiB" },
        { 5e18, "4547473.5 TiB" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[32];

        progress_format_bytes(rows[i].bytes, text, sizeof text);
        CHECK(rows[i].text, strcmp(text, rows[i].text) == 0);
    }
}

TEST(progress_tells_how_far_how_fast_and_when)
{
    static const struct {
        const char *claim;
        uint64_t size, first, done;
        usec spent;
        const char *part;
    } rows[] = {
        { "half", 2048, 0, 1024, SECOND, "[############............]  50 %" },
        { "rate and time left", 4096, 0, 1024, SECOND, "1.0 KiB/s  3 s left" },
        { "what was there does not count", 4096, 1024, 2048, 2 * SECOND, "512 B/s  4 s left" },
        { "minutes", 601 * 1024, 0, 1024, SECOND, "10 min 00 s left" },
        { "hours", 7201 * 1024, 0, 1024, SECOND, "2 h 00 min left" },
        { "nothing yet", 10, 0, 0, 0, "  0 %  0 B  0 B/s  ? left" },
        { "all", 10, 0, 10, SECOND, "[########################] 100 %" },
        { "size unknown", 0, 0, 1024, SECOND, "file  1.0 KiB  1.0 KiB/s" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct progress p = { .what = "file", .size = rows[i].size, .first = rows[i].first };
        char text[200];

        progress_format(&p, rows[i].done, rows[i].spent, text, sizeof text);
        CHECK(rows[i].claim, strstr(text, rows[i].part));
    }
}

TEST(options_are_read_by_their_rules)
{
    static const struct {
        const char *claim, *args[5];
        int first; /* operand, or why there is none */
    } rows[] = {
        { "operands only", { "x" }, 1 },
        { "a flag", { "-f", "x" }, 2 },
        { "after the operand too", { "x", "--flag" }, 2 },
        { "text by its letter", { "-t", "abc", "x" }, 3 },
        { "text by its name", { "--text=abc", "x" }, 2 },
        { "a number", { "-n", "7", "x" }, 3 },
        { "too small", { "-n", "0", "x" }, OPTIONS_WRONG },
        { "too large", { "-n", "11", "x" }, OPTIONS_WRONG },
        { "no number", { "-n", "7x", "x" }, OPTIONS_WRONG },
        { "overflow", { "-n", "99999999999999999999", "x" }, OPTIONS_WRONG },
        { "value missing", { "x", "-t" }, OPTIONS_WRONG },
        { "unknown", { "--fly", "x" }, OPTIONS_WRONG },
        { "no operand", { "-f" }, OPTIONS_WRONG },
        { "one too many", { "x", "y" }, OPTIONS_WRONG },
        { "after two dashes", { "--", "-x" }, 2 },
        { "help", { "--help" }, OPTIONS_HELP },
        { "a common option", { "--timeout", "30", "x" }, 3 },
        { "out of its range", { "--timeout", "31", "x" }, OPTIONS_WRONG },
        { "a way there is", { "--lan", "internet", "x" }, 3 },
        { "a way there is not", { "--lan", "wan", "x" }, OPTIONS_WRONG },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        bool flag = false;
        const char *text = "";
        int64_t number = 0;
        const struct option_rule rules[] = {
            { "flag", 'f', OPTION_FLAG, &flag, 0, 0, "a flag" },
            { "text", 't', OPTION_TEXT, &text, 0, 0, "TEXT  a text" },
            { "number", 'n', OPTION_NUMBER, &number, 1, 10, "N  a number" },
        };
        const struct options_spec spec = { .usage = "[OPTIONS] X",
                                           .about = "For a test.",
                                           .rules = rules,
                                           .count = COUNT(rules),
                                           .operands_least = 1,
                                           .operands_most = 1 };
        char *argv[7] = { (char[]){ "test" } };
        struct options o = { 0 };
        int argc = 1;

        while (argc < 6 && rows[i].args[argc - 1]) {
            argv[argc] = strdup(rows[i].args[argc - 1]);
            argc++;
        }
        CHECK(rows[i].claim, options_parse(&o, &spec, argc, argv) == rows[i].first);
        CHECK("the number", number == 0 || number == 7);
        CHECK("the way", o.lan == HAWSER_LAN_AUTO || o.lan == HAWSER_INTERNET_FIRST);
        CHECK("the timeout", o.timeout_ms == 0 || o.timeout_ms == 30000);
        for (int j = 1; j < argc; j++) /* getopt_long() has only moved them */
            free(argv[j]);
    }
}

TEST(who_has_no_use_for_an_option_does_not_take_it)
{
    static const struct {
        const char *claim, *option;
        enum options_side last; /* that takes it */
    } rows[] = {
        { "a time to connect in", "--timeout=5", OPTIONS_APP },
        { "a key to connect with", "--as=x", OPTIONS_APP },
        { "a way to connect by", "--lan=auto", OPTIONS_APP },
        { "a broker", "--broker=mqtt://x", OPTIONS_DEVICE },
        { "a relay", "--turn=turn:x", OPTIONS_DEVICE },
        { "a home directory", "--home=x", OPTIONS_HOME },
        { "help", "--help", OPTIONS_ALONE },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        for (int side = OPTIONS_APP; side <= OPTIONS_ALONE; side++) {
            const struct options_spec spec = { .usage = "",
                                               .about = "",
                                               .side = (enum options_side)side };
            char option[32], *argv[] = { (char[]){ "test" }, option, NULL };
            struct options o = { 0 };
            bool wrong;

            snprintf(option, sizeof option, "%s", rows[i].option);
            wrong = options_parse(&o, &spec, 2, argv) == OPTIONS_WRONG;
            CHECK(rows[i].claim, wrong == (side > (int)rows[i].last));
        }
}

TEST(codes_come_with_advice)
{
    CHECK("to pair", strstr(say_advice(HAWSER_ERR_UNAUTHORISED), "hawser pair"));
    CHECK("a relay", strstr(say_advice(HAWSER_ERR_NO_PATH), "turn in config.json"));
    CHECK("none for what explains itself", !say_advice(HAWSER_ERR_CLOSED_LOCALLY));
    CHECK("a path", strcmp(describe_path(HAWSER_PATH_RELAYED), "relayed") == 0);
    CHECK("none known", strcmp(describe_path((enum hawser_path_kind)9), "unknown") == 0);
}

static void note_nothing(void)
{
    heard_note(HAWSER_LOG_WARNING, "the broker could not be kept in config.json");
    heard_note(HAWSER_LOG_ERROR, "no home directory");
    heard_note(HAWSER_LOG_INFO, "hw1x at the broker: online (mqtt://replaced)");
}

TEST(the_log_makes_for_better_advice)
{
    note_nothing();
    CHECK("config.json is sound until an error names it", !heard_bad_config());
    CHECK("our place is ours until the broker says so", !heard_replaced());
    heard_note(HAWSER_LOG_ERROR, "a/config.json, line 1, column 2: not JSON");
    heard_note(HAWSER_LOG_WARNING, "hw1x at the broker: replaced (another connection)");
    CHECK("config.json is broken", heard_bad_config());
    CHECK("somebody took our place", heard_replaced());
}

TEST(no_path_has_no_addresses)
{
    struct hawser_session_info info = { .path = HAWSER_PATH_NONE, .rtt_us = 1000 };
    char text[200];

    describe_session(&info, text, sizeof text);
    CHECK("none", strcmp(text, "none, looking for one") == 0);
    info.path = HAWSER_PATH_LAN;
    memcpy(info.local_address, "a:1", 4);
    memcpy(info.remote_address, "b:2", 4);
    describe_session(&info, text, sizeof text);
    CHECK("one", strcmp(text, "lan a:1 - b:2, round trip 1.0 ms") == 0);
}

TEST(what_peers_name_does_not_speak_to_the_terminal)
{
    static const struct {
        const char *claim, *text, *plain;
    } rows[] = {
        { "plain text stays", "clip 1.mp4\n", "clip 1.mp4\n" },
        { "and other scripts", "\xc3\xa9t\xc3\xa9 \xe5\xa4\x8f", "\xc3\xa9t\xc3\xa9 \xe5\xa4\x8f" },
        { "an escape", "\033]0;owned\007.mp4", "?]0;owned?.mp4" },
        { "a carriage return", "good\rbad", "good?bad" },
        { "delete", "a\177b", "a?b" },
        { "a C1 control",
          "a\xc2\x9b"
          "2J",
          "a??2J" },
        { "a lone byte at the end", "a\xc2", "a\xc2" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[64];

        snprintf(text, sizeof text, "%s", rows[i].text);
        say_make_plain(text);
        CHECK(rows[i].claim, strcmp(text, rows[i].plain) == 0);
    }
}

TEST(a_qr_code_is_square)
{
    char buf[20000] = "", *line = buf;
    FILE *out = fmemopen(buf, sizeof buf, "w");
    size_t lines = 0;

    CHECK("printed", qr_print(out, "hawser:test") == 0);
    fclose(out);
    while ((line = strchr(line, '\n'))) {
        line++;
        lines++;
    }
    CHECK("version 1 and its margin, two modules a line", lines == (21 + 2 * 2 + 1) / 2);
}

TESTS(TEST_ROW(amounts_have_units), TEST_ROW(progress_tells_how_far_how_fast_and_when),
      TEST_ROW(options_are_read_by_their_rules),
      TEST_ROW(who_has_no_use_for_an_option_does_not_take_it), TEST_ROW(codes_come_with_advice),
      TEST_ROW(the_log_makes_for_better_advice), TEST_ROW(no_path_has_no_addresses),
      TEST_ROW(what_peers_name_does_not_speak_to_the_terminal), TEST_ROW(a_qr_code_is_square))

#include "apps/common/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "apps/common/heard.h"
#include "apps/common/home.h"
#include "core/base/bytes.h"
#include "hawser/hawser.h"

enum { TEXT_MAX = 4096 };

static bool use_json;

static const struct {
    int code;
    const char *text;
} advice[] = {
    { HAWSER_ERR_TIMEOUT, "Is the broker reachable, and the device's program running?" },
    { HAWSER_ERR_INVALID, "Check the ID and the options; -v shows what the library found." },
    { HAWSER_ERR_OFFLINE, "Is the device's program running, and with the same broker?" },
    { HAWSER_ERR_NO_PATH,
      "Something between the two blocks UDP; try another network, --stun, or a relay: turn "
      "in config.json." },
    { HAWSER_ERR_LOST, "The network may have changed; try again." },
    { HAWSER_ERR_NO_PORT, "Check the option \"bind\" and the limits on UDP sockets." },
    { HAWSER_ERR_SESSION_LIMIT, "Close another session, or raise the limit." },
    { HAWSER_ERR_PRIVACY_REFUSED, "Switch privacy mode off at the device." },
    { HAWSER_ERR_NO_SENDER, "Can the device read its source? Its own messages say more." },
    { HAWSER_ERR_DEVICE_FULL, "Close another viewer, or raise the device's --max-sessions." },
    { HAWSER_ERR_UNAUTHORISED, "Pair first: hawser pair 'hawser:...' with the device's line." },
    { HAWSER_ERR_IN_CALL, "Try again when the call is over." },
};

void say_use_json(bool json)
{
    use_json = json;
}

bool say_is_json(void)
{
    return use_json;
}

const char *say_advice(int code)
{
    for (size_t i = 0; i < COUNT(advice); i++)
        if (advice[i].code == code)
            return advice[i].text;
    return NULL;
}

void say_make_plain(char *text)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        bool is_c1 = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0; /* U+0080…U+009F in UTF-8 */

        if (is_c1)
            *at++ = '?';
        if ((*at < 0x20 && *at != '\n') || *at == 0x7f || is_c1)
            *at = '?';
    }
}

/* Names of files and reasons may come from a peer; they must not speak to the terminal. */
static void format_plain(char text[TEXT_MAX], const char *format, va_list args)
{
    vsnprintf(text, TEXT_MAX, format, args);
    say_make_plain(text);
}

int say_error(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    format_plain(text, format, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    say_json(json_pack("{s{ss}}", "error", "text", text));
    return EXIT_CODE_FAILED;
}

/* Whoever has taken our place at the broker gets what was meant for us. */
static bool is_from_replacing(int code)
{
    return heard_replaced() && (code == HAWSER_ERR_TIMEOUT || code == HAWSER_ERR_OFFLINE);
}

static void fail(int code, const char *more, const char *format, va_list args)
{
    char text[TEXT_MAX];

    if (is_from_replacing(code))
        more = "Another program uses the same key: give this one a key of its own, --as LABEL.";
    format_plain(text, format, args);
    fprintf(stderr, "%s: %s: %s (%d)\n", program_invocation_short_name, text, hawser_strerror(code),
            code);
    if (more)
        fprintf(stderr, "    %s\n", more);
    say_json(json_pack("{s{sissss}}", "error", "code", code, "text", hawser_strerror(code), "while",
                       text));
}

int say_failure(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(code, say_advice(code), format, args);
    va_end(args);
    return EXIT_CODE_FAILED;
}

int say_failure_with(int code, const char *more, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fail(code, more, format, args);
    va_end(args);
    return EXIT_CODE_FAILED;
}

int say_key_failure(int code, const char *label)
{
    char home[HOME_PATH_MAX];

    if (heard_bad_config())
        return say_failure_with(code, "It cannot be used, as told above: mend it, or move it away.",
                                "%s/config.json", home_get(home));
    if (code != HAWSER_ERR_INVALID)
        return say_failure(code, "the key \"%s\"", label);
    return say_failure_with(code,
                            "A label is 1 to 64 of A-Z a-z 0-9 . _ @ -, and the home directory "
                            "(--home) must be writable.",
                            "the key \"%s\"", label);
}

static void say_to(FILE *stream, const char *format, va_list args)
{
    char text[TEXT_MAX];

    if (use_json)
        return;
    format_plain(text, format, args);
    fprintf(stream, "%s\n", text);
    fflush(stream);
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_to(stdout, format, args);
    va_end(args);
}

void say_aside(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say_to(stderr, format, args);
    va_end(args);
}

void say_json(json_t *object)
{
    if (use_json && object) {
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
    }
    json_decref(object);
}

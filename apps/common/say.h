/* say.h: what the programs tell people (stderr, or stdout for results) and scripts (--json: one
 * JSON object a line on stdout). */
#ifndef HAWSER_APPS_COMMON_SAY_H
#define HAWSER_APPS_COMMON_SAY_H

#include <jansson.h>
#include <stdbool.h>

/* What every program of this project exits with. */
enum exit_code { EXIT_CODE_OK = 0, EXIT_CODE_FAILED = 1, EXIT_CODE_USAGE = 2 };

/* From now on results and failures are JSON. */
void say_use_json(bool json);
bool say_is_json(void);

/* "program: ..." on stderr; as JSON {"error":{"text":"..."}}. Returns EXIT_CODE_FAILED. */
int say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a code of the library, its text, and advice what to do about it. */
int say_failure(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same where there is better advice than the code's usual one (`more`); NULL: none. */
int say_failure_with(int code, const char *more, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a key that cannot be read or made, or a config.json that came first. */
int say_key_failure(int code, const char *label);

/* A line for people on stdout; nothing with --json. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A line for people on stderr; nothing with --json. */
void say_aside(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints and releases an object; nothing without --json. */
void say_json(json_t *object);

/* Replaces by ? what a terminal would obey: control characters but the newline. What the functions
 * above print has gone through it. */
void say_make_plain(char *text);

/* What to do about a code; NULL where there is nothing more to say. */
const char *say_advice(int code);

#endif

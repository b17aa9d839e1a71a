#include "core/base/err.h"

#define AS_CASE(name, value, text) \
    case ERR_##name:               \
        return text;
const char *err_string(enum err err)
{
    switch (err) {
        ERRORS(AS_CASE)
    }
    return "unknown error";
}

#define AS_TEXT(name, text) [VERDICT_##name] = (text),
static const char *const verdict_texts[VERDICT_COUNT] = { VERDICTS(AS_TEXT) };

const char *verdict_string(enum verdict verdict)
{
    return (unsigned)verdict < VERDICT_COUNT ? verdict_texts[verdict] : "unknown verdict";
}

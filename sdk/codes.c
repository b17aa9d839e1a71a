/* codes.c: what each code means, in words. */
#include "hawser/hawser.h"

#include <stddef.h>

static const struct {
    int code;
    const char *text;
} codes[] = {
#define AS_ROW(name, value, text) { value, text },
    HAWSER_CODES(AS_ROW)
#undef AS_ROW
};

const char *hawser_strerror(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return codes[i].text;
    if (code > 0)
        return codes[0].text; /* a handle or a length */
    if (code <= -100 && code > -1000)
        return "the device closed the session for a reason of its own";
    return "unknown code";
}

const char *hawser_get_version(void)
{
    return "0.1.0"; /* that of CMakeLists.txt */
}

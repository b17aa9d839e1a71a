/* Address texts come from candidates and options. Whatever parses must print and parse back. */
#include "core/base/addr.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char text[128], printed[ADDR_TEXT_MAX];
    struct addr a, again;

    if (len >= sizeof text)
        return 0;
    memcpy(text, data, len);
    text[len] = 0;
    if (addr_parse(&a, text)) {
        addr_format(&a, printed);
        assert(addr_parse(&again, printed) && addr_equal(&a, &again));
    }
    return 0;
}

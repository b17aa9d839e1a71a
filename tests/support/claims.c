#include "tests/support/claims.h"

void claims_change(json_t *claims, const char *member, const char *json)
{
    (void)json_object_del(claims, member);
    if (json)
        (void)json_object_set_new(claims, member, json_loads(json, JSON_DECODE_ANY, NULL));
}

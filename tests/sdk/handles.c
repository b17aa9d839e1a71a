/* handles.c: the numbers that the application holds. */
#include "core/base/err.h"
#include "sdk/handles.h"
#include "tests/check.h"

TEST(handles_are_not_reused_soon)
{
    struct handles h;
    int object, first, handle = -1, seen = 0;

    CHECK("made", handles_init(&h, 2) == ERR_OK);
    first = handles_add(&h, &object);
    CHECK("found", first >= 0 && handles_find(&h, first) == &object);
    CHECK("another", handles_add(&h, &handle) >= 0);
    CHECK("no more", handles_add(&h, &object) == ERR_LIMIT);
    handles_remove(&h, first);
    CHECK("gone", handles_find(&h, first) == NULL);
    handles_remove(&h, first); /* again: nothing happens */
    for (int i = 0; i < 100000; i++) {
        handle = handles_add(&h, &object);
        seen += handle == first;
        CHECK("usable", handle >= 0);
        handles_remove(&h, handle);
    }
    CHECK("never again the first", seen == 0 && handles_find(&h, first) == NULL);
    CHECK("nonsense is unknown", !handles_find(&h, -1) && !handles_find(&h, 0x7fffffff));
    handles_deinit(&h);
}

TESTS(TEST_ROW(handles_are_not_reused_soon))

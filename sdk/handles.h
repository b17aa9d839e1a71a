/* handles.h: numbers for the application in place of pointers. Under the library's lock.
 *
 * A number holds the slot's index and how often the slot was used; freed slots queue up behind the
 * others. So a closed handle stays unknown for 2^19 - 1 openings of its slot. */
#ifndef HAWSER_SDK_HANDLES_H
#define HAWSER_SDK_HANDLES_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define HANDLES_MAX 4096 /* slots; 12 bits of a handle */

struct handle_slot {
    void *object;   /* NULL: free */
    uint32_t round; /* how often it was taken */
    uint32_t next;  /* of the free ones */
};

struct handles {
    struct handle_slot *slot;
    uint32_t slot_count, used;
    uint32_t free_first, free_last; /* slot_count: none */
};

/* ERR_NOMEM. count: 1…HANDLES_MAX. */
int handles_init(struct handles *h, size_t count);
void handles_deinit(struct handles *h);

/* A number >= 0, or ERR_LIMIT. */
int handles_add(struct handles *h, void *object);
void *handles_find(const struct handles *h, int handle); /* NULL: unknown */
void handles_remove(struct handles *h, int handle);      /* unknown is fine */

#endif

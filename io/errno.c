#include "io/errno.h"

#include <errno.h>

int errno_decode(int error, int other)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
        return ERR_LIMIT;
    case ENOMEM:
    case ENOBUFS:
        return ERR_NOMEM;
    default:
        return other;
    }
}

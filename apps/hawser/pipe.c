#include "apps/hawser/pipe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "apps/common/say.h"
#include "apps/common/stop.h"
#include "hawser/hawser.h"

enum { PIECE = 65536 };

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t done = write(fd, data, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return say_error("writing: %s", strerror(errno));
        data += done;
        len -= (size_t)done;
    }
    return EXIT_CODE_OK;
}

int pipe_receive(int handle, int channel, int fd, const atomic_ullong *most, uint64_t *done)
{
    static char buf[PIECE];

    unsigned long long limit;

    while (!stop_asked() && *done < (limit = atomic_load(most))) {
        int room = limit - *done < PIECE ? (int)(limit - *done) : PIECE;
        int got = hawser_recv_data(handle, channel, buf, room, STOP_POLL_MS);

        if (got == HAWSER_ERR_TIMEOUT)
            continue;
        if (got < 0)
            return got;
        if (fd != PIPE_NOWHERE && write_all(fd, buf, (size_t)got))
            return EXIT_CODE_FAILED;
        *done += (uint64_t)got;
    }
    return 0;
}

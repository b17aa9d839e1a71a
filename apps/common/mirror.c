#include "apps/common/mirror.h"

#include "apps/common/flow.h"
#include "hawser/hawser.h"

enum { PIECE = 65536 };

void mirror_channel(int handle, int channel)
{
    uint8_t buf[PIECE];
    int got;

    do {
        got = hawser_recv_data(handle, channel, buf, sizeof buf, -1);
    } while (got > 0 &&
             flow_send(handle, channel, bytes_of(buf, (size_t)got), FLOW_PATIENT_MS) == 0);
}

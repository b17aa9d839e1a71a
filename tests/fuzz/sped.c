/* Calls on what carries DTLS in checks, and what authenticated but hostile checks carry. Input: a
 * byte that chooses the call, for some a byte of length and so many bytes. */
#include "core/session/sped.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct bytes take(struct rd *r)
{
    size_t most = rd_left(r), wanted = rd_u8(r) * 4u + 1;

    return rd_bytes(r, wanted < most ? wanted : most ? most - 1 : 0);
}

static void hear(struct sped *p, struct rd *r, uint8_t how)
{
    struct ice_sped in = { .is_on = how & 1, .has_data = how & 2 };

    if (how & 1)
        in.acks = take(r);
    if (how & 2)
        in.data = take(r);
    if (how & 4)
        (void)sped_input_plain(p, in.data);
    else if (sped_input(p, &in))
        assert(in.data.len && in.data.data[0] >= 20 && in.data.data[0] <= 63);
}

static void check(struct sped *p)
{
    struct ice_sped out;

    sped_get(p, &out);
    assert(out.is_on == (p->state == SPED_CARRYING || p->state == SPED_ACKING));
    assert(out.has_data == (p->state == SPED_CARRYING));
    assert(out.acks.len % 4 == 0 && out.acks.len <= 4 * SPED_ACKS_MAX);
    assert(out.data.len <= SPED_MTU && (out.data.len > 0) == sped_has_pending(p));
    assert((p->flight != NULL) == (p->state == SPED_CARRYING));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rd r = rd_of(bytes_of(data, len));
    struct sped p = { .state = SPED_OFF };

    while (rd_left(&r)) {
        uint8_t call = rd_u8(&r);

        switch (call & 7) {
        case 0:
            (void)sped_start(&p);
            break;
        case 1:
            sped_begin_flight(&p);
            break;
        case 2:
            sped_add(&p, take(&r));
            break;
        case 3:
            sped_sent(&p);
            break;
        case 4:
            sped_finish(&p, call & 8);
            break;
        default:
            hear(&p, &r, call >> 3);
            break;
        }
        check(&p);
    }
    sped_deinit(&p);
    return 0;
}

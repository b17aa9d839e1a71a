/* record.h: the records of channel 1 (video) and channel 2 (audio).
 *
 *     | length 4 | kind 1 | flags 1 | pts 8 | body |
 *                '----- length: at most RECORD_BYTES_MAX
 *
 * All numbers are big-endian; pts is in microseconds, two's complement. A stream is PARAMETERS,
 * then UNITs exactly as they were demuxed, then END. PARAMETERS may come again when the codec's
 * set-up changes.
 *
 *     PARAMETERS: media 1, codec name length 1, codec name, time base 4/4, width 4, height 4,
 *                 sample rate 4, channels 2, frame size 4, profile 4, level 4, extradata: the rest
 *     UNIT:       dts 8, duration 8 (microseconds), the access unit: the rest
 *     END:        how many units were sent 8
 *
 * Times are microseconds, so that any receiver can use them; PARAMETERS tells the source's time
 * base, and back in ticks of it every time is exact as long as a tick is longer than 1 us. */
#ifndef HAWSER_APPS_COMMON_RECORD_H
#define HAWSER_APPS_COMMON_RECORD_H

#include "core/base/bytes.h"

#define RECORD_BYTES_MAX      (16u << 20) /* after the length: a key frame of 8K video fits */
#define RECORD_EXTRADATA_MAX  65536u
#define RECORD_CODEC_MAX      32                      /* with NUL */
#define RECORD_HEAD_BYTES     (4 + 1 + 1 + 8 + 8 + 8) /* of a UNIT, up to its access unit */
#define RECORD_PARAMETERS_MAX (4 + 10 + 2 + RECORD_CODEC_MAX + 34 + RECORD_EXTRADATA_MAX)

enum record_kind { RECORD_PARAMETERS = 1, RECORD_UNIT, RECORD_END };
enum record_media { RECORD_VIDEO = 1, RECORD_AUDIO };
enum record_flag { RECORD_KEY = 1, RECORD_DISCARD = 2 }; /* decode, but do not show */

struct record_parameters {
    enum record_media media;
    char codec[RECORD_CODEC_MAX]; /* FFmpeg's name: "h264", "aac" */
    uint32_t tick_num, tick_den;  /* one tick is num / den seconds */
    uint32_t width, height;       /* pixels; 0 for audio */
    uint32_t sample_rate;         /* 0 for video */
    uint16_t channels;
    uint32_t frame_size;    /* samples in one unit of audio, 0 if it varies */
    int32_t profile, level; /* FFmpeg's numbers; -99: unknown */
    struct bytes extradata; /* borrowed; of H.264 in MP4 this is the avcC box */
};

struct record {
    enum record_kind kind;
    uint8_t flags; /* enum record_flag */
    int64_t pts_us;
    union {
        struct record_parameters parameters;
        struct {
            int64_t dts_us, duration_us;
            struct bytes data; /* borrowed */
        } unit;
        uint64_t unit_count; /* of END */
    };
};

/* Reads what follows a length. NULL and *out filled in, or what is wrong with it. What *out
 * borrows lives as long as the body. */
const char *record_decode(struct record *out, struct bytes body);

/* Writes length, kind and the rest. A UNIT's access unit is not copied, only counted in the
 * length: the sender sends it right after. w->ok turns false if there is no room, or if the
 * record is longer than a decoder would take. */
void record_encode(struct wr *w, const struct record *r);

/* Between microseconds and ticks of the time base, to the nearest; INT64_MIN stays itself. */
int64_t record_us_of_ticks(int64_t ticks, uint32_t tick_num, uint32_t tick_den);
int64_t record_ticks_of_us(int64_t us, uint32_t tick_num, uint32_t tick_den);

#endif

#include "apps/camera/source.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(AV_TIME_BASE == 1000000, "the times of a whole file are microseconds");

struct source {
    AVFormatContext *file;
    AVStream *stream; /* of file */
    AVPacket *packet; /* the unit that is lent out */
    enum record_media media;
    int64_t next_dts; /* in ticks: for units that the container stores without */
};

static int fail(struct source **out, char why[SOURCE_WHY_MAX], const char *path, int error)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";

    av_strerror(error, text, sizeof text);
    snprintf(why, SOURCE_WHY_MAX, "%s: %s", path, text);
    source_close(*out);
    *out = NULL;
    return SOURCE_FAILED;
}

static int pick_stream(struct source *s)
{
    enum AVMediaType type = s->media == RECORD_VIDEO ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;
    int index = av_find_best_stream(s->file, type, -1, -1, NULL, 0);

    if (index < 0 || s->file->streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC)
        return SOURCE_NONE; /* the picture on a record's sleeve is no video */
    for (unsigned i = 0; i < s->file->nb_streams; i++)
        if (i != (unsigned)index)
            s->file->streams[i]->discard = AVDISCARD_ALL;
    s->stream = s->file->streams[index];
    return 0;
}

int source_open(struct source **out, const char *path, enum record_media media,
                char why[SOURCE_WHY_MAX])
{
    struct source *s = *out = calloc(1, sizeof *s);
    int error;

    if (!s)
        return fail(out, why, path, AVERROR(ENOMEM));
    s->media = media;
    s->next_dts = AV_NOPTS_VALUE;
    s->packet = av_packet_alloc();
    error = s->packet ? avformat_open_input(&s->file, path, NULL, NULL) : AVERROR(ENOMEM);
    if (error >= 0)
        error = avformat_find_stream_info(s->file, NULL);
    if (error < 0)
        return fail(out, why, path, error);
    if (pick_stream(s) == 0)
        return 0;
    source_close(s);
    *out = NULL;
    return SOURCE_NONE;
}

void source_close(struct source *s)
{
    if (!s)
        return;
    av_packet_free(&s->packet);
    avformat_close_input(&s->file);
    free(s);
}

static struct bytes extradata_of(const struct source *s)
{
    const AVCodecParameters *c = s->stream->codecpar;
    size_t changed_len = 0;
    const uint8_t *changed =
        av_packet_get_side_data(s->packet, AV_PKT_DATA_NEW_EXTRADATA, &changed_len);

    return changed ? bytes_of(changed, changed_len)
                   : bytes_of(c->extradata, (size_t)c->extradata_size);
}

void source_parameters(const struct source *s, struct record *out)
{
    const AVCodecParameters *c = s->stream->codecpar;
    bool is_video = s->media == RECORD_VIDEO;
    struct record_parameters *p = &out->parameters;

    *out = (struct record){ .kind = RECORD_PARAMETERS };
    p->media = s->media;
    snprintf(p->codec, sizeof p->codec, "%s", avcodec_get_name(c->codec_id));
    p->tick_num = (uint32_t)s->stream->time_base.num;
    p->tick_den = (uint32_t)s->stream->time_base.den;
    p->width = is_video ? (uint32_t)c->width : 0;
    p->height = is_video ? (uint32_t)c->height : 0;
    p->sample_rate = is_video ? 0 : (uint32_t)c->sample_rate;
    p->channels = is_video ? 0 : (uint16_t)c->ch_layout.nb_channels;
    p->frame_size = is_video ? 0 : (uint32_t)c->frame_size;
    p->profile = c->profile;
    p->level = c->level;
    p->extradata = extradata_of(s);
}

/* Matroska stores no decoding times, and libavformat cannot always tell them: then a unit is taken
 * to be decoded when the one before it is over, the first as early as frames are reordered. */
static void fill_dts(struct source *s, AVPacket *p)
{
    AVRational rate = s->stream->avg_frame_rate;

    if (p->dts == AV_NOPTS_VALUE && s->next_dts == AV_NOPTS_VALUE && rate.num)
        s->next_dts =
            -av_rescale_q(s->stream->codecpar->video_delay, av_inv_q(rate), s->stream->time_base);
    if (p->dts == AV_NOPTS_VALUE)
        p->dts = s->next_dts != AV_NOPTS_VALUE ? s->next_dts : p->pts;
    if (p->dts != AV_NOPTS_VALUE)
        s->next_dts = p->dts + (p->duration > 0 ? p->duration : 1);
}

static int64_t us_of(const struct source *s, int64_t ticks)
{
    return record_us_of_ticks(ticks, (uint32_t)s->stream->time_base.num,
                              (uint32_t)s->stream->time_base.den);
}

bool source_next(struct source *s, struct record *unit, bool *parameters_changed)
{
    AVPacket *p = s->packet;
    size_t len;

    do {
        av_packet_unref(p);
        if (av_read_frame(s->file, p) < 0)
            return false;
    } while (p->stream_index != s->stream->index);
    fill_dts(s, p);
    *parameters_changed = av_packet_get_side_data(p, AV_PKT_DATA_NEW_EXTRADATA, &len) != NULL;
    *unit = (struct record){ .kind = RECORD_UNIT, .pts_us = us_of(s, p->pts) };
    if (p->flags & AV_PKT_FLAG_KEY)
        unit->flags |= RECORD_KEY;
    if (p->flags & AV_PKT_FLAG_DISCARD)
        unit->flags |= RECORD_DISCARD;
    unit->unit.dts_us = us_of(s, p->dts);
    unit->unit.duration_us = p->duration > 0 ? us_of(s, p->duration) : 0;
    unit->unit.data = bytes_of(p->data, (size_t)p->size);
    return true;
}

bool source_rewind(struct source *s)
{
    av_packet_unref(s->packet);
    s->next_dts = AV_NOPTS_VALUE;
    return avformat_seek_file(s->file, -1, INT64_MIN, 0, 0, 0) >= 0 ||
           av_seek_frame(s->file, s->stream->index, 0, AVSEEK_FLAG_BACKWARD) >= 0;
}

int64_t source_begin_us(const struct source *s)
{
    return s->file->start_time != AV_NOPTS_VALUE ? s->file->start_time : 0;
}

int64_t source_duration_us(const struct source *s)
{
    return s->file->duration > 0 ? s->file->duration : 0;
}

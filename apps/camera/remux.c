#include "apps/camera/remux.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

struct track {
    AVStream *stream; /* of file; NULL: not expected */
    bool has_parameters;
    uint8_t *changed; /* extradata that the next unit announces */
    size_t changed_len;
};

struct remux {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* has_head or has_failed */
    AVFormatContext *file;
    AVPacket *packet;
    struct track track[RECORD_AUDIO + 1]; /* by enum record_media */
    bool has_head, has_failed;
    char why[REMUX_WHY_MAX]; /* the first failure */
};

static bool fail(struct remux *m, const char *what, int error)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";

    av_strerror(error, text, sizeof text);
    if (!m->has_failed)
        snprintf(m->why, sizeof m->why, "%s: %s", what, text);
    m->has_failed = true;
    pthread_cond_broadcast(&m->changed);
    return false;
}

static bool open_file(struct remux *m, const char *path, bool video, bool audio)
{
    int error = avformat_alloc_output_context2(&m->file, NULL, NULL, path);

    if (error < 0)
        return fail(m, path, error);
    if (video)
        m->track[RECORD_VIDEO].stream = avformat_new_stream(m->file, NULL);
    if (audio)
        m->track[RECORD_AUDIO].stream = avformat_new_stream(m->file, NULL);
    if (m->file->nb_streams != (unsigned)video + (unsigned)audio)
        return fail(m, path, AVERROR(ENOMEM));
    error = avio_open(&m->file->pb, path, AVIO_FLAG_WRITE);
    return error < 0 ? fail(m, path, error) : true;
}

struct remux *remux_new(const char *path, bool video, bool audio, char why[REMUX_WHY_MAX])
{
    struct remux *m = calloc(1, sizeof *m);

    if (!m) {
        snprintf(why, REMUX_WHY_MAX, "%s: out of memory", path);
        return NULL;
    }
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    m->packet = av_packet_alloc();
    if (m->packet ? open_file(m, path, video, audio) : fail(m, path, AVERROR(ENOMEM)))
        return m;
    memcpy(why, m->why, REMUX_WHY_MAX);
    remux_free(m);
    return NULL;
}

void remux_free(struct remux *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < COUNT(m->track); i++)
        free(m->track[i].changed);
    av_packet_free(&m->packet);
    if (m->file)
        avio_closep(&m->file->pb);
    avformat_free_context(m->file);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static bool set_extradata(AVCodecParameters *c, struct bytes data)
{
    c->extradata = av_mallocz(data.len + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!c->extradata)
        return false;
    memcpy(c->extradata, data.data, data.len);
    c->extradata_size = (int)data.len;
    return true;
}

static bool write_head(struct remux *m)
{
    int error;

    for (size_t i = 0; i < COUNT(m->track); i++)
        if (m->track[i].stream && !m->track[i].has_parameters)
            return true;
    error = avformat_write_header(m->file, NULL);
    if (error < 0)
        return fail(m, "writing the file's head", error);
    m->has_head = true;
    pthread_cond_broadcast(&m->changed);
    return true;
}

static bool set_parameters(struct remux *m, struct track *t, const struct record_parameters *p)
{
    const AVCodecDescriptor *codec = avcodec_descriptor_get_by_name(p->codec);
    AVCodecParameters *c = t->stream->codecpar;

    if (!codec)
        return fail(m, p->codec, AVERROR_DECODER_NOT_FOUND);
    c->codec_type = codec->type;
    c->codec_id = codec->id;
    c->width = (int)p->width;
    c->height = (int)p->height;
    c->sample_rate = (int)p->sample_rate;
    c->frame_size = (int)p->frame_size;
    c->profile = p->profile;
    c->level = p->level;
    if (p->channels)
        av_channel_layout_default(&c->ch_layout, p->channels);
    t->stream->time_base = (AVRational){ (int)p->tick_num, (int)p->tick_den };
    if (p->extradata.len && !set_extradata(c, p->extradata))
        return fail(m, "extradata", AVERROR(ENOMEM));
    t->has_parameters = true;
    return write_head(m);
}

/* The codec's set-up changes in the middle: the next unit carries it. */
static bool change_parameters(struct remux *m, struct track *t, const struct record_parameters *p)
{
    uint8_t *copy = malloc(p->extradata.len + 1);

    if (!copy)
        return fail(m, "extradata", AVERROR(ENOMEM));
    memcpy(copy, p->extradata.data, p->extradata.len);
    free(t->changed);
    t->changed = copy;
    t->changed_len = p->extradata.len;
    return true;
}

static bool attach_change(AVPacket *packet, struct track *t)
{
    uint8_t *at;

    if (!t->changed)
        return true;
    at = av_packet_new_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, t->changed_len);
    if (at)
        memcpy(at, t->changed, t->changed_len);
    free(t->changed);
    t->changed = NULL;
    return at != NULL;
}

static int64_t ticks_of(const struct track *t, int64_t us)
{
    AVRational tick = t->stream->time_base; /* the muxer may have chosen another than the source */

    return record_ticks_of_us(us, (uint32_t)tick.num, (uint32_t)tick.den);
}

static bool add_unit(struct remux *m, struct track *t, const struct record *r)
{
    struct bytes data = r->unit.data;
    AVPacket *p = m->packet;
    int error = av_new_packet(p, (int)data.len);

    if (error < 0)
        return fail(m, "a packet", error);
    if (data.len)
        memcpy(p->data, data.data, data.len);
    p->stream_index = t->stream->index;
    p->pts = ticks_of(t, r->pts_us);
    p->dts = ticks_of(t, r->unit.dts_us);
    p->duration = ticks_of(t, r->unit.duration_us);
    p->flags = (r->flags & RECORD_KEY ? AV_PKT_FLAG_KEY : 0) |
               (r->flags & RECORD_DISCARD ? AV_PKT_FLAG_DISCARD : 0);
    error = attach_change(p, t) ? av_interleaved_write_frame(m->file, p) : AVERROR(ENOMEM);
    av_packet_unref(p);
    return error < 0 ? fail(m, "writing the file", error) : true;
}

static bool add(struct remux *m, struct track *t, const struct record *r)
{
    if (r->kind == RECORD_PARAMETERS)
        return t->has_parameters ? change_parameters(m, t, &r->parameters)
                                 : set_parameters(m, t, &r->parameters);
    if (!t->has_parameters)
        return fail(m, "a unit came before its parameters", AVERROR_INVALIDDATA);
    while (!m->has_head && !m->has_failed)
        pthread_cond_wait(&m->changed, &m->lock);
    return !m->has_failed && add_unit(m, t, r);
}

bool remux_add(struct remux *m, enum record_media media, const struct record *r)
{
    struct track *t = &m->track[media];
    bool good;

    pthread_mutex_lock(&m->lock);
    if (!t->stream || (r->kind == RECORD_PARAMETERS && r->parameters.media != media))
        good = fail(m, "parameters of another kind than the channel's", AVERROR_INVALIDDATA);
    else
        good = !m->has_failed && add(m, t, r);
    pthread_mutex_unlock(&m->lock);
    return good;
}

void remux_cancel(struct remux *m)
{
    pthread_mutex_lock(&m->lock);
    if (!m->has_head)
        fail(m, "the stream ended before it began", AVERROR_EOF);
    pthread_mutex_unlock(&m->lock);
}

const char *remux_finish(struct remux *m)
{
    int error = m->has_head ? av_write_trailer(m->file) : AVERROR_EOF;

    if (error < 0)
        fail(m, "completing the file", error);
    return m->has_failed ? m->why : NULL;
}

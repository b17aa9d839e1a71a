/* peer: one end of a session for tests against foreign stacks, without signaling; its options are
 * in peer_options.h.
 *
 * Writes its description (docs/protocol.md §4) as one line of JSON to stdout and reads the other's
 * from stdin; an answerer reads first. Then N pseudo-random bytes go out on each channel; the other
 * side echoes them, which is all that --echo does. --give and --take move data one way, for a time.
 * The last line is the result; exit status 0 if every byte came back in order and the session
 * closed cleanly. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/session/session.h"
#include "io/interfaces.h"
#include "io/loop.h"
#include "io/udp.h"
#include "tests/interop/peer_options.h"

#define LINE_MAX_BYTES 65536
#define POOL_BLOCKS    8192
#define GIVE_CHANNEL   5
#define CLOSE_MAX_US   (10 * SECOND)

struct stream {
    uint64_t sent, received; /* bytes */
    uint64_t differences;
};

struct peer {
    struct io_loop *loop;
    struct io_timer timer, deadline;
    struct session *session;
    struct dtls_identity *identity;
    struct pool *pool;
    struct rng rng;
    struct udp *sockets[INTERFACES_MAX];
    size_t socket_count;
    struct out out;
    uint8_t buf[OUT_BYTES_MAX];

    struct peer_options opt;
    bool has_told, is_open, is_closing;
    struct session_info info; /* when it closed */
    usec open_at, closing_at;
    struct stream streams[CHANNEL_COUNT];
    char *remote; /* the line that was read, for the loop's thread */

    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool has_ended;
    const char *failure; /* NULL: all went well */
};

/* Byte `at` of a channel's stream: anything that differs between channels and places. */
static uint8_t pattern(unsigned channel, uint64_t at)
{
    uint64_t x = (at >> 3) * 0x9e3779b97f4a7c15u + channel * 0xbf58476d1ce4e5b9u + 1;

    x ^= x >> 31;
    return (uint8_t)(x >> 8 * (at & 7));
}

static void end(struct peer *p, const char *failure)
{
    pthread_mutex_lock(&p->lock);
    if (!p->has_ended)
        p->failure = failure;
    p->has_ended = true;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->lock);
}

static void strip(const struct peer *p, struct session_description *d)
{
    d->has_sped &= !p->opt.no_sped;
    d->init_len *= !p->opt.no_snap;
}

static void keep_relayed_only(struct session_description *d)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->candidate_count; i++)
        if (d->candidates[i].type == ICE_RELAYED)
            d->candidates[kept++] = d->candidates[i];
    d->candidate_count = kept;
}

static void tell(struct peer *p)
{
    struct session_description local;
    char *json;

    session_get_local(p->session, &local);
    local.is_trickle = false; /* nothing follows this line */
    strip(p, &local);
    if (p->opt.is_relay_only)
        keep_relayed_only(&local);
    if (session_description_encode(&local, &json)) {
        end(p, "out of memory");
        return;
    }
    printf("%s\n", json);
    fflush(stdout);
    free(json);
    p->has_told = true;
}

static void send_more(struct peer *p, unsigned channel)
{
    struct stream *s = &p->streams[channel];
    uint8_t piece[CHANNEL_MESSAGE_MAX];

    while (s->sent < p->opt.bytes) {
        size_t n =
            p->opt.bytes - s->sent < sizeof piece ? (size_t)(p->opt.bytes - s->sent) : sizeof piece;

        for (size_t i = 0; i < n; i++)
            piece[i] = pattern(channel, s->sent + i);
        size_t done = session_send(p->session, io_now(), channel, bytes_of(piece, n));

        s->sent += done;
        if (done < n)
            return;
    }
}

static void close_now(struct peer *p)
{
    p->is_closing = true;
    p->closing_at = io_now();
    session_close(p->session, io_now(), 9);
}

static bool is_all_back(const struct peer *p)
{
    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        if (p->streams[i].received < p->opt.bytes)
            return false;
    return true;
}

static void echo(struct peer *p, unsigned channel)
{
    struct bytes got;

    while ((got = session_peek(p->session, io_now(), channel)).len) {
        size_t done = session_send(p->session, io_now(), channel, got);

        p->streams[channel].received += done;
        session_consume(p->session, io_now(), channel, done);
        if (done < got.len)
            return;
    }
}

static void take(struct peer *p, unsigned channel)
{
    struct bytes got;

    while ((got = session_peek(p->session, io_now(), channel)).len) {
        p->streams[channel].received += got.len;
        session_consume(p->session, io_now(), channel, got.len);
    }
}

static void receive(struct peer *p, unsigned channel)
{
    struct stream *s = &p->streams[channel];
    struct bytes got;

    while ((got = session_peek(p->session, io_now(), channel)).len) {
        for (size_t i = 0; i < got.len; i++)
            s->differences += got.data[i] != pattern(channel, s->received + i);
        s->received += got.len;
        session_consume(p->session, io_now(), channel, got.len);
    }
    if (!p->is_closing && is_all_back(p))
        close_now(p);
}

static const char *way_of(const struct session_info *info)
{
    static const char *const ways[] = { "none", "sped", "snap", "both" };

    return ways[info->had_sped + 2 * info->had_snap];
}

static const char *failure_of(const struct peer *p, const struct session_event *ev)
{
    static char text[128];

    if (p->opt.expected && strcmp(p->opt.expected, way_of(&p->info)) != 0)
        return "not as short a handshake as expected, or a shorter one";
    if (p->opt.agreed != ANY_AGREED && p->opt.agreed != p->info.sctp.extensions)
        return "other extensions are in use than expected";
    if (p->opt.task == PEER_ECHO && ev->end == SESSION_END_PEER_REASON)
        return NULL;
    if (ev->end != SESSION_END_LOCAL) {
        snprintf(text, sizeof text, "the session ended by itself: end %d, reason %u", ev->end,
                 ev->reason);
        return text;
    }
    for (unsigned i = 0; i < CHANNEL_COUNT && p->opt.task == PEER_ASK; i++)
        if (p->streams[i].received != p->opt.bytes || p->streams[i].differences)
            return "what came back is not what was sent";
    return NULL;
}

static void on_open(struct peer *p)
{
    p->is_open = true;
    p->open_at = io_now();
    if (p->opt.task == PEER_GIVE || p->opt.task == PEER_TAKE)
        io_timer_set(&p->deadline, p->open_at + p->opt.flow_us);
    if (p->opt.task == PEER_GIVE)
        send_more(p, GIVE_CHANNEL);
    for (unsigned i = 0; i < CHANNEL_COUNT && p->opt.task == PEER_ASK; i++)
        send_more(p, i);
}

static void on_writable(struct peer *p, unsigned channel)
{
    if (p->opt.task == PEER_ECHO)
        echo(p, channel);
    else if (p->opt.task == PEER_ASK || (p->opt.task == PEER_GIVE && channel == GIVE_CHANNEL))
        send_more(p, channel);
}

static void on_readable(struct peer *p, unsigned channel)
{
    static void (*const what[])(struct peer *, unsigned) = { receive, echo, take, take };

    what[p->opt.task](p, channel);
}

static void on_event(struct peer *p, const struct session_event *ev)
{
    switch (ev->type) {
    case SESSION_EVENT_GATHERED:
        if (!p->has_told)
            tell(p);
        break;
    case SESSION_EVENT_OPEN:
        on_open(p);
        break;
    case SESSION_EVENT_WRITABLE:
        on_writable(p, ev->channel);
        break;
    case SESSION_EVENT_READABLE:
        on_readable(p, ev->channel);
        break;
    case SESSION_EVENT_CLOSED:
        session_get_info(p->session, &p->info);
        end(p, failure_of(p, ev));
        break;
    default:
        break;
    }
}

static void send_run(struct peer *p)
{
    for (size_t i = 0; i < p->socket_count; i++)
        if (addr_equal(udp_local(p->sockets[i]), &p->out.from))
            udp_send(p->sockets[i], &p->out);
}

/* While a socket is full, what the session has to say waits in the session. */
static bool can_send(const struct peer *p)
{
    for (size_t i = 0; i < p->socket_count; i++)
        if (!udp_can_send(p->sockets[i]))
            return false;
    return true;
}

static void drain(struct peer *p)
{
    struct session_event ev;

    for (;;) {
        if (can_send(p) && session_poll_output(p->session, io_now(), &p->out))
            send_run(p);
        else if (session_poll_event(p->session, &ev))
            on_event(p, &ev);
        else
            break;
    }
    io_timer_set(&p->timer, session_next_timeout(p->session));
}

static void on_timer(void *ctx)
{
    struct peer *p = ctx;

    session_tick(p->session, io_now());
    drain(p);
}

/* The end of what --give and --take do; of everything, when it fails. */
static void on_deadline(void *ctx)
{
    struct peer *p = ctx;
    bool is_flow = p->opt.task == PEER_GIVE || p->opt.task == PEER_TAKE;

    if (is_flow && p->is_open && !p->is_closing) {
        close_now(p);
        io_timer_set(&p->deadline, io_now() + CLOSE_MAX_US);
        drain(p);
        return;
    }
    end(p, p->is_open ? "not all bytes came back in time" : "no session in time");
}

static void on_datagram(void *ctx, struct udp *u, const struct addr *local, const struct addr *from,
                        uint8_t *data, size_t len)
{
    struct peer *p = ctx;

    (void)u;
    session_input(p->session, io_now(), local, from, bytes_of(data, len));
}

static void on_drained(void *ctx, struct udp *u)
{
    (void)u;
    drain(ctx);
}

static void add_relay(struct peer *p, const struct addr *base, uint16_t preference)
{
    const struct session_relay relay = {
        .base = *base,
        .server = p->opt.turn,
        .preference = preference,
        .username = p->opt.user,
        .password = p->opt.password,
    };
    unsigned number;

    if (base->family == p->opt.turn.family)
        (void)session_add_relay(p->session, io_now(), &relay, &number);
}

static void on_too_long(void *ctx, struct udp *u)
{
    struct peer *p = ctx;

    (void)u;
    session_too_long(p->session, io_now());
}

static void open_sockets(struct peer *p)
{
    struct interface_addr list[INTERFACES_MAX];
    size_t count = interfaces_list(list, 0);
    const struct udp_handler handler = {
        .datagram = on_datagram, .drained = on_drained, .too_long = on_too_long, .ctx = p
    };

    for (size_t i = 0; i < count; i++) {
        struct udp **u = &p->sockets[p->socket_count];

        if (udp_open(u, p->loop, &list[i].addr, &handler))
            continue;
        p->socket_count++;
        session_add_socket(p->session, io_now(), udp_local(*u), list[i].preference);
        add_relay(p, udp_local(*u), list[i].preference);
    }
    session_end_local(p->session, io_now());
}

static bool start(struct peer *p)
{
    const struct session_config cfg = {
        .role = p->opt.is_offerer ? SESSION_OFFERER : SESSION_ANSWERER,
        .identity = p->identity,
        .pool = p->pool,
        .sctp_without = p->opt.without,
    };

    if (session_new(&p->session, &cfg, &p->rng) || io_timer_init(&p->timer, p->loop, on_timer, p) ||
        io_timer_init(&p->deadline, p->loop, on_deadline, p)) {
        end(p, "out of memory");
        return false;
    }
    io_timer_set(&p->deadline, io_now() + p->opt.deadline_us);
    return true;
}

static void on_remote(void *ctx)
{
    struct peer *p = ctx;
    static struct session_description remote; /* too large for a stack's comfort */

    if (session_description_decode(&remote, p->remote, strlen(p->remote))) {
        end(p, "the other side's description cannot be read");
        return;
    }
    strip(p, &remote);
    if (!p->opt.is_offerer && !start(p))
        return;
    if (session_set_remote(p->session, io_now(), &remote)) {
        end(p, "the other side's description does not fit");
        return;
    }
    if (!p->opt.is_offerer)
        open_sockets(p);
    drain(p);
}

static void on_offer(void *ctx)
{
    struct peer *p = ctx;

    if (!start(p))
        return;
    open_sockets(p);
    drain(p);
}

static void stop(void *ctx)
{
    struct peer *p = ctx;

    io_timer_deinit(&p->timer);
    io_timer_deinit(&p->deadline);
    for (size_t i = 0; i < p->socket_count; i++)
        udp_close(p->sockets[i]);
    session_free(p->session);
    pool_free(p->pool);
    dtls_identity_free(p->identity);
}

static void report(const struct peer *p)
{
    usec until = p->closing_at ? p->closing_at : io_now();
    uint64_t echoed = 0;

    for (unsigned i = 0; i < CHANNEL_COUNT; i++)
        echoed += p->streams[i].received;
    printf("{\"ok\":%s,\"failure\":\"%s\",\"short\":\"%s\",\"agreed\":%u,\"open_ms\":%.1f,"
           "\"echoed\":%" PRIu64 ",\"mbit_s\":%.1f,\"path_mtu\":%zu}\n",
           p->failure ? "false" : "true", p->failure ? p->failure : "", way_of(&p->info),
           p->info.sctp.extensions, (double)p->info.established_us / 1000, echoed,
           p->is_open ? (double)echoed * 8 / (double)(until - p->open_at + 1) : 0.0,
           p->info.path_mtu);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct peer p;
    static char line[LINE_MAX_BYTES];
    int status = peer_options_read(&p.opt, argc, argv);

    if (status)
        return status;
    pthread_mutex_init(&p.lock, NULL);
    pthread_cond_init(&p.ended, NULL);
    p.rng = io_rng();
    p.remote = line;
    out_init(&p.out, p.buf, sizeof p.buf);
    if (io_loop_new(&p.loop) || pool_new(&p.pool, POOL_BLOCKS) ||
        dtls_identity_new(&p.identity, &p.rng, io_wall_s())) {
        fprintf(stderr, "peer: cannot start\n");
        return 1;
    }
    if (p.opt.is_offerer)
        io_loop_post(p.loop, on_offer, &p);
    if (!fgets(line, sizeof line, stdin))
        end(&p, "no description on standard input");
    else
        io_loop_post(p.loop, on_remote, &p);
    pthread_mutex_lock(&p.lock);
    while (!p.has_ended)
        pthread_cond_wait(&p.ended, &p.lock);
    pthread_mutex_unlock(&p.lock);
    report(&p);
    io_loop_run(p.loop, stop, &p);
    io_loop_free(p.loop);
    return p.failure ? 1 : 0;
}

/* limit: what the kernel and AES-128-GCM leave of loopback, every UDP datagram sealed and opened by
 * itself, with no protocol above: no order, no retransmission, nothing but counting.
 *
 *     bench-limit gso | mmsg SECONDS [DATAGRAM_BYTES]
 *
 * gso: runs of datagrams cross the kernel in one piece both ways (UDP_SEGMENT, UDP_GRO). mmsg: one
 * by one, though many in a call (sendmmsg, recvmmsg). Datagrams carry what a DTLS record does
 * (header, explicit nonce, tag), so that the same DATAGRAM_BYTES compares with hawser. Counted is
 * payload that was opened; no more is under way than the sockets hold. */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/pair.h"

enum { KEY_BYTES = 16, IV_BYTES = 12, HEADER = 13, EXPLICIT = 8, TAG = 16 };
enum { AROUND = HEADER + EXPLICIT + TAG, DATAGRAM_MIN = 100, DATAGRAM_MAX = 9000 };
enum { RUN_MAX = 64, RUN_BYTES_MAX = 65000 }; /* UDP_MAX_SEGMENTS; below the largest payload */
enum { PORT = 47004, SOCKET_BYTES = 4 << 20, WINDOW = 1 << 20, REPORT_EVERY = WINDOW / 8 };
enum { LOST_AFTER_MS = 20, FINISH_TRIES = 500 };

static bool is_gso;
static size_t datagram_bytes = 1200;

struct limit {
    int fd;
    EVP_CIPHER_CTX *cipher;
    uint64_t sequence;           /* sender: of the next datagram */
    uint64_t sent, told;         /* sender: payload sent, and what the receiver has told of it */
    uint64_t received, reported; /* receiver: payload opened, and told */
    bool is_over;                /* receiver: the sender has said so */
    uint8_t *bytes;              /* the run that is sent; what a call receives into */
};

static struct limit *make(bool is_receiver)
{
    static const uint8_t key[KEY_BYTES] = "sixteen bytes !";
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    struct limit *l = calloc(1, sizeof *l);
    int size = SOCKET_BYTES, on = 1;
    int (*use)(int, const struct sockaddr *, socklen_t) = is_receiver ? bind : connect;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!l)
        return NULL;
    l->fd = socket(AF_INET, SOCK_DGRAM, 0);
    l->bytes = malloc((size_t)RUN_MAX * DATAGRAM_MAX);
    l->cipher = EVP_CIPHER_CTX_new();
    setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (!l->bytes || use(l->fd, (struct sockaddr *)&a, sizeof a) ||
        (is_gso && setsockopt(l->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on)) ||
        !EVP_CipherInit_ex(l->cipher, EVP_aes_128_gcm(), NULL, key, NULL, !is_receiver))
        return NULL;
    return l;
}

static void *listen_(void)
{
    return make(true);
}

static void *connect_(void)
{
    return make(false);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static bool seal(struct limit *l, uint8_t *at, const uint8_t *text, size_t len)
{
    uint8_t iv[IV_BYTES] = { 0 };
    int n;

    memset(at, 0, HEADER);
    memcpy(at + HEADER, &l->sequence, EXPLICIT);
    memcpy(iv + IV_BYTES - EXPLICIT, &l->sequence, EXPLICIT);
    l->sequence++;
    at += HEADER;
    return EVP_CipherInit_ex(l->cipher, NULL, NULL, NULL, iv, 1) &&
           EVP_CipherUpdate(l->cipher, NULL, &n, at - HEADER, HEADER) &&
           EVP_CipherUpdate(l->cipher, at + EXPLICIT, &n, text, (int)len) &&
           EVP_CipherFinal_ex(l->cipher, at + EXPLICIT + len, &n) &&
           EVP_CIPHER_CTX_ctrl(l->cipher, EVP_CTRL_AEAD_GET_TAG, TAG, at + EXPLICIT + len);
}

static bool send_whole(struct limit *l, size_t len)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    struct iovec iov = { l->bytes, len };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    uint16_t segment = (uint16_t)datagram_bytes;

    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
    return sendmsg(l->fd, &m, 0) == (ssize_t)len;
}

static bool send_each(struct limit *l, size_t count)
{
    struct mmsghdr messages[RUN_MAX] = { 0 };
    struct iovec iov[RUN_MAX];
    int at = 0, sent;

    for (size_t i = 0; i < count; i++) {
        iov[i] = (struct iovec){ l->bytes + i * datagram_bytes, datagram_bytes };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
    }
    do {
        sent = sendmmsg(l->fd, messages + at, (unsigned)count - (unsigned)at, 0);
        at += sent;
    } while (sent > 0 && at < (int)count);
    return sent > 0;
}

/* Takes reports until there is room again; what is not told of in time is lost. */
static bool wait_for_room(struct limit *l)
{
    struct pollfd p = { l->fd, POLLIN, 0 };

    while (l->sent - l->told > WINDOW) {
        int ready = poll(&p, 1, LOST_AFTER_MS);

        if (ready < 0 || (ready > 0 && recv(l->fd, &l->told, sizeof l->told, 0) < 0))
            return false;
        if (ready == 0)
            l->told = l->sent;
    }
    return true;
}

static bool send_(void *ctx, const void *data, size_t len)
{
    struct limit *l = ctx;
    size_t each = datagram_bytes - AROUND, count = len / each;

    for (size_t i = 0; i < count; i++)
        if (!seal(l, l->bytes + i * datagram_bytes, (const uint8_t *)data + i * each, each))
            return false;
    l->sent += count * each;
    return wait_for_room(l) &&
           (is_gso ? send_whole(l, count * datagram_bytes) : send_each(l, count));
}

/* Says that all is sent, as no datagram else is: with one byte. Until the answer, two numbers. */
static bool finish(void *ctx)
{
    struct limit *l = ctx;
    struct pollfd p = { l->fd, POLLIN, 0 };
    uint64_t answer[2];

    for (int i = 0; i < FINISH_TRIES; i++) {
        if (send(l->fd, "e", 1, 0) != 1)
            return false;
        while (poll(&p, 1, LOST_AFTER_MS) > 0) {
            ssize_t n = recv(l->fd, answer, sizeof answer, 0);

            l->told = answer[0];
            if (n == sizeof answer || n < 0)
                return n > 0;
        }
    }
    return false;
}

static double delivered(void *ctx)
{
    return (double)((struct limit *)ctx)->told;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* The first datagram is left for receive(): only its sender matters here. */
static bool accept_(void *ctx)
{
    struct limit *l = ctx;
    struct sockaddr_in from;
    socklen_t len = sizeof from;

    return recvfrom(l->fd, l->bytes, 1, MSG_PEEK, (struct sockaddr *)&from, &len) > 0 &&
           connect(l->fd, (struct sockaddr *)&from, len) == 0;
}

static bool open_datagram(struct limit *l, uint8_t *at, size_t len, uint8_t *out)
{
    uint8_t iv[IV_BYTES] = { 0 };
    size_t text = len - AROUND;
    int n;

    if (len == 1)
        l->is_over = true;
    if (len <= AROUND)
        return len == 1;
    memcpy(iv + IV_BYTES - EXPLICIT, at + HEADER, EXPLICIT);
    l->received += text;
    return EVP_CipherInit_ex(l->cipher, NULL, NULL, NULL, iv, 0) &&
           EVP_CIPHER_CTX_ctrl(l->cipher, EVP_CTRL_AEAD_SET_TAG, TAG, at + len - TAG) &&
           EVP_CipherUpdate(l->cipher, NULL, &n, at, HEADER) &&
           EVP_CipherUpdate(l->cipher, out, &n, at + HEADER + EXPLICIT, (int)text) &&
           EVP_CipherFinal_ex(l->cipher, out + text, &n) > 0;
}

static bool receive_whole(struct limit *l, uint8_t *out)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { l->bytes, (size_t)RUN_MAX * DATAGRAM_MAX };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    ssize_t left = recvmsg(l->fd, &m, 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int segment = (int)left;
    bool ok = left > 0;

    if (c && c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
        memcpy(&segment, CMSG_DATA(c), sizeof segment);
    for (uint8_t *at = l->bytes; ok && left > 0; at += segment, left -= segment) {
        size_t len = (size_t)(segment < left ? segment : left);

        ok = open_datagram(l, at, len, out);
        out += len;
    }
    return ok;
}

static bool receive_each(struct limit *l, uint8_t *out)
{
    struct mmsghdr messages[RUN_MAX] = { 0 };
    struct iovec iov[RUN_MAX];
    int count;
    bool ok;

    for (size_t i = 0; i < RUN_MAX; i++) {
        iov[i] = (struct iovec){ l->bytes + i * DATAGRAM_MAX, DATAGRAM_MAX };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
    }
    count = recvmmsg(l->fd, messages, RUN_MAX, MSG_WAITFORONE, NULL);
    ok = count > 0;
    for (int i = 0; ok && i < count; i++) {
        ok = open_datagram(l, iov[i].iov_base, messages[i].msg_len, out);
        out += messages[i].msg_len;
    }
    return ok;
}

static long receive(void *ctx, void *buf, size_t cap)
{
    struct limit *l = ctx;
    uint64_t before = l->received;

    (void)cap; /* a mebibyte: more than a call receives */
    do
        if (!(is_gso ? receive_whole(l, buf) : receive_each(l, buf)))
            return -1;
    while (l->received == before && !l->is_over);
    if (l->received - l->reported >= REPORT_EVERY && !l->is_over) {
        l->reported = l->received;
        if (send(l->fd, &l->received, sizeof l->received, 0) < 0)
            return -1;
    }
    return (long)(l->received - before);
}

static bool acknowledge(void *ctx)
{
    struct limit *l = ctx;
    const uint64_t answer[2] = { l->received, 0 };

    return send(l->fd, answer, sizeof answer, 0) == sizeof answer;
}

int main(int argc, char **argv)
{
    static struct pair_transport limit = {
        .listen = listen_,
        .accept = accept_,
        .receive = receive,
        .acknowledge = acknowledge,
        .connect = connect_,
        .send = send_,
        .finish = finish,
        .delivered = delivered,
    };
    size_t count;

    is_gso = argc > 2 && strcmp(argv[1], "gso") == 0;
    if (argc < 3 || (!is_gso && strcmp(argv[1], "mmsg") != 0)) {
        fprintf(stderr, "usage: bench-limit gso | mmsg SECONDS [DATAGRAM_BYTES]\n");
        return 2;
    }
    if (argc > 3)
        datagram_bytes = (size_t)pair_number(argv[3]);
    if (datagram_bytes < DATAGRAM_MIN || datagram_bytes > DATAGRAM_MAX) {
        fprintf(stderr, "bench: a datagram has %d to %d bytes\n", DATAGRAM_MIN, DATAGRAM_MAX);
        return 2;
    }
    count = RUN_BYTES_MAX / datagram_bytes;
    limit.piece = (count < RUN_MAX ? count : RUN_MAX) * (datagram_bytes - AROUND);
    limit.name = is_gso ? "limit_gso_gcm" : "limit_mmsg_gcm";
    return pair_run(&limit, pair_number(argv[2]));
}

#include "tests/net/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hawser/hawser.h"
#include "tests/net/now.h"
#include "tests/net/samples.h"

enum { CHANNEL = 1, FRAMES_MAX = 120 * FRAMES_A_SECOND };

/* In front of a frame. Both ends are programs of one machine, and of one clock. */
struct label {
    int64_t number, due_at, len;
};

static atomic_llong took[FRAMES_MAX], wrong;

int live_frame_bytes(long kbits)
{
    return (int)(kbits * 125 / FRAMES_A_SECOND) * KEY_FRAME_EVERY /
           (KEY_FRAME_EVERY + KEY_FRAME_TIMES - 1);
}

/* Every frame has bytes of its own, so pieces of two of them do not pass for one. */
static void fill(char *body, size_t len, int64_t number)
{
    for (size_t i = 0; i < len; i++)
        body[i] = (char)(((uint64_t)number * 8191 + i) * 0x9e3779b97f4a7c15u >> 56);
}

static int frame_len(const struct live_plan *plan, long number)
{
    bool is_key = number >= plan->first && (number - plan->first) % KEY_FRAME_EVERY == 0;
    int len = is_key ? KEY_FRAME_TIMES * plan->bytes : plan->bytes;
    int least = (int)sizeof(struct label);

    if (len > HAWSER_MESSAGE_MAX)
        return HAWSER_MESSAGE_MAX;
    return len < least ? least : len;
}

static int send_frame(int handle, const struct live_plan *plan, int64_t number, usec due_at)
{
    static char data[HAWSER_MESSAGE_MAX];
    int len = frame_len(plan, (long)number);
    struct label label = { number, due_at, len };

    memcpy(data, &label, sizeof label);
    fill(data + sizeof label, (size_t)len - sizeof label, number);
    return hawser_send_message(handle, CHANNEL, data, len, plan->lifetime_ms < 0 ? -1 : 0);
}

void live_send(int handle, const struct live_plan *plan)
{
    struct hawser_session_info info = { .chunks_sent = 0 };
    int code = plan->lifetime_ms < 0 ? 0 : hawser_set_lossy(handle, CHANNEL, plan->lifetime_ms, -1);
    usec due_at = net_now();
    long sent = 0, refused = 0;

    for (; code >= 0 && sent < plan->count; sent++) {
        samples_sleep_until(due_at);
        code = send_frame(handle, plan, sent, due_at);
        if (code == HAWSER_ERR_PEER_BUFFER_FULL) {
            refused++;
            code = 0;
        }
        due_at += SECOND / FRAMES_A_SECOND;
    }
    (void)hawser_session_info(handle, &info);
    (void)printf("{\"code\": %d, \"sent\": %ld, \"refused\": %ld, \"given_up\": %llu}\n",
                 code < 0 ? code : 0, sent, refused,
                 (unsigned long long)info.channel[CHANNEL].given_up);
}

static void take_frame(const char *data, int len, usec now)
{
    static char body[HAWSER_MESSAGE_MAX];
    struct label label = { -1, 0, 0 };

    if (len >= (int)sizeof label)
        memcpy(&label, data, sizeof label);
    if (label.number < 0 || label.number >= FRAMES_MAX || took[label.number] || label.len != len) {
        wrong++;
        return;
    }
    fill(body, (size_t)len - sizeof label, label.number);
    wrong += memcmp(body, data + sizeof label, (size_t)len - sizeof label) != 0;
    took[label.number] = usec_max(now - label.due_at, 1);
}

static void *receive(void *ctx)
{
    static char data[HAWSER_MESSAGE_MAX];
    int handle = (int)(long)ctx, len;

    while ((len = hawser_recv_message(handle, CHANNEL, data, sizeof data, -1)) > 0)
        take_frame(data, len, net_now());
    return NULL;
}

void live_receive(int handle)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, receive, (void *)(long)handle))
        abort();
    (void)pthread_detach(thread);
}

void live_print(long count, usec span)
{
    samples_sleep_until(net_now() + span);
    (void)printf("{\"code\": 0, \"wrong\": %lld, \"took_us\": [", (long long)wrong);
    for (long i = 0; i < count && i < FRAMES_MAX; i++)
        (void)printf("%s%lld", i ? ", " : "", (long long)took[i]);
    (void)printf("]}\n");
}

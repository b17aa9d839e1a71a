#include "tests/sdk/support/stage.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/internal.h"
#include "sdk/link.h"

static void write_log(void *ctx, enum hawser_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "app: %s\n", line);
}

static bool pair_up(struct stage *s)
{
    char invite[HAWSER_INVITE_MAX], id[HAWSER_ID_MAX];

    peer_tell(&s->device, "invite");
    (void)snprintf(invite, sizeof invite, "%s", peer_answer(&s->device));
    return hawser_pair(invite, 10000, id) == HAWSER_ERR_OK && strcmp(id, s->device.id) == 0;
}

bool stage_open(struct stage *s, const char *device_program)
{
    memset(s, 0, sizeof *s);
    if (getenv("VERBOSE"))
        hawser_set_log(HAWSER_LOG_DEBUG, write_log, NULL);
    if (!directory_make(s->directory) || !broker_start(&s->broker))
        return false;
    (void)snprintf(s->app_home, sizeof s->app_home, "%s/app", s->directory);
    (void)snprintf(s->device_home, sizeof s->device_home, "%s/device", s->directory);
    if (hawser_set_option("home", s->app_home) || hawser_set_option("broker", s->broker.url) ||
        hawser_set_option("bind", "127.0.0.1"))
        return false;
    return peer_start(&s->device, device_program, s->device_home, s->broker.url) &&
           hawser_init(USER) == HAWSER_ERR_OK && pair_up(s);
}

void stage_close(struct stage *s)
{
    (void)hawser_deinit();
    peer_stop(&s->device);
    broker_stop(&s->broker);
    directory_remove(s->directory);
}

bool stage_restart_device(struct stage *s, const char *device_program)
{
    process_kill(s->device.pid);
    s->device.pid = 0;
    peer_stop(&s->device);
    return peer_start(&s->device, device_program, s->device_home, s->broker.url);
}

bool stage_reinit(const char *option, const char *value)
{
    (void)hawser_deinit();
    if (option && hawser_set_option(option, value))
        return false;
    return hawser_init(USER) == HAWSER_ERR_OK;
}

struct pair_of_handles stage_connect(struct stage *s)
{
    struct pair_of_handles h;

    peer_tell(&s->device, "listen 5000");
    h.app = dial(s->device.id, 10000);
    h.device = (int)strtol(peer_answer(&s->device), NULL, 10);
    return h;
}

void stage_disconnect(struct stage *s, struct pair_of_handles h)
{
    if (h.app >= 0)
        (void)hawser_disconnect(h.app);
    if (h.device >= 0)
        (void)peer_ask(&s->device, "disconnect %d", h.device);
}

bool stage_wait_receiving(int handle, unsigned channel)
{
    usec until = io_now() + 10 * SECOND;
    bool is_waiting = false;

    while (!is_waiting && io_now() < until) {
        struct link *l;

        if (call_enter_link(handle, &l))
            return false;
        pthread_mutex_lock(&l->rings.lock);
        is_waiting = l->rings.ring[RING_RX][channel].waiting > 0;
        pthread_mutex_unlock(&l->rings.lock);
        call_leave_link(l);
        (void)sched_yield();
    }
    return is_waiting;
}

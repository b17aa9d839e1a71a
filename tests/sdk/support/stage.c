#include "tests/sdk/support/stage.h"

#include <stdlib.h>
#include <string.h>

struct stage stage;

static void write_log(void *ctx, enum hawser_log_level level, const char *line)
{
    (void)ctx;
    (void)level;
    (void)fprintf(stderr, "app: %s\n", line);
}

static bool pair_up(void)
{
    char id[HAWSER_ID_MAX];

    return hawser_pair(peer_invite(&stage.device), 10000, id) == HAWSER_ERR_OK &&
           strcmp(id, stage.device.id) == 0;
}

int stage_open(void **state)
{
    (void)state;
    if (getenv("VERBOSE"))
        hawser_set_log(HAWSER_LOG_DEBUG, write_log, NULL);
    if (!directory_make(stage.directory))
        return -1;
    (void)snprintf(stage.app_home, sizeof stage.app_home, "%s/app", stage.directory);
    (void)snprintf(stage.device_home, sizeof stage.device_home, "%s/device", stage.directory);
    if (!app_open_broker(&stage.broker, stage.app_home) ||
        !peer_start(&stage.device, stage.device_home, stage.broker.url))
        return -1;
    return hawser_init(USER) == HAWSER_ERR_OK && pair_up() ? 0 : -1;
}

int stage_close(void **state)
{
    (void)state;
    (void)hawser_deinit();
    peer_stop(&stage.device);
    broker_deinit(&stage.broker);
    directory_remove(stage.directory);
    return 0;
}

bool stage_restart_device(void)
{
    process_kill(stage.device.pid);
    stage.device.pid = 0;
    peer_stop(&stage.device);
    return peer_start(&stage.device, stage.device_home, stage.broker.url);
}

bool stage_reinit(const char *option, const char *value)
{
    (void)hawser_deinit();
    if (option && hawser_set_option(option, value))
        return false;
    return hawser_init(USER) == HAWSER_ERR_OK;
}

struct pair_of_handles stage_connect(void)
{
    struct pair_of_handles h;

    peer_tell(&stage.device, "listen 5000");
    h.app = dial(stage.device.id, 10000);
    h.device = (int)strtol(peer_answer(&stage.device), NULL, 10);
    return h;
}

void stage_disconnect(struct pair_of_handles h)
{
    if (h.app >= 0)
        (void)hawser_disconnect(h.app);
    if (h.device >= 0)
        (void)peer_ask(&stage.device, "disconnect %d", h.device);
}

int stage_prove(struct pair_of_handles h)
{
    int code = h.app < 0 ? h.app : hawser_active_check(h.app);

    stage_disconnect(h);
    return code;
}

int stage_wait_end(struct pair_of_handles h)
{
    int code = session_wait_end(h.app);

    stage_disconnect(h);
    return code;
}

#include "tests/sdk/support/here.h"

#include <stddef.h>

struct here here;

int here_open(void **state)
{
    (void)state;
    return directory_make(here.home) && app_open_broker(&here.broker, here.home) &&
                   !hawser_set_option("flush_ms", "100")
               ? 0
               : -1;
}

int here_close(void **state)
{
    (void)state;
    (void)hawser_deinit();
    broker_deinit(&here.broker);
    directory_remove(here.home);
    return 0;
}

int here_open_device(char id[HAWSER_ID_MAX])
{
    int device = hawser_init(USER) ? -1 : hawser_device_open("device");

    if (device < 0 || hawser_device_id(device, id) || hawser_device_wait_online(device, 10000) != 1)
        return -1;
    return device;
}

int here_open_paired_device(char id[HAWSER_ID_MAX])
{
    char invite[HAWSER_INVITE_MAX], got[HAWSER_ID_MAX];
    int device = here_open_device(id);

    if (device < 0 || hawser_device_invite(device, 0, invite) || hawser_pair(invite, 10000, got))
        return -1;
    return device;
}

struct pair_of_handles here_connect(const char *id, int device)
{
    struct pair_of_handles h = { .app = dial(id, 10000), .device = -1 };

    if (h.app >= 0)
        h.device = hawser_device_listen(device, 10000);
    return h;
}

void here_disconnect(struct pair_of_handles h)
{
    (void)hawser_disconnect(h.app);
    (void)hawser_disconnect(h.device);
}

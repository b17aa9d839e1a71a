/* net-device HOME BROKER [OPTION=VALUE...]: the device at one end (ends.h).
 *
 * Prints its ID when it is online. `invite` on its input is answered with a pairing line. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/net/ends.h"

struct served {
    int handle, channel;
};

static void tell_times(int handle)
{
    usec now = net_now();
    char byte;

    while (ends_send(handle, CHANNEL_TIMES, &now, sizeof now) &&
           ends_receive(handle, CHANNEL_TIMES, &byte, 1, -1))
        now = net_now();
}

static void echo(int handle, int channel)
{
    static _Thread_local char data[65536];
    int len;

    while ((len = hawser_recv_data(handle, channel, data, sizeof data, -1)) > 0)
        if (!ends_send(handle, channel, data, len))
            break;
}

static void *serve(void *ctx)
{
    struct served s = *(struct served *)ctx;

    free(ctx);
    if (s.channel == CHANNEL_TIMES)
        tell_times(s.handle);
    else
        echo(s.handle, s.channel);
    if (s.channel == CHANNEL_TIMES)
        (void)hawser_disconnect(s.handle);
    return NULL;
}

static void start_serving(int handle, int channel)
{
    struct served *s = malloc(sizeof *s);
    pthread_t thread;

    *s = (struct served){ handle, channel };
    if (pthread_create(&thread, NULL, serve, s))
        abort();
    (void)pthread_detach(thread);
}

static void *listen_on(void *ctx)
{
    int device = *(int *)ctx, handle;

    while ((handle = hawser_device_listen(device, -1)) != HAWSER_ERR_LISTEN_BROKEN) {
        if (handle < 0)
            continue;
        start_serving(handle, CHANNEL_TIMES);
        start_serving(handle, CHANNEL_ECHO);
    }
    return NULL;
}

static void obey(int device, const char *line)
{
    char invite[HAWSER_INVITE_MAX] = "";

    if (strcmp(line, "invite\n") == 0 && hawser_device_invite(device, 3600, invite) == 0)
        (void)printf("%s\n", invite);
    else
        (void)printf("error\n");
}

int main(int argc, char **argv)
{
    char id[HAWSER_ID_MAX], line[64];
    pthread_t listener;
    int device;

    if (!ends_begin(argc, argv))
        return 2;
    device = hawser_device_open("device");
    if (device < 0 || hawser_device_id(device, id) ||
        hawser_device_wait_online(device, 10000) != 1) {
        (void)fprintf(stderr, "net-device: not online\n");
        return 1;
    }
    (void)hawser_device_set_limit(device, 64);
    if (pthread_create(&listener, NULL, listen_on, &device))
        return 1;
    (void)printf("%s\n", id);
    while (fgets(line, sizeof line, stdin))
        obey(device, line);
    (void)hawser_device_listen_break(device);
    (void)pthread_join(listener, NULL);
    (void)hawser_device_close(device);
    return 0;
}

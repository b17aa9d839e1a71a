/* net-nice START RESULT ROLE STUN TURN...: libnice at one end, for comparison.
 *
 * START is a time of the shared clock in microseconds: what is there before is ready then. ROLE is
 * controlling or controlled. RESULT is a descriptor, which gets one line of JSON. STUN is IP:PORT;
 * TURN is udp:IP:PORT or tcp:IP:PORT, with the user and password of $TURN_USERNAME and
 * $TURN_PASSWORD. Credentials and candidates go out on the standard output as they come, and come
 * in on the input. The component sends when it is connected, and again when it is ready. */
#include <nice/agent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/addr.h"
#include "tests/net/now.h"

enum { COMPONENT = 1, GIVE_UP_MS = 15000, SETTLE_MS = 500 };

static NiceAgent *agent;
static GMainLoop *loop;
static guint stream;
static usec begun_at, connected_at, first_data_at;
static bool has_failed;

static gboolean end(gpointer ctx)
{
    (void)ctx;
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void send_byte(void)
{
    (void)nice_agent_send(agent, stream, COMPONENT, 1, "x");
}

static void on_data(NiceAgent *a, guint s, guint component, guint len, gchar *data, gpointer ctx)
{
    (void)a, (void)s, (void)component, (void)len, (void)data, (void)ctx;
    if (first_data_at)
        return;
    first_data_at = net_now();
    (void)g_timeout_add(SETTLE_MS, end, NULL);
}

static void on_state(NiceAgent *a, guint s, guint component, guint state, gpointer ctx)
{
    (void)a, (void)s, (void)component, (void)ctx;
    has_failed = state == NICE_COMPONENT_STATE_FAILED;
    if (state != NICE_COMPONENT_STATE_CONNECTED && state != NICE_COMPONENT_STATE_READY)
        return;
    if (!connected_at)
        connected_at = net_now();
    send_byte();
}

static void on_candidate(NiceAgent *a, NiceCandidate *candidate, gpointer ctx)
{
    gchar *line = nice_agent_generate_local_candidate_sdp(a, candidate);

    (void)ctx;
    (void)printf("%s\n", line);
    g_free(line);
}

static void on_gathered(NiceAgent *a, guint s, gpointer ctx)
{
    (void)a, (void)s, (void)ctx;
    (void)printf("done\n");
}

static void take_candidate(const char *line)
{
    NiceCandidate *candidate = nice_agent_parse_remote_candidate_sdp(agent, stream, line);
    GSList *list;

    if (!candidate)
        return;
    list = g_slist_append(NULL, candidate);
    (void)nice_agent_set_remote_candidates(agent, stream, COMPONENT, list);
    g_slist_free_full(list, (GDestroyNotify)nice_candidate_free);
}

static void take_line(const char *line)
{
    char ufrag[64], password[128];

    if (sscanf(line, "credentials %63s %127s", ufrag, password) == 2)
        (void)nice_agent_set_remote_credentials(agent, stream, ufrag, password);
    else if (strcmp(line, "done") == 0)
        (void)nice_agent_peer_candidate_gathering_done(agent, stream);
    else
        take_candidate(line);
}

static gboolean on_input(GIOChannel *channel, GIOCondition condition, gpointer ctx)
{
    gchar *line = NULL;
    gsize end_at = 0;

    (void)condition, (void)ctx;
    do {
        if (g_io_channel_read_line(channel, &line, NULL, &end_at, NULL) != G_IO_STATUS_NORMAL)
            return G_SOURCE_REMOVE;
        line[end_at] = '\0';
        take_line(line);
        g_free(line);
    } while (g_io_channel_get_buffer_condition(channel) & G_IO_IN);
    return G_SOURCE_CONTINUE;
}

static gboolean begin(gpointer ctx)
{
    gchar *ufrag, *password;

    (void)ctx;
    begun_at = net_now();
    (void)nice_agent_get_local_credentials(agent, stream, &ufrag, &password);
    (void)printf("credentials %s %s\n", ufrag, password);
    g_free(ufrag);
    g_free(password);
    (void)nice_agent_gather_candidates(agent, stream);
    return G_SOURCE_REMOVE;
}

static bool split(const char *text, char ip[ADDR_TEXT_MAX], guint *port)
{
    struct addr a;

    if (!addr_parse(&a, text))
        return false;
    (void)addr_format_ip(&a, ip);
    *port = a.port;
    return true;
}

static bool add_relay(const char *text)
{
    bool is_tcp = strncmp(text, "tcp:", 4) == 0;
    char ip[ADDR_TEXT_MAX];
    guint port;

    return (is_tcp || strncmp(text, "udp:", 4) == 0) && split(text + 4, ip, &port) &&
           nice_agent_set_relay_info(agent, stream, COMPONENT, ip, port, getenv("TURN_USERNAME"),
                                     getenv("TURN_PASSWORD"),
                                     is_tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP);
}

static bool set_up(int argc, char **argv)
{
    char ip[ADDR_TEXT_MAX];
    guint port;

    agent = nice_agent_new_full(g_main_context_default(), NICE_COMPATIBILITY_RFC5245,
                                NICE_AGENT_OPTION_ICE_TRICKLE);
    if (!split(argv[4], ip, &port))
        return false;
    g_object_set(agent, "stun-server", ip, "stun-server-port", port, "controlling-mode",
                 strcmp(argv[3], "controlling") == 0, "upnp", FALSE, "ice-tcp", FALSE, NULL);
    stream = nice_agent_add_stream(agent, 1);
    for (int i = 5; i < argc; i++)
        if (!add_relay(argv[i]))
            return false;
    (void)g_signal_connect(agent, "new-candidate-full", G_CALLBACK(on_candidate), NULL);
    (void)g_signal_connect(agent, "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
    (void)g_signal_connect(agent, "component-state-changed", G_CALLBACK(on_state), NULL);
    return nice_agent_attach_recv(agent, stream, COMPONENT, g_main_context_default(), on_data,
                                  NULL);
}

static const char *class_of_selected(void)
{
    NiceCandidate *local, *remote;

    if (!nice_agent_get_selected_pair(agent, stream, COMPONENT, &local, &remote))
        return "none";
    return local->type == NICE_CANDIDATE_TYPE_RELAYED || remote->type == NICE_CANDIDATE_TYPE_RELAYED
               ? "relayed"
               : "direct";
}

static void print_result(int fd)
{
    FILE *out = fdopen(fd, "w");

    if (!out)
        return;
    if (first_data_at)
        (void)fprintf(out,
                      "{\"code\": 0, \"class\": \"%s\", \"connect_ms\": %.2f, "
                      "\"first_data_ms\": %.2f}\n",
                      class_of_selected(), (double)(connected_at - begun_at) / 1000,
                      (double)(first_data_at - begun_at) / 1000);
    else
        (void)fprintf(out, "{\"code\": -1, \"error\": \"%s\", \"after_ms\": %.2f}\n",
                      has_failed ? "failed" : "time is up", (double)(net_now() - begun_at) / 1000);
    (void)fclose(out);
}

int main(int argc, char **argv)
{
    GIOChannel *input = g_io_channel_unix_new(0);
    usec wait;

    if (argc < 5)
        return 2;
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    loop = g_main_loop_new(NULL, FALSE);
    if (!set_up(argc, argv))
        return 2;
    (void)g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_input, NULL);
    wait = usec_max(strtoll(argv[1], NULL, 10) - net_now(), 0);
    (void)g_timeout_add((guint)(wait / 1000), begin, NULL);
    (void)g_timeout_add((guint)(wait / 1000) + GIVE_UP_MS, end, NULL);
    g_main_loop_run(loop);
    print_result((int)strtol(argv[2], NULL, 10));
    return 0;
}

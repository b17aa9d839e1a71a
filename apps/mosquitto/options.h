/* options.h: the plugin_opt_… lines of mosquitto.conf.
 *
 *     plugin_opt_audience broker.example.org,localhost:1883    names of this broker; required
 *     plugin_opt_skew 300           seconds a client's clock may be off, either way
 *     plugin_opt_payload_max 16384  bytes of a message
 *     plugin_opt_publish_rate 20    messages per second of a client, beyond 100; 0: no limit
 */
#ifndef HAWSER_MOSQUITTO_OPTIONS_H
#define HAWSER_MOSQUITTO_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_AUDIENCES_MAX 16

struct options {
    char *names; /* what audiences points into */
    const char *audiences[OPTIONS_AUDIENCES_MAX];
    size_t audience_count;
    int64_t skew_s;
    size_t payload_max;
    int64_t publish_rate;
};

struct mosquitto_opt;

/* NULL if all is well, otherwise what is not, in words for the log: static text. */
const char *options_init(struct options *o, const struct mosquitto_opt *opts, int opt_count);
void options_deinit(struct options *o);

#endif

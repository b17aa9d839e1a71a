/* plugin.h: where mosquitto-hawser.so is. */
#ifndef HAWSER_APPS_HAWSER_PLUGIN_H
#define HAWSER_APPS_HAWSER_PLUGIN_H

#include <limits.h>

#define PLUGIN_NAME     "mosquitto-hawser.so"
#define PLUGIN_VARIABLE "HAWSER_PLUGIN"

/* The one that was named (by an option, or NULL) or that the environment names; else the first of:
 * beside this program, in the lib directory of the tree it lies in, where it was to be installed,
 * there only one that is root's, the user's or the program's owner's. 0, or an exit code, said. */
int plugin_find(const char *named, char out[PATH_MAX]);

#endif

/* system.h: processes that are stopped and killed, and places for files. */
#ifndef HAWSER_TESTS_SDK_SYSTEM_H
#define HAWSER_TESTS_SDK_SYSTEM_H

#include <stdbool.h>
#include <sys/types.h>

/* A process stopped in its tracks: sockets open, nothing answered. And its continuation. */
void process_freeze(pid_t pid);
void process_thaw(pid_t pid);
void process_kill(pid_t pid); /* and waits for its end */

bool directory_make(char out[64]);
void directory_remove(const char *path); /* with what it holds */

#endif

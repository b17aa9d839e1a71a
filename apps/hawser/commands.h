/* commands.h: one function a command, each in a file of its name. argv[0] is "hawser COMMAND";
 * the answer is an exit code. */
#ifndef HAWSER_APPS_HAWSER_COMMANDS_H
#define HAWSER_APPS_HAWSER_COMMANDS_H

int command_bench(int argc, char **argv);
int command_camera(int argc, char **argv);
int command_connect(int argc, char **argv);
int command_echo(int argc, char **argv);
int command_get(int argc, char **argv);
int command_keygen(int argc, char **argv);
int command_list(int argc, char **argv);
int command_pair(int argc, char **argv);
int command_ping(int argc, char **argv);
int command_put(int argc, char **argv);
int command_recv(int argc, char **argv);
int command_send(int argc, char **argv);
int command_status(int argc, char **argv);
int command_up(int argc, char **argv);
int command_watch(int argc, char **argv);

#endif

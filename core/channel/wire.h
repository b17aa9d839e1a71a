/* wire.h: numbers of data channels on the wire. */
#ifndef HAWSER_CHANNEL_WIRE_H
#define HAWSER_CHANNEL_WIRE_H

/* RFC 8831 §8: payload protocol identifiers. */
#define PPID_DCEP         50
#define PPID_STRING       51
#define PPID_BINARY       53
#define PPID_STRING_EMPTY 56
#define PPID_BINARY_EMPTY 57

/* RFC 8832 §8.2.1: message types of the establishment protocol. */
#define DCEP_ACK  2
#define DCEP_OPEN 3

/* RFC 8832 §8.2.2: of a channel type; what is set says that messages may be lost. */
#define DCEP_LOSSY_MASK 0x7f

/* The control stream, docs/protocol.md §6.
 *
 *      0                   1                   2                   3
 *     +---------------+---------------+-------------------------------+
 *     | type = 1      | 0             | reason                        |
 *     +---------------+---------------+-------------------------------+
 *
 *     +---------------+---------------+-------------------------------+
 *     | type = 2      | channel       | 0                             |
 *     +---------------+---------------+-------------------------------+
 *     | limit: bytes of this channel since its start that may be sent |
 *     |                                                               |
 *     +---------------------------------------------------------------+
 *
 *     +---------------+---------------+-------------------------------+
 *     | type = 3      | 1: on; 0: off | 0                             |
 *     +---------------+---------------+-------------------------------+
 *
 *     +---------------+---------------+---------------+---------------+
 *     | type = 4      | channel       | mode = 1      | 0             |
 *     +---------------+---------------+---------------+---------------+ */
#define CONTROL_CLOSE      1
#define CONTROL_CREDIT     2
#define CONTROL_KEEP_ALIVE 3
#define CONTROL_MODE       4

#define MODE_LOSSY 1

#endif

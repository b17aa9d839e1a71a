/* wire.h: SCTP's numbers. RFC 9260 §3, RFC 6525 §4, RFC 3758 §3, RFC 5061 §4.2.7, RFC 8260 §2,
 * RFC 9653 §4. */
#ifndef HAWSER_SCTP_WIRE_H
#define HAWSER_SCTP_WIRE_H

enum chunk_type {
    CHUNK_DATA = 0,
    CHUNK_INIT = 1,
    CHUNK_INIT_ACK = 2,
    CHUNK_SACK = 3,
    CHUNK_HEARTBEAT = 4,
    CHUNK_HEARTBEAT_ACK = 5,
    CHUNK_ABORT = 6,
    CHUNK_SHUTDOWN = 7,
    CHUNK_SHUTDOWN_ACK = 8,
    CHUNK_ERROR = 9,
    CHUNK_COOKIE_ECHO = 10,
    CHUNK_COOKIE_ACK = 11,
    CHUNK_SHUTDOWN_COMPLETE = 14,
    CHUNK_I_DATA = 64,
    CHUNK_RE_CONFIG = 130,
    CHUNK_PAD = 132,  /* RFC 4820 */
    CHUNK_PART = 181, /* hawser's own: part.c */
    CHUNK_FORWARD_TSN = 192,
    CHUNK_I_FORWARD_TSN = 194
};

/* The two upper bits of an unknown chunk or parameter type say what to do: RFC 9260 §3.2. */
enum {
    CHUNK_IF_UNKNOWN_SKIP = 0x80,   /* and go on with the next; otherwise drop the rest */
    CHUNK_IF_UNKNOWN_REPORT = 0x40, /* in an ERROR */
    PARAM_IF_UNKNOWN_SKIP = 0x8000,
    PARAM_IF_UNKNOWN_REPORT = 0x4000
};

enum data_flag {
    DATA_ENDS = 0x01,
    DATA_BEGINS = 0x02,
    DATA_UNORDERED = 0x04,
    DATA_SACK_NOW = 0x08 /* RFC 9260 §3.3.1, the I bit */
};

/* Of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own view reflected, RFC 9260 §8.5.1. */
enum { FLAG_TAG_REFLECTED = 0x01 };

enum param_type {
    PARAM_HEARTBEAT_INFO = 1,
    PARAM_STATE_COOKIE = 7,
    PARAM_UNRECOGNIZED = 8,
    PARAM_RESET_OUTGOING = 13,
    PARAM_RESET_INCOMING = 14,
    PARAM_RESET_ALL = 15,
    PARAM_RECONFIG_RESPONSE = 16,
    PARAM_ADD_OUTGOING = 17,
    PARAM_ADD_INCOMING = 18,
    PARAM_ZERO_CHECKSUM_ACCEPTABLE = 0x8001,
    PARAM_SUPPORTED_EXTENSIONS = 0x8008,
    PARAM_FORWARD_TSN_SUPPORTED = 0xc000
};

/* What detects errors instead of the checksum, RFC 9653 §8. */
enum { ERRORS_FOUND_BY_DTLS = 1 };

/* Of an I-FORWARD-TSN's entry, RFC 8260 §2.3.1. */
enum { SKIP_UNORDERED = 0x0001 };

enum reconfig_result {
    RECONFIG_NOTHING_TO_DO = 0,
    RECONFIG_PERFORMED = 1,
    RECONFIG_DENIED = 2,
    RECONFIG_WRONG_STREAM = 3,
    RECONFIG_IN_PROGRESS = 6,
    RECONFIG_BAD_SEQUENCE = 5
};

enum cause_code {
    CAUSE_INVALID_STREAM = 1,
    CAUSE_MISSING_PARAMETER = 2,
    CAUSE_STALE_COOKIE = 3,
    CAUSE_UNRECOGNIZED_CHUNK = 6,
    CAUSE_INVALID_MANDATORY_PARAMETER = 7,
    CAUSE_UNRECOGNIZED_PARAMETERS = 8,
    CAUSE_NO_USER_DATA = 9,
    CAUSE_COOKIE_WHILE_SHUTTING_DOWN = 10,
    CAUSE_USER_ABORT = 12,
    CAUSE_PROTOCOL_VIOLATION = 13
};

enum {
    COMMON_HEADER_LEN = 12,
    CHECKSUM_AT = 8, /* in the common header */
    CHUNK_HEADER_LEN = 4,
    DATA_HEADER_LEN = 16, /* chunk header included */
    I_DATA_HEADER_LEN = 20,
    FORWARD_HEADER_LEN = 8,
    FORWARD_SKIP_LEN = 4, /* of a stream's entry in FORWARD-TSN */
    I_FORWARD_SKIP_LEN = 8,
    SACK_HEADER_LEN = 16,
    GAP_BLOCK_LEN = 4,
    PART_HEADER_LEN = 12, /* chunk header included */
    PARAM_HEADER_LEN = 4
};

#endif

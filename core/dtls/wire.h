/* wire.h: the numbers of the DTLS record layer (RFC 6347 §4.1). A record is
 *
 *     type 1 | version 2 | epoch 2 | sequence number 6 | length 2 | fragment
 *
 * and a datagram holds one or more whole records. Epoch 0 is in the clear. */
#ifndef HAWSER_DTLS_WIRE_H
#define HAWSER_DTLS_WIRE_H

#define DTLS_RECORD_HEADER 13

enum dtls_content {
    DTLS_CONTENT_CHANGE_CIPHER_SPEC = 20,
    DTLS_CONTENT_ALERT = 21,
    DTLS_CONTENT_HANDSHAKE = 22,
    DTLS_CONTENT_DATA = 23
};

#define DTLS_VERSION_MAJOR 0xfe
#define DTLS_VERSION_1_0   0xfeff /* what a first ClientHello's record may say */
#define DTLS_VERSION_1_2   0xfefd

/* RFC 7983: the first byte of a datagram that belongs to DTLS. */
#define DTLS_FIRST_BYTE_MIN 20
#define DTLS_FIRST_BYTE_MAX 63

#endif

/* transfer.h: the bytes of one file over channel 5, in either direction: what both sides of "get"
 * and "put" do once channel 0 has agreed on it. */
#ifndef HAWSER_APPS_COMMON_TRANSFER_H
#define HAWSER_APPS_COMMON_TRANSFER_H

#include <openssl/evp.h>

#include "apps/common/files.h"
#include "apps/common/flow.h"

#define TRANSFER_SILENCE_MS 45000 /* nothing moved for so long: given up */

enum { TRANSFER_FAILED = 1 };

struct transfer {
    struct flow *in; /* of channel 5, borrowed */
    uint32_t number;
    int fd;
    uint64_t size, at;                     /* of the file; how far it is */
    EVP_MD_CTX *hash;                      /* of everything before `at` */
    void (*moved)(void *ctx, uint64_t at); /* NULL, or told how far it is */
    void *ctx;
    bool unended; /* the peer has not said END or ABORT yet, but this side failed */
    bool damaged; /* received, but the hash disagrees: what is stored is worthless */
    uint8_t digest[FILES_HASH_BYTES];
    char why[FILES_TEXT_MAX + 64]; /* of a failure, for people */
};

/* Ready for size bytes of fd, from the start. 0 or -29. */
int transfer_init(struct transfer *t, struct flow *in, uint32_t number, int fd, uint64_t size);
void transfer_deinit(struct transfer *t);

/* Reads and hashes the first `len` bytes of the file, so that the transfer goes on from there, and
 * fills in their hash. 0 or -1 (the file is shorter, or cannot be read). */
int transfer_skip(struct transfer *t, uint64_t len, char hex[2 * FILES_HASH_BYTES + 1]);

/* Back to the start of the file. */
int transfer_rewind(struct transfer *t);

/* Sends the rest of the file and waits for the receipt; receives the rest, compares the hash and
 * leaves the receipt to the caller, who stores the file first. 0; a code of the library; or
 * TRANSFER_FAILED with t->why. */
int transfer_send(struct transfer *t);
int transfer_receive(struct transfer *t);

/* The receiver's last word: it is stored (why NULL), or why not. Then what the sender had already
 * on its way is passed over, so that the channel is ready for the next transfer. */
int transfer_answer(struct transfer *t, const char *why);

#endif

/* Our association against plain OpenSSL: what we agree to, and what we refuse and how. */
#include "core/dtls/bio.h"
#include "core/dtls/context.h"
#include "tests/check.h"
#include "tests/support/dtls_pair.h"
#include "tests/support/rng.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum cert { CERT_EC, CERT_RSA, CERT_NONE };

/* The foreign peer's side of a row. */
struct foreign_config {
    enum cert cert;
    const char *suites; /* NULL: OpenSSL's own choice */
    int version_max;    /* 0: the same */
    bool rejects;       /* our certificate */
    size_t cut;         /* glues a flight together and cuts it into as many bytes; 0: as it is */
};

static struct {
    SSL_CTX *ctx;
    SSL *ssl;
    BIO_METHOD *method;
    struct dtls_bio io;
    uint8_t fingerprint[DTLS_FINGERPRINT_BYTES];
    unsigned long error; /* the first of its handshake */
    size_t cut;
} foreign;

static struct dtls *ours;
static struct dtls_seen seen;
static uint64_t seed = 7;

static EVP_PKEY *make_key(enum cert kind)
{
    return kind == CERT_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

static void give_certificate(enum cert kind)
{
    EVP_PKEY *key = make_key(kind);
    X509 *cert = X509_new();

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    CHECK("its certificate",
          dtls_fingerprint(cert, foreign.fingerprint) &&
              (kind == CERT_NONE || (SSL_CTX_use_certificate(foreign.ctx, cert) &&
                                     SSL_CTX_use_PrivateKey(foreign.ctx, key))));
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int accept_any(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store;
    return 1;
}

static int reject_any(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store;
    return 0;
}

static void foreign_init(const struct foreign_config *cfg, enum dtls_role role)
{
    memset(&foreign, 0, sizeof foreign);
    foreign.cut = cfg->cut;
    foreign.ctx = SSL_CTX_new(DTLS_method());
    SSL_CTX_set_verify(foreign.ctx, SSL_VERIFY_PEER, cfg->rejects ? reject_any : accept_any);
    give_certificate(cfg->cert);
    if (cfg->suites)
        CHECK("its suites", SSL_CTX_set_cipher_list(foreign.ctx, cfg->suites));
    if (cfg->version_max) {
        SSL_CTX_set_security_level(foreign.ctx, 0); /* OpenSSL 3 has no DTLS 1.0 above it */
        SSL_CTX_set_max_proto_version(foreign.ctx, cfg->version_max);
    }
    foreign.ssl = SSL_new(foreign.ctx);
    foreign.method = dtls_bio_method_new();
    CHECK("its ends", dtls_bio_init(&foreign.io, foreign.method, 1200));
    SSL_set_bio(foreign.ssl, foreign.io.bio, foreign.io.bio);
    if (role == DTLS_CLIENT)
        SSL_set_connect_state(foreign.ssl);
    else
        SSL_set_accept_state(foreign.ssl);
}

static void foreign_deinit(void)
{
    SSL_free(foreign.ssl);
    dtls_bio_deinit(&foreign.io);
    SSL_CTX_free(foreign.ctx);
    BIO_meth_free(foreign.method);
    ERR_clear_error();
}

static void ours_init(enum dtls_role role, bool expects_other)
{
    struct rng rng = test_rng(&seed);
    struct dtls_config cfg = { .identity = dtls_pair_identity(CLIENT), .role = role };

    memcpy(cfg.remote_fingerprint, foreign.fingerprint, sizeof cfg.remote_fingerprint);
    cfg.remote_fingerprint[31] ^= expects_other;
    memset(&seen, 0, sizeof seen);
    CHECK("made", dtls_new(&ours, &cfg, &rng) == ERR_OK);
    dtls_start(ours, 0);
}

static void to_ours(const uint8_t *data, size_t len)
{
    struct dtls_event ev;
    struct bytes packet;

    (void)dtls_input(ours, 0, bytes_of(data, len));
    while (dtls_poll_data(ours, &packet)) {
        seen.packets++;
        memcpy(seen.packet_data, packet.data, packet.len);
        seen.last = bytes_of(seen.packet_data, packet.len);
    }
    while (dtls_poll_event(ours, &ev)) {
        seen.is_up = seen.is_up || ev.type == DTLS_EVENT_UP;
        if (ev.type == DTLS_EVENT_UP || ev.type == DTLS_EVENT_KEYS)
            continue;
        seen.has_ended = true;
        seen.end = ev.type;
        seen.reason = ev.reason;
    }
}

static bool pump_to_ours(void)
{
    static uint8_t glued[65536];
    size_t len = 0;
    struct bytes dgram;
    bool any = false;

    for (; dtls_queue_get(&foreign.io.out, &dgram); dtls_queue_remove(&foreign.io.out)) {
        any = true;
        if (!foreign.cut) {
            to_ours(dgram.data, dgram.len);
            continue;
        }
        memcpy(glued + len, dgram.data, dgram.len);
        len += dgram.len;
    }
    for (size_t at = 0; at < len; at += foreign.cut)
        to_ours(glued + at, len - at < foreign.cut ? len - at : foreign.cut);
    return any;
}

/* Lets the foreign peer read what it is given, or go on with its handshake. */
static void foreign_turn(void)
{
    int answer;

    ERR_clear_error();
    answer = SSL_do_handshake(foreign.ssl);
    if (answer <= 0 && SSL_get_error(foreign.ssl, answer) == SSL_ERROR_SSL && !foreign.error)
        foreign.error = ERR_peek_error();
    ERR_clear_error();
}

static bool pump_to_foreign(void)
{
    static uint8_t buf[65000];
    struct out out;
    bool any = false;

    out_init(&out, buf, sizeof buf);
    while (dtls_poll_output(ours, &out)) {
        for (size_t i = 0; i < out.count; i++) {
            dtls_bio_offer(&foreign.io, out_datagram(&out, i));
            foreign_turn();
            dtls_bio_retract(&foreign.io);
        }
        out_reset(&out);
        any = true;
    }
    return any;
}

static void meet(const struct foreign_config *cfg, enum dtls_role our_role, bool expects_other)
{
    foreign_init(cfg, our_role == DTLS_CLIENT ? DTLS_SERVER : DTLS_CLIENT);
    ours_init(our_role, expects_other);
    foreign_turn();
    for (bool any = true; any;) {
        any = pump_to_foreign();
        any = pump_to_ours() || any;
    }
}

static void part(void)
{
    dtls_free(ours);
    foreign_deinit();
}

static bool ours_hears(const char *text)
{
    size_t before = seen.packets;

    if (SSL_write(foreign.ssl, text, (int)strlen(text)) <= 0)
        return false;
    pump_to_ours();
    return seen.packets == before + 1 && bytes_equal(seen.last, bytes_of_string(text));
}

/* Sends a run of three, the last shorter; true if it comes out as sent and keeps a run's shape. */
static bool foreign_hears_a_run(size_t overhead)
{
    uint8_t buf[4096], got[2048];
    struct out out;
    bool same = true;

    out_init(&out, buf, sizeof buf);
    out.head = DTLS_HEAD;
    out.tail = DTLS_TAIL;
    for (int i = 0; i < 3; i++) {
        size_t len = i < 2 ? 1000 : 10;

        memset(out_next(&out), 'a' + i, len);
        out_add(&out, len);
    }
    if (dtls_seal(ours, &out) || out.segment != 1000 + overhead || out.len != 2010 + 3 * overhead)
        return false;
    for (size_t i = 0; i < 3; i++) {
        int len = i < 2 ? 1000 : 10;

        dtls_bio_offer(&foreign.io, out_datagram(&out, i));
        same = same && SSL_read(foreign.ssl, got, sizeof got) == len && got[0] == 'a' + (int)i &&
               got[len - 1] == 'a' + (int)i;
    }
    return same;
}

TEST(agreed)
{
    static const struct {
        const char *claim;
        struct foreign_config cfg;
        size_t overhead; /* of a sealed packet */
    } rows[] = {
        { "OpenSSL's defaults", { 0 }, 37 },
        { "an RSA certificate", { .cert = CERT_RSA }, 37 },
        { "AES-256-GCM alone", { .suites = "ECDHE-ECDSA-AES256-GCM-SHA384" }, 37 },
        { "CHACHA20-POLY1305 alone", { .suites = "ECDHE-ECDSA-CHACHA20-POLY1305" }, 29 },
        { "GCM after CHACHA20",
          { .suites = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256" },
          37 },
        { "flights glued into datagrams of 1500 bytes", { .cut = 1500 }, 37 },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        for (enum dtls_role role = DTLS_CLIENT; role <= DTLS_SERVER; role++) {
            size_t overhead = rows[i].overhead;

            /* A server of theirs goes by the client's order, and so by ours. */
            meet(&rows[i].cfg, role, false);
            CHECK(rows[i].claim,
                  seen.is_up && !seen.has_ended && SSL_is_init_finished(foreign.ssl));
            CHECK("their data", ours_hears("good day"));
            CHECK("our run", foreign_hears_a_run(overhead));
            CHECK("no ticket", !SSL_SESSION_has_ticket(SSL_get0_session(foreign.ssl)));
            CHECK("DTLS 1.2", SSL_version(foreign.ssl) == DTLS1_2_VERSION);
            CHECK("nothing left behind", ERR_peek_error() == 0);
            part();
        }
}

enum { NO_ERROR = 0, ANY = -1 };
static const struct {
    const char *claim;
    struct foreign_config cfg;
    enum dtls_role role; /* ours */
    bool expects_other;
    enum dtls_reason reason;
    int alert; /* that the foreign peer gets */
} refusals[] = {
    { "a server with another certificate",
      { 0 },
      DTLS_CLIENT,
      true,
      DTLS_REASON_FINGERPRINT,
      SSL_AD_BAD_CERTIFICATE },
    { "a client with another certificate",
      { 0 },
      DTLS_SERVER,
      true,
      DTLS_REASON_FINGERPRINT,
      SSL_AD_BAD_CERTIFICATE },
    { "a client with none",
      { .cert = CERT_NONE },
      DTLS_SERVER,
      false,
      DTLS_REASON_PROTOCOL,
      SSL_AD_HANDSHAKE_FAILURE },
    { "a client with CBC suites",
      { .suites = "ECDHE-ECDSA-AES128-SHA" },
      DTLS_SERVER,
      false,
      DTLS_REASON_PROTOCOL,
      SSL_AD_HANDSHAKE_FAILURE },
    { "a server with CBC suites",
      { .suites = "ECDHE-ECDSA-AES128-SHA" },
      DTLS_CLIENT,
      false,
      DTLS_REASON_ALERT,
      ANY },
    { "a client without forward secrecy",
      { .cert = CERT_RSA, .suites = "AES128-GCM-SHA256" },
      DTLS_SERVER,
      false,
      DTLS_REASON_PROTOCOL,
      SSL_AD_HANDSHAKE_FAILURE },
    { "a client of DTLS 1.0",
      { .version_max = DTLS1_VERSION },
      DTLS_SERVER,
      false,
      DTLS_REASON_PROTOCOL,
      SSL_AD_PROTOCOL_VERSION },
    { "a server of DTLS 1.0",
      { .version_max = DTLS1_VERSION },
      DTLS_CLIENT,
      false,
      DTLS_REASON_ALERT,
      ANY },
    { "a client that rejects us", { .rejects = true }, DTLS_SERVER, false, DTLS_REASON_ALERT, ANY },
    { "a server that rejects us", { .rejects = true }, DTLS_CLIENT, false, DTLS_REASON_ALERT, ANY },
};

TEST(refused)
{
    for (size_t i = 0; i < COUNT(refusals); i++) {
        meet(&refusals[i].cfg, refusals[i].role, refusals[i].expects_other);
        CHECK(refusals[i].claim, seen.has_ended && !seen.is_up && seen.end == DTLS_EVENT_FAILED);
        CHECK("for this reason", seen.reason == refusals[i].reason);
        CHECK("it is told why",
              refusals[i].alert == ANY ||
                  ERR_GET_REASON(foreign.error) == SSL_AD_REASON_OFFSET + refusals[i].alert);
        CHECK("no timer goes on", dtls_next_timeout(ours) == USEC_NEVER);
        CHECK("nothing left behind", ERR_peek_error() == 0);
        part();
    }
}

TEST(renegotiation_is_declined)
{
    static const struct foreign_config plain;

    for (enum dtls_role role = DTLS_CLIENT; role <= DTLS_SERVER; role++) {
        meet(&plain, role, false);
        CHECK("up", seen.is_up);
        SSL_renegotiate(foreign.ssl);
        foreign_turn();
        pump_to_ours();
        CHECK("and stays up", !seen.has_ended && dtls_is_up(ours));
        if (role == DTLS_CLIENT) /* a client of theirs waits for the answer it will not get */
            CHECK("able to seal", foreign_hears_a_run(37));
        part();
    }
}

static bool foreign_is_told_the_end(void)
{
    uint8_t buf[256], byte;
    struct out out;
    int answer;

    out_init(&out, buf, sizeof buf);
    if (!dtls_poll_output(ours, &out) || out.count != 1)
        return false;
    dtls_bio_offer(&foreign.io, out_datagram(&out, 0));
    answer = SSL_read(foreign.ssl, &byte, 1);
    return answer <= 0 && SSL_get_error(foreign.ssl, answer) == SSL_ERROR_ZERO_RETURN;
}

TEST(foreign_close)
{
    static const struct foreign_config plain;

    for (enum dtls_role role = DTLS_CLIENT; role <= DTLS_SERVER; role++) {
        meet(&plain, role, false);
        SSL_shutdown(foreign.ssl);
        pump_to_ours();
        CHECK("its close_notify is an end", seen.end == DTLS_EVENT_CLOSED && seen.has_ended);
        pump_to_foreign();
        part();

        meet(&plain, role, false);
        dtls_close(ours);
        CHECK("ours is understood", foreign_is_told_the_end());
        part();
    }
}

TESTS(TEST_ROW(agreed), TEST_ROW(refused), TEST_ROW(renegotiation_is_declined),
      TEST_ROW(foreign_close))

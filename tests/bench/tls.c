/* tls: OpenSSL's TLS 1.3 with AES-128-GCM over the kernel's TCP, blocking calls: what an encrypted
 * stream costs without any of our transport. The certificate is made on the spot; nobody checks it,
 * as only the records matter here. */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/bench/loopback.h"
#include "tests/bench/pair.h"

#define PORT 47005

struct tls {
    int listener;
    SSL_CTX *context;
    SSL *ssl;
};

static struct tls *make(const SSL_METHOD *method)
{
    struct tls *t = calloc(1, sizeof *t);

    t->context = SSL_CTX_new(method);
    if (!t->context || !SSL_CTX_set_min_proto_version(t->context, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(t->context, "TLS_AES_128_GCM_SHA256"))
        return NULL;
    return t;
}

static bool certify(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool ok = key && certificate && X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
              X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) &&
              X509_set_pubkey(certificate, key) && X509_sign(certificate, key, EVP_sha256()) &&
              SSL_CTX_use_certificate(context, certificate) && SSL_CTX_use_PrivateKey(context, key);

    X509_free(certificate);
    EVP_PKEY_free(key);
    return ok;
}

static void *tls_listen(void)
{
    struct tls *t = make(TLS_server_method());

    if (!t || !certify(t->context))
        return NULL;
    t->listener = loopback_listen(PORT);
    return t->listener >= 0 ? t : NULL;
}

static bool tls_accept(void *ctx)
{
    struct tls *t = ctx;
    int fd = accept(t->listener, NULL, NULL);

    t->ssl = SSL_new(t->context);
    return fd >= 0 && t->ssl && SSL_set_fd(t->ssl, fd) && SSL_accept(t->ssl) > 0;
}

static long tls_receive(void *ctx, void *buf, size_t cap)
{
    struct tls *t = ctx;
    int n = SSL_read(t->ssl, buf, (int)cap);

    return n > 0 ? n : SSL_get_error(t->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static bool tls_acknowledge(void *ctx)
{
    return SSL_write(((struct tls *)ctx)->ssl, "a", 1) == 1;
}

static void *tls_connect(void)
{
    struct tls *t = make(TLS_client_method());
    int fd = loopback_connect(PORT);

    if (!t || fd < 0)
        return NULL;
    t->ssl = SSL_new(t->context);
    return t->ssl && SSL_set_fd(t->ssl, fd) && SSL_connect(t->ssl) > 0 ? t : NULL;
}

static bool tls_send(void *ctx, const void *data, size_t len)
{
    return SSL_write(((struct tls *)ctx)->ssl, data, (int)len) == (int)len;
}

static bool tls_finish(void *ctx)
{
    struct tls *t = ctx;
    char byte;

    SSL_shutdown(t->ssl);
    return SSL_read(t->ssl, &byte, 1) == 1;
}

int main(int argc, char **argv)
{
    static const struct pair_transport tls = {
        .name = "tls",
        .listen = tls_listen,
        .accept = tls_accept,
        .receive = tls_receive,
        .acknowledge = tls_acknowledge,
        .connect = tls_connect,
        .send = tls_send,
        .finish = tls_finish,
    };

    return pair_run(&tls, pair_number(argc > 1 ? argv[1] : "3"));
}

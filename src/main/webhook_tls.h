/* struct tls_lib: the functions of OpenSSL that a webhook needs, found when they are needed: linked in, the library would
 * nearly double the time that petrel takes to start, for a process that most configurations never have.  One thread. */
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "base/str.h"

#define TLS_FUNCTIONS(X) \
	X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_ctrl) X(SSL_CTX_set_verify) \
	X(SSL_CTX_set_default_verify_paths) X(SSL_CTX_load_verify_file) X(SSL_new) X(SSL_set_fd) \
	X(SSL_set1_host) X(SSL_get0_param) X(SSL_ctrl) X(SSL_connect) X(SSL_get_verify_result) X(SSL_read) \
	X(SSL_write) X(SSL_get_error) X(SSL_shutdown) X(X509_VERIFY_PARAM_set1_ip_asc) \
	X(X509_verify_cert_error_string) X(ERR_get_error) X(ERR_reason_error_string) X(EVP_sha256) X(HMAC)

struct tls_lib {
#define TLS_MEMBER(name) typeof(name) *name;
	TLS_FUNCTIONS(TLS_MEMBER)
#undef TLS_MEMBER
};

enum { HMAC_HEX_B = 64 };

/* NULL, or what is missing. */
const char *tls_lib_open(struct tls_lib *lib);
/* The HMAC-SHA256 of the text, in hexadecimal digits with a NUL behind them. */
void hmac_print(const struct tls_lib *lib, struct str secret, struct str text, char out[HMAC_HEX_B + 1]);
/* A connection on which the server has shown that it is the host; NULL, and a sentence in why. */
SSL *tls_open(const struct tls_lib *lib, int fd, const char *host, const char *ca, char *why, size_t why_n);

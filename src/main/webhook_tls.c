/* Finding OpenSSL, and what is asked of it.  One thread. */
#include "main/webhook_tls.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* The library that the headers are of; it brings libcrypto along.  It is never closed: the process does nothing else. */
const char *tls_lib_open(struct tls_lib *lib)
{
	void *handle = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return "libssl.so.3 is missing: install OpenSSL (libssl3)";
#define TLS_FIND(name)                                                                                                  \
	lib->name = (typeof(lib->name))(uintptr_t)dlsym(handle, #name);                                                     \
	if (!lib->name)                                                                                                     \
		return "libssl.so.3 lacks " #name;
	TLS_FUNCTIONS(TLS_FIND)
#undef TLS_FIND
	return NULL;
}

void hmac_print(const struct tls_lib *lib, struct str secret, struct str text, char out[HMAC_HEX_B + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	must(lib->HMAC(lib->EVP_sha256(), secret.p, (int)secret.n, (const unsigned char *)text.p, text.n, sum, &n));
	must(2 * n == HMAC_HEX_B);
	for (unsigned i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static void say_error(const struct tls_lib *lib, const char *what, char *why, size_t why_n)
{
	const char *reason = lib->ERR_reason_error_string(lib->ERR_get_error());
	snprintf(why, why_n, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

static int open_context(const struct tls_lib *lib, struct tls *tls, const char *ca, char *why, size_t why_n)
{
	const char *which = *ca ? "the certificates of `ca`" : "the system's certificates";
	char what[64];
	tls->ctx = lib->SSL_CTX_new(lib->TLS_client_method());
	if (!tls->ctx) {
		say_error(lib, "TLS can't begin", why, why_n);
		return -1;
	}
	lib->SSL_CTX_ctrl(tls->ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	lib->SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
	if (*ca ? lib->SSL_CTX_load_verify_file(tls->ctx, ca) : lib->SSL_CTX_set_default_verify_paths(tls->ctx))
		return 0;
	snprintf(what, sizeof what, "%s can't be read", which);
	say_error(lib, what, why, why_n);
	return -1;
}

static bool is_address(const char *host)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool expect_host(const struct tls_lib *lib, SSL *ssl, const char *host)
{
	if (is_address(host))
		return lib->X509_VERIFY_PARAM_set1_ip_asc(lib->SSL_get0_param(ssl), host) == 1;
	lib->SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)host);
	return lib->SSL_set1_host(ssl, host) == 1;
}

static int shake_hands(const struct tls_lib *lib, struct tls *tls, int fd, const char *host, char *why, size_t why_n)
{
	tls->ssl = lib->SSL_new(tls->ctx);
	if (!tls->ssl || !expect_host(lib, tls->ssl, host) || lib->SSL_set_fd(tls->ssl, fd) != 1) {
		say_error(lib, "TLS can't begin", why, why_n);
		return -1;
	}
	if (lib->SSL_connect(tls->ssl) == 1)
		return 0;
	long verdict = lib->SSL_get_verify_result(tls->ssl);
	if (verdict == X509_V_OK)
		say_error(lib, "TLS failed", why, why_n);
	else
		snprintf(why, why_n, "the server's certificate: %s", lib->X509_verify_cert_error_string(verdict));
	return -1;
}

int tls_open(const struct tls_lib *lib, struct tls *tls, int fd, const char *host, const char *ca, char *why,
             size_t why_n)
{
	int err = open_context(lib, tls, ca, why, why_n);
	return err ? err : shake_hands(lib, tls, fd, host, why, why_n);
}

void tls_close(const struct tls_lib *lib, struct tls *tls)
{
	if (tls->ssl)
		lib->SSL_free(tls->ssl);
	if (tls->ctx)
		lib->SSL_CTX_free(tls->ctx);
	*tls = (struct tls){};
}

#include "registry/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <nss.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#include "layers/openssl.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "registry/certificates.h"
#include "registry/url.h"

/* The most that all header lines of an answer may have; real ones have a hundredth of it. */
#define HEADERS_SIZE_MAX (256 << 10)
/* Slower than this on average is not slow, it is stuck. */
#define STALL_BYTES_PER_SECOND 100
/* A registry that has all bytes of a blob may move them before it answers. */
#define STALL_AFTER_UPLOAD 10
#define CONNECT_SECONDS 30
#define BUFFER_SIZE (256 << 10)

static pthread_once_t start_once = PTHREAD_ONCE_INIT;
static bool started;

static void start(void)
{
	/* What else /etc/nsswitch.conf names would be loaded, from the C library of this machine into ours. */
	__nss_configure_lookup("hosts", "files dns");
	openssl_begin();
	started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* What libcurl.a wants of the libraries for other protocols (Makefile): nobody calls it but
 * curl_global_init, which takes 0 for success. */
long transfer_absent(void);
long transfer_absent(void)
{
	return 0;
}

/* --- handles --- */

struct handle {
	CURL *easy;
	SLIST_ENTRY(handle) next;
};

struct connections {
	pthread_mutex_t mutex;
	SLIST_HEAD(, handle) idle;
};

struct connections *connections_open(struct error *e)
{
	struct connections *c = calloc(1, sizeof *c);

	if (!c) {
		error_memory(e);
		return NULL;
	}
	pthread_mutex_init(&c->mutex, NULL);
	return c;
}

void connections_close(struct connections *c)
{
	struct handle *h;

	if (!c)
		return;
	while ((h = SLIST_FIRST(&c->idle))) {
		SLIST_REMOVE_HEAD(&c->idle, next);
		curl_easy_cleanup(h->easy);
		free(h);
	}
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

static struct handle *take(struct connections *c, struct error *e)
{
	struct handle *h;

	pthread_once(&start_once, start);
	if (!started) {
		error_set(e, ERROR_SYSTEM, "libcurl does not start");
		return NULL;
	}
	pthread_mutex_lock(&c->mutex);
	h = SLIST_FIRST(&c->idle);
	if (h)
		SLIST_REMOVE_HEAD(&c->idle, next);
	pthread_mutex_unlock(&c->mutex);
	if (h)
		return h;
	h = calloc(1, sizeof *h);
	if (h)
		h->easy = curl_easy_init();
	if (!h || !h->easy) {
		free(h);
		error_memory(e);
		return NULL;
	}
	return h;
}

static void give_back(struct connections *c, struct handle *h)
{
	curl_easy_reset(h->easy);
	pthread_mutex_lock(&c->mutex);
	SLIST_INSERT_HEAD(&c->idle, h, next);
	pthread_mutex_unlock(&c->mutex);
}

/* --- what libcurl calls --- */

struct exchange {
	struct transfer *transfer;
	struct http_response *response;
	struct error *error;
	bool ended;             /* by us; ERROR says why */
	bool enough;            /* by us; what came suffices as an answer */
	size_t header_bytes, header_capacity, body_capacity;
	int64_t sent;
	bool drained;           /* all that there was is sent */
	int64_t window_bytes, bytes; /* moved: until the window began, and in all */
	struct timespec window;      /* when it began */
};

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

static int end(struct exchange *x)
{
	x->ended = true;
	return -1;
}

static void forget_headers(struct http_response *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		free(r->header[i].name);
		free(r->header[i].value);
	}
	r->header_count = 0;
}

static int keep_header(struct exchange *x, const char *line, size_t size)
{
	struct http_response *r = x->response;
	const char *colon = memchr(line, ':', size), *value;
	struct http_header *h;

	if (!colon)
		return 0;
	while (size && strchr(" \t\r\n", line[size - 1]))
		size--;
	value = colon + 1;
	while (value < line + size && (*value == ' ' || *value == '\t'))
		value++;
	if (r->header_count == x->header_capacity) {
		size_t capacity = x->header_capacity ? 2 * x->header_capacity : 16;
		struct http_header *header = reallocarray(r->header, capacity, sizeof *header);

		if (!header)
			return error_memory(x->error);
		r->header = header;
		x->header_capacity = capacity;
	}
	h = &r->header[r->header_count];
	h->name = strndup(line, (size_t)(colon - line));
	h->value = strndup(value, (size_t)(line + size > value ? line + size - value : 0));
	r->header_count++;
	return h->name && h->value ? 0 : error_memory(x->error);
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
	struct exchange *x = context;

	(void)one;
	x->header_bytes += size;
	x->bytes += (int64_t)size;
	if (x->header_bytes > HEADERS_SIZE_MAX) {
		error_set(x->error, ERROR_CORRUPT, "more than %d bytes of headers", HEADERS_SIZE_MAX);
		end(x);
		return 0;
	}
	if (size > 5 && memcmp(line, "HTTP/", 5) == 0) { /* a new answer: after 100, or a proxy's */
		const char *space = memchr(line, ' ', size);

		forget_headers(x->response);
		x->response->status = space ? atoi(space + 1) : 0;
		return size;
	}
	if (keep_header(x, line, size) < 0) {
		end(x);
		return 0;
	}
	return size;
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

/* Keep SIZE bytes more; of an error's text only as much as anybody reads. */
static int keep_body(struct exchange *x, const char *data, size_t size)
{
	const struct http_request *q = x->transfer->request;
	struct http_response *r = x->response;
	size_t limit = is_success(r->status) && q->limit ? q->limit : HTTP_ANSWER_MAX;

	if (size > limit - r->body_size) {
		if (is_success(r->status))
			return error_set(x->error, ERROR_CORRUPT, "the answer is larger than %zu bytes", limit);
		size = limit - r->body_size;
		x->enough = true;
	}
	if (r->body_size + size >= x->body_capacity) {
		size_t capacity = 2 * (r->body_size + size) + 512;
		char *body = realloc(r->body, capacity);

		if (!body)
			return error_memory(x->error);
		r->body = body;
		x->body_capacity = capacity;
	}
	memcpy(r->body + r->body_size, data, size);
	r->body_size += size;
	r->body[r->body_size] = '\0';
	return x->enough ? -1 : 0;
}

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
	struct exchange *x = context;
	const struct http_request *q = x->transfer->request;
	struct timespec begun;
	int result;

	(void)one;
	x->bytes += (int64_t)size;
	if (q->sink && is_success(x->response->status)) {
		clock_gettime(CLOCK_MONOTONIC, &begun);
		x->transfer->delivered = true;
		result = q->sink(q->context, x->response, data, size, x->error);
		x->window.tv_sec += (time_t)seconds_since(&begun); /* our own time is no stall */
	} else {
		result = keep_body(x, data, size);
	}
	if (result < 0 && !x->enough)
		end(x);
	return result < 0 ? 0 : size;
}

/* What is to be sent next, of a known size. */
static ssize_t read_body(struct exchange *x, char *buffer, size_t room)
{
	const struct http_request *q = x->transfer->request;
	int64_t left = q->body_size - x->sent;
	ssize_t n = (int64_t)room < left ? (ssize_t)room : (ssize_t)left;

	if (n == 0)
		return 0;
	if (q->body)
		memcpy(buffer, (const char *)q->body + x->sent, (size_t)n);
	else
		n = path_read_at(q->fd, buffer, (size_t)n, x->sent);
	if (n < 0)
		return error_errno(x->error, "read what is to be sent");
	if (n == 0)
		return error_set(x->error, ERROR_INPUT, "what is to be sent has become shorter");
	return n;
}

/* The same of an unknown size. */
static ssize_t ask_source(struct exchange *x, char *buffer, size_t room)
{
	const struct http_request *q = x->transfer->request;
	struct timespec begun;
	ssize_t n;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	n = q->source(q->context, buffer, room, x->sent, x->error);
	x->window.tv_sec += (time_t)seconds_since(&begun); /* our own time is no stall */
	x->drained = n == 0;
	return n;
}

static size_t on_send(char *buffer, size_t one, size_t room, void *context)
{
	struct exchange *x = context;
	const struct http_request *q = x->transfer->request;
	ssize_t n = (q->source ? ask_source : read_body)(x, buffer, one * room);

	if (n == 0)
		return 0;
	if (n < 0) {
		end(x);
		return CURL_READFUNC_ABORT;
	}
	x->sent += n;
	x->bytes += n;
	if (q->progress)
		q->progress(q->context, x->sent);
	return (size_t)n;
}

static int on_rewind(void *context, curl_off_t offset, int origin)
{
	struct exchange *x = context;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	x->sent = offset;
	x->drained = false;
	return CURL_SEEKFUNC_OK;
}

/* About once a second, also when nothing moves. */
static int on_tick(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct exchange *x = context;
	const struct transfer *t = x->transfer;
	unsigned patience = t->stall_seconds;

	(void)a, (void)b, (void)c, (void)d;
	if (t->cancelled && atomic_load_explicit(t->cancelled, memory_order_relaxed)) {
		error_set(x->error, ERROR_CANCELLED, "cancelled");
		return end(x);
	}
	if ((x->drained || (t->request->body_size > 0 && x->sent == t->request->body_size)) &&
	    !x->response->status)
		patience *= STALL_AFTER_UPLOAD;
	if (seconds_since(&x->window) < patience)
		return 0;
	if (x->bytes - x->window_bytes < (int64_t)patience * STALL_BYTES_PER_SECOND) {
		error_set(x->error, ERROR_NETWORK, "nothing moved for %u seconds", patience);
		return -1;
	}
	x->window_bytes = x->bytes;
	clock_gettime(CLOCK_MONOTONIC, &x->window);
	return 0;
}

/* Descriptors of ours are not for the programs we start. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)context, (void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- one exchange --- */

static int set_headers(CURL *easy, const struct transfer *t, struct curl_slist **list,
                       struct error *e)
{
	auto_free char *authorization = NULL;
	/* No waiting for "100 Continue" (H169), no Accept that was not asked for. */
	const char *fixed[] = { "Expect:", NULL, NULL };
	const char *const *more[] = { fixed, t->request->header };

	if (t->authorization) {
		if (asprintf(&authorization, "Authorization: %s", t->authorization) < 0)
			return error_memory(e);
		fixed[1] = authorization;
	}
	for (size_t i = 0; i < 2; i++)
		for (const char *const *h = more[i]; h && *h; h++) {
			struct curl_slist *longer;

			if (strpbrk(*h, "\r\n"))
				return error_set(e, ERROR_INPUT, "a header with a line end in it");
			longer = curl_slist_append(*list, *h);
			if (!longer)
				return error_memory(e);
			*list = longer;
		}
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *list);
	return 0;
}

static bool has_body(const struct http_request *q)
{
	return q->source || q->body_size >= 0;
}

static void set_body(CURL *easy, const struct http_request *q, struct exchange *x)
{
	if (strcmp(q->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (has_body(q))
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, q->method);
	if (!has_body(q))
		return;
	/* Without a size it is sent in chunks (RFC 9112, 7.1). */
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->body_size);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_READDATA, x);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, x);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_SIZE);
}

static int set_trust(CURL *easy, const struct transfer *t, const struct url *u, struct error *e)
{
	const char *file = getenv("SSL_CERT_FILE"), *folder = getenv("SSL_CERT_DIR");
	struct certificates c;

	if (!u->https)
		return 0;
	if (certificates_find(u->host, u->port, &c, e) < 0)
		return -1;
	if (file && *file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, file);
	if (folder && *folder)
		curl_easy_setopt(easy, CURLOPT_CAPATH, folder);
	if (c.ca) {
		struct curl_blob blob = { c.ca, c.ca_size, CURL_BLOB_COPY };

		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	}
	if (c.certificate) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, c.certificate);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, c.key);
	}
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, t->verify ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, t->verify ? 2L : 0L);
	certificates_release(&c);
	return 0;
}

static void set_rest(CURL *easy, const struct transfer *t, const struct url *u, struct exchange *x,
                     char *text)
{
	curl_easy_setopt(easy, CURLOPT_URL, t->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, t->user_agent);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT,
	                 (long)(t->stall_seconds < CONNECT_SECONDS ? t->stall_seconds : CONNECT_SECONDS));
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, text);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_tick);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_SOCKS5_AUTH, (long)CURLAUTH_BASIC);
	if (url_reach(u->host) == URL_LOOPBACK) /* this machine is not behind a proxy (H186) */
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

static bool is_worth_repeating(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_ABORTED_BY_CALLBACK: /* stalled: the other reasons are x->ended */
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_FAIL_REWIND:
		return true;
	default:
		return false;
	}
}

static enum transfer_end judge(CURLcode code, struct exchange *x, const char *text)
{
	const char *clock = "; is this machine's clock right?";

	if (code == CURLE_OK || (x->enough && !x->ended))
		return TRANSFER_ANSWERED;
	if (x->ended)
		return TRANSFER_FAILED;
	/* Refused before all was sent, and hung up on: the refusal is the answer. */
	if (x->response->status >= 400 && x->sent > 0)
		return TRANSFER_ANSWERED;
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return TRANSFER_BROKEN;
	if (!text[0])
		text = curl_easy_strerror(code);
	error_set(x->error, is_worth_repeating(code) ? ERROR_NETWORK : ERROR_INPUT, "%s%s", text,
	          strstr(text, "not yet valid") || strstr(text, "expired") ? clock : "");
	return is_worth_repeating(code) ? TRANSFER_BROKEN : TRANSFER_FAILED;
}

enum transfer_end transfer_perform(struct connections *c, struct transfer *t,
                                   struct http_response *r, struct error *e)
{
	struct exchange x = { .transfer = t, .response = r, .error = e };
	enum transfer_end result = TRANSFER_FAILED;
	char text[CURL_ERROR_SIZE] = "", *peer = NULL;
	struct curl_slist *headers = NULL;
	curl_off_t length = -1;
	struct handle *h;
	long number = 0;
	CURLcode code;
	struct url u;

	if (url_parse(t->url, &u, e) < 0)
		return TRANSFER_FAILED;
	r->body = calloc(1, 1);
	r->url = strdup(t->url);
	h = take(c, e);
	if (!h)
		return TRANSFER_FAILED;
	if (!r->body || !r->url) {
		error_memory(e);
	} else if (set_headers(h->easy, t, &headers, e) == 0 && set_trust(h->easy, t, &u, e) == 0) {
		set_body(h->easy, t->request, &x);
		set_rest(h->easy, t, &u, &x, text);
		clock_gettime(CLOCK_MONOTONIC, &x.window);
		code = curl_easy_perform(h->easy);
		result = judge(code, &x, text);
		curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &number);
		if (code == CURLE_COULDNT_CONNECT && number == ECONNREFUSED)
			result = TRANSFER_REFUSED;
		curl_easy_getinfo(h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
		curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_IP, &peer);
		snprintf(r->peer, sizeof r->peer, "%s", peer ? peer : "");
		r->content_length = length;
	}
	give_back(c, h);
	curl_slist_free_all(headers);
	return result;
}

/* Downloads: a file of the web as a blob, fetched again only when it changed.
 *
 * What came is remembered with its ETag and Last-Modified in the store's contexts/; the next build
 * asks whether that is still so, which costs one round trip and no bytes.
 *
 * Source: RFC 9110, "Conditional Requests"; Dockerfile reference, "ADD", remote files.
 */
#pragma once
#include <stdint.h>

#include "layers/digest.h"
#include "layers/error.h"
#include "layers/store.h"

struct download {
	struct digest digest; /* of the blob */
	int64_t size;
	int64_t modified;     /* Last-Modified, seconds since 1970; -1: not said */
};

/* The blob of URL (http or https). AUTHORIZATION is the header's value, NULL: of user and password in
 * URL, if any; it does not follow a redirect to another host. With WANT (may be NULL) nobody is asked
 * when that blob is here, and other bytes are ERROR_CORRUPT, of which nothing is kept. MOVED (may be NULL) hears of
 * bytes. */
int download(struct store *s, const char *url, const char *authorization,
             const struct digest *want, void (*moved)(void *context, int64_t done, int64_t total),
             void *context, struct download *d, struct error *e);

/* The file name that the path of URL ends in, decoded, whatever slashes follow it; "__unnamed__"
 * when there is none. The caller frees it. ERROR_INPUT when it is no name: "..", control characters. */
char *download_name(const char *url, struct error *e);

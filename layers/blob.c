#include "layers/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/direct.h"
#include "layers/extent.h"
#include "layers/path.h"
#include "layers/reserve.h"
#include "layers/scope.h"

struct blob_writer {
	struct store *store;
	struct store_temp temp;
	struct sha256 hash;
	struct reserve reserve;
	struct direct direct; /* of FD */
	int64_t size;
	int fd;
};

struct blob_writer *blob_begin(struct store *s, struct error *e)
{
	struct blob_writer *w = calloc(1, sizeof *w);

	if (!w) {
		error_memory(e);
		return NULL;
	}
	w->store = s;
	w->fd = store_temp_file(s, &w->temp, e);
	if (w->fd < 0) {
		free(w);
		return NULL;
	}
	w->direct.fd = w->fd;
	sha256_begin(&w->hash);
	return w;
}

void blob_expect(struct blob_writer *w, int64_t size)
{
	w->direct.large = size >= DIRECT_SIZE;
}

int blob_write_unhashed(struct blob_writer *w, const void *data, size_t size, struct error *e)
{
	const char *from = data;

	if (reserve_take(&w->reserve, w->fd, (int64_t)size, e) < 0)
		return error_context(e, "%s/tmp", store_path(w->store));
	while (size > 0) {
		ssize_t n = direct_write(&w->direct, from, size, w->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_errno(e, "write");
			return error_context(e, "%s/tmp", store_path(w->store));
		}
		from += n;
		size -= (size_t)n;
		w->size += n;
	}
	return 0;
}

int blob_write(struct blob_writer *w, const void *data, size_t size, struct error *e)
{
	sha256_add(&w->hash, data, size);
	return blob_write_unhashed(w, data, size, e);
}

int blob_skip_unhashed(struct blob_writer *w, int64_t size, struct error *e)
{
	if (lseek(w->fd, size, SEEK_CUR) < 0)
		return error_errno(e, "%s/tmp: seek", store_path(w->store));
	w->size += size;
	return 0;
}

int64_t blob_written(const struct blob_writer *w)
{
	return w->size;
}

int blob_reopen(const struct blob_writer *w, struct error *e)
{
	int fd = openat(w->temp.dir, w->temp.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? error_errno(e, "%s/tmp/%s", store_path(w->store), w->temp.name) : fd;
}

void blob_discard(struct blob_writer *w)
{
	if (!w)
		return;
	close(w->fd);
	store_discard(&w->temp);
	free(w);
}

int64_t blob_commit_as(struct blob_writer *w, const struct digest *known, struct error *e)
{
	char name[DIGEST_HEX + 1];
	int64_t size = w->size;
	int result = 0;

	digest_hex(known, name);
	if (fchmod(w->fd, 0400) < 0 || close(w->fd) < 0) {
		result = error_errno(e, "write %s/blobs/sha256/%s", store_path(w->store), name);
		store_discard(&w->temp);
	} else {
		result = store_keep(w->store, &w->temp, STORE_BLOBS, name, e);
	}
	free(w);
	return result < 0 ? -1 : size;
}

int64_t blob_commit(struct blob_writer *w, const struct digest *want, struct digest *got,
                    struct error *e)
{
	struct digest found;

	sha256_end(&w->hash, &found);
	if (got)
		*got = found;
	if (want && !digest_equal(want, &found)) {
		char is[DIGEST_TEXT], wanted[DIGEST_TEXT];

		blob_discard(w);
		return error_set(e, ERROR_CORRUPT, "digest mismatch: expected %s, got %s",
		                 digest_format(want, wanted), digest_format(&found, is));
	}
	return blob_commit_as(w, &found, e);
}

int blob_put(struct store *s, const void *data, size_t size, struct digest *d, struct error *e)
{
	struct blob_writer *w;

	digest_of(data, size, d);
	if (blob_has(s, d, (int64_t)size) && blob_verify(s, d, e) == 0)
		return 0;
	w = blob_begin(s, e);
	if (!w)
		return -1;
	if (blob_write_unhashed(w, data, size, e) < 0) {
		blob_discard(w);
		return -1;
	}
	return blob_commit_as(w, d, e) < 0 ? -1 : 0;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Compare all of FD with D. */
static int verify(struct store *s, int fd, const struct digest *d, struct error *e)
{
	char name[DIGEST_HEX + 1], text[DIGEST_TEXT], why[DIGEST_TEXT + 32];
	struct digest found;
	struct error failed = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(e, "stat blob %s", digest_hex(d, name));
	if (extent_digest(fd, 0, st.st_size, &found, &failed) < 0 && failed.kind == ERROR_CANCELLED) {
		*e = failed;
		return -1;
	}
	if (failed.kind != ERROR_NONE)
		return store_set_aside(s, STORE_BLOBS, digest_hex(d, name), failed.text, e);
	if (digest_equal(d, &found))
		return 0;
	snprintf(why, sizeof why, "its bytes are those of %s", digest_format(&found, text));
	return store_set_aside(s, STORE_BLOBS, digest_hex(d, name), why, e);
}

int blob_verify(struct store *s, const struct digest *d, struct error *e)
{
	char name[DIGEST_HEX + 1];
	auto_close int fd = store_find(s, STORE_BLOBS, digest_hex(d, name), NULL, e);

	return fd < 0 ? -1 : verify(s, fd, d, e);
}

/* It has IS bytes and not SIZE: somebody is wrong. */
static int wrong_size(struct store *s, const struct digest *d, int64_t is, int64_t size,
                      struct error *e)
{
	char name[DIGEST_HEX + 1];

	if (blob_verify(s, d, e) < 0)
		return -1;
	return error_set(e, ERROR_CORRUPT, "%s/blobs/sha256/%s is %lld bytes, not %lld", store_path(s),
	                 digest_hex(d, name), (long long)is, (long long)size);
}

int blob_open(struct store *s, const struct digest *d, int64_t size, struct error *e)
{
	char name[DIGEST_HEX + 1];
	struct stat st;
	auto_close int fd = store_find(s, STORE_BLOBS, digest_hex(d, name), &st, e);

	if (fd < 0)
		return -1;
	return size < 0 || st.st_size == size ? take_fd(&fd) : wrong_size(s, d, st.st_size, size, e);
}

bool blob_has(struct store *s, const struct digest *d, int64_t size)
{
	char name[DIGEST_HEX + 1];
	struct error ignored;
	struct stat st;

	if (!store_look(s, STORE_BLOBS, digest_hex(d, name), &st))
		return false;
	if (size >= 0 && st.st_size != size)
		wrong_size(s, d, st.st_size, size, &ignored);
	return size < 0 || st.st_size == size;
}

bool blob_is_fresh(struct store *s, const struct digest *d)
{
	char name[DIGEST_HEX + 1];

	return store_made(s, STORE_BLOBS, digest_hex(d, name));
}

int blob_open_verified(struct store *s, const struct digest *d, int64_t size, struct error *e)
{
	auto_close int fd = blob_open(s, d, size, e);

	if (fd < 0 || (!blob_is_fresh(s, d) && verify(s, fd, d, e) < 0))
		return -1;
	return take_fd(&fd);
}

char *blob_read(struct store *s, const struct digest *d, size_t limit, size_t *size,
                struct error *e)
{
	char name[DIGEST_HEX + 1];
	struct stat st;
	auto_close int fd = store_find(s, STORE_BLOBS, digest_hex(d, name), &st, e);
	auto_free char *data = NULL;
	struct digest found;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if ((uint64_t)st.st_size > limit) {
		error_set(e, ERROR_CORRUPT, "blob %s is larger than %zu bytes", name, limit);
		return NULL;
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data) {
		error_memory(e);
		return NULL;
	}
	n = path_read_at(fd, data, (size_t)st.st_size, 0);
	digest_of(data, n < 0 ? 0 : (size_t)n, &found);
	if (n != st.st_size || !digest_equal(d, &found)) {
		store_set_aside(s, STORE_BLOBS, name, n < 0 ? strerror(errno) : "its digest is another", e);
		return NULL;
	}
	data[n] = '\0';
	if (size)
		*size = (size_t)n;
	return take_pointer(&data);
}

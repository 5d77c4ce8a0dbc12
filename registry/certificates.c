#include "registry/certificates.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/userfile.h"

/* A whole system's CAs are 220 KiB. */
#define CERTIFICATE_SIZE_MAX (4 << 20)

static bool ends_with(const char *name, const char *end)
{
	size_t a = strlen(name), b = strlen(end);

	return a > b && strcmp(name + a - b, end) == 0;
}

static int add_ca(struct certificates *c, const char *folder, const char *name, struct error *e)
{
	auto_free char *path = NULL, *pem = NULL;
	size_t size;
	char *all;

	if (asprintf(&path, "%s/%s", folder, name) < 0) {
		path = NULL;
		return error_memory(e);
	}
	pem = userfile_read(path, CERTIFICATE_SIZE_MAX, &size, e);
	if (!pem)
		return -1;
	if (!strstr(pem, "-----BEGIN "))
		return error_set(e, ERROR_INPUT, "%s is no certificate in PEM form", path);
	all = realloc(c->ca, c->ca_size + size + 1);
	if (!all)
		return error_memory(e);
	c->ca = all;
	memcpy(c->ca + c->ca_size, pem, size);
	c->ca[c->ca_size + size] = '\n';
	c->ca_size += size + 1;
	return 0;
}

static int add_client(struct certificates *c, const char *folder, const char *name, struct error *e)
{
	if (c->certificate)
		return 0;
	if (asprintf(&c->certificate, "%s/%s", folder, name) < 0 ||
	    asprintf(&c->key, "%s/%.*s.key", folder, (int)(strlen(name) - 5), name) < 0)
		return error_memory(e);
	if (access(c->key, R_OK) < 0)
		return error_errno(e, "the key %s of certificate %s", c->key, c->certificate);
	return 0;
}

static int read_folder(struct certificates *c, const char *root, const char *host,
                       struct error *e)
{
	auto_free char *folder = NULL;
	struct dirent **entry = NULL;
	int count, result = 0;

	if (asprintf(&folder, "%s/certs.d/%s", root, host) < 0) {
		folder = NULL;
		return error_memory(e);
	}
	count = scandir(folder, &entry, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		const char *name = entry[i]->d_name;

		if (result == 0 && ends_with(name, ".crt"))
			result = add_ca(c, folder, name, e);
		else if (result == 0 && ends_with(name, ".cert"))
			result = add_client(c, folder, name, e);
		free(entry[i]);
	}
	free(entry);
	return result;
}

/* Where docker's folders are: the daemon's, and the user's. */
static int read_all(struct certificates *c, const char *host, struct error *e)
{
	auto_free char *own = userfile_docker_folder(NULL, e);

	if (!own || read_folder(c, "/etc/docker", host, e) < 0)
		return -1;
	return read_folder(c, own, host, e);
}

int certificates_find(const char *host, int port, struct certificates *c, struct error *e)
{
	const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
	char name[300];
	int result = 0;

	memset(c, 0, sizeof *c);
	snprintf(name, sizeof name, "%s%s%s:%d", open, host, close, port);
	result = read_all(c, name, e);
	if (result == 0 && port == 443) {
		snprintf(name, sizeof name, "%s%s%s", open, host, close);
		result = read_all(c, name, e);
	}
	if (result < 0)
		certificates_release(c);
	return result;
}

void certificates_release(struct certificates *c)
{
	free(c->ca);
	free(c->certificate);
	free(c->key);
	memset(c, 0, sizeof *c);
}

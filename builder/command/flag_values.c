#include "builder/command/flag_values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "builder/command/fields.h"
#include "layers/path.h"
#include "layers/scope.h"

/* --- sizes and limits ----------------------------------------------------------------------- */

/* What follows the number: "", "b", "k", "kb", "kib"... as a power of 1024; -1 for anything else. */
static int unit_power(const char *unit)
{
	static const char units[] = "bkmgtp";
	const char *found = *unit ? strchr(units, *unit | 0x20) : units;

	if (!found)
		return -1;
	if (*unit && unit[1] && (found == units || (strcasecmp(unit + 1, "b") != 0 &&
	                                            strcasecmp(unit + 1, "ib") != 0)))
		return -1;
	return (int)(found - units);
}

int size_value(const char *text, int64_t *size, struct error *e)
{
	size_t length = strlen(text);
	char *end;
	double number;
	int power;

	/* The number goes to the last digit, dot or blank: "1e3" is one. Go wants an exponent in a
	 * hexadecimal one, and knows no other words for numbers. */
	while (length > 0 && !strchr("0123456789. ", text[length - 1]))
		length--;
	number = strtod(text, &end);
	power = unit_power(text + length);
	if (length == 0 || power < 0 || !strchr("0123456789.", *text) ||
	    (size_t)(end - text) != length - (text[length - 1] == ' ') ||
	    (strncasecmp(text, "0x", 2) == 0 && !strpbrk(text, "pP")) ||
	    ldexp(number, 10 * power) >= 0x1p63)
		return error_set(e, ERROR_INPUT, "invalid size: '%s'", text);
	*size = (int64_t)ldexp(number, 10 * power);
	return 0;
}

static int limit_number(const char *text, const char *end, uint64_t *number)
{
	char *stop;

	if (strncmp(text, "-1", 2) == 0 && text + 2 == end) {
		*number = RLIM_INFINITY;
		return 0;
	}
	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*number = strtoull(text, &stop, 10);
	return errno || stop != end ? -1 : 0;
}

int ulimit_value(const char *text, struct build_ulimit *limit, struct error *e)
{
	static const struct {
		const char *name;
		int resource;
	} names[] = {
		{ "core", RLIMIT_CORE }, { "cpu", RLIMIT_CPU }, { "data", RLIMIT_DATA },
		{ "fsize", RLIMIT_FSIZE }, { "locks", RLIMIT_LOCKS }, { "memlock", RLIMIT_MEMLOCK },
		{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
		{ "nofile", RLIMIT_NOFILE }, { "nproc", RLIMIT_NPROC }, { "rss", RLIMIT_RSS },
		{ "rtprio", RLIMIT_RTPRIO }, { "rttime", RLIMIT_RTTIME },
		{ "sigpending", RLIMIT_SIGPENDING }, { "stack", RLIMIT_STACK },
	};
	const char *equals = strchr(text, '='), *soft = equals ? equals + 1 : "", *colon, *end;
	size_t i = 0;

	if (!equals)
		return error_set(e, ERROR_INPUT, "invalid ulimit argument: %s", text);
	while (i < sizeof names / sizeof *names &&
	       (strncmp(names[i].name, text, (size_t)(equals - text)) != 0 ||
	        names[i].name[equals - text]))
		i++;
	if (i == sizeof names / sizeof *names)
		return error_set(e, ERROR_INPUT, "invalid ulimit type: %.*s", (int)(equals - text),
		                 text);
	limit->resource = names[i].resource;
	colon = strchr(soft, ':');
	end = soft + strlen(soft);
	if (limit_number(soft, colon ? colon : end, &limit->soft) < 0 ||
	    limit_number(colon ? colon + 1 : soft, end, &limit->hard) < 0)
		return error_set(e, ERROR_INPUT, "invalid ulimit value: %s", text);
	if (limit->soft > limit->hard)
		return error_set(e, ERROR_INPUT, "ulimit soft limit must be less than or equal to "
		                 "hard limit: %s", text);
	return 0;
}

/* --- hosts ---------------------------------------------------------------------------------- */

int host_value(const char *text, struct error *e)
{
	size_t name = strcspn(text, "=:");
	unsigned char address[sizeof(struct in6_addr)];
	char ip[INET6_ADDRSTRLEN];
	const char *from = text + name + 1;
	size_t size;

	if (name == 0 || !text[name] || !*from)
		return error_set(e, ERROR_INPUT, "bad format for add-host: \"%s\"", text);
	if (strcmp(from, "host-gateway") == 0)
		return 0;
	size = strlen(from);
	if (*from == '[' && from[size - 1] == ']') {
		from++;
		size -= 2;
	}
	snprintf(ip, sizeof ip, "%.*s", (int)size, from);
	if (size >= sizeof ip ||
	    (inet_pton(AF_INET, ip, address) != 1 && inet_pton(AF_INET6, ip, address) != 1))
		return error_set(e, ERROR_INPUT, "invalid IP address in add-host: \"%s\"",
		                 text + name + 1);
	return 0;
}

/* --- secrets -------------------------------------------------------------------------------- */

static int check_secret_fields(const struct fields *f, struct error *e)
{
	static const char *const known[] = { "id", "src", "source", "env", "type" };

	for (size_t i = 0; i < f->count; i++) {
		const struct field *field = &f->item[i];
		size_t k = 0;

		if (!field->value)
			return error_set(e, ERROR_INPUT,
			                 "invalid field '%s' must be a key=value pair", field->key);
		while (k < sizeof known / sizeof *known && strcmp(known[k], field->key) != 0)
			k++;
		if (k == sizeof known / sizeof *known)
			return error_set(e, ERROR_INPUT, "unexpected key '%s' in '%s=%s'", field->key,
			                 field->key, field->value);
		if (strcmp(field->key, "type") == 0 && strcmp(field->value, "file") != 0 &&
		    strcmp(field->value, "env") != 0)
			return error_set(e, ERROR_INPUT, "unsupported secret type \"%s\"",
			                 field->value);
	}
	return 0;
}

static int secret_from_file(const char *path, struct build_secret *secret, struct error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t size = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(e, "open %s", path);
	if (S_ISDIR(st.st_mode))
		return error_set(e, ERROR_INPUT, "%s is a folder", path);
	secret->value = malloc(SECRET_SIZE_MAX + 1);
	if (!secret->value)
		return error_memory(e);
	for (;;) {
		ssize_t n = read(fd, secret->value + size, SECRET_SIZE_MAX + 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "read %s", path);
		size += (size_t)n;
		if (size > SECRET_SIZE_MAX)
			return error_set(e, ERROR_INPUT, "%s is larger than %d bytes", path,
			                 SECRET_SIZE_MAX);
		if (n == 0)
			break;
	}
	secret->value[size] = '\0';
	secret->size = size;
	return 0;
}

static int secret_from_environment(const char *name, struct build_secret *secret, struct error *e)
{
	const char *value = getenv(name);

	if (!value)
		return error_set(e, ERROR_NOT_FOUND, "environment variable %s is not set", name);
	secret->size = strlen(value);
	if (secret->size > SECRET_SIZE_MAX)
		return error_set(e, ERROR_INPUT, "environment variable %s is larger than %d bytes",
		                 name, SECRET_SIZE_MAX);
	secret->value = strdup(value);
	return secret->value ? 0 : error_memory(e);
}

/* With neither src= nor env= the id names a variable, else a file. */
static int read_secret(const struct fields *f, struct build_secret *secret, struct error *e)
{
	const char *type = fields_value(f, "type"), *env = fields_value(f, "env");
	const char *src = fields_value(f, "src");
	bool from_env = type && strcmp(type, "env") == 0;

	if (!src)
		src = fields_value(f, "source");
	if (from_env && src && !env) {
		env = src;
		src = NULL;
	}
	if (!env && !src && (!type || from_env) && getenv(secret->id))
		env = secret->id;
	if (env)
		return secret_from_environment(env, secret, e);
	return secret_from_file(src ? src : secret->id, secret, e);
}

int secret_value(const char *text, struct build_secret *secret, struct error *e)
{
	struct fields f;
	const char *id;
	int result = fields_parse(text, &f, e);

	*secret = (struct build_secret){ 0 };
	if (result == 0)
		result = check_secret_fields(&f, e);
	id = result == 0 ? fields_value(&f, "id") : NULL;
	if (result == 0 && (!id || !*id))
		result = error_set(e, ERROR_INPUT, "id is missing");
	if (result == 0) {
		secret->id = strdup(id);
		result = secret->id ? read_secret(&f, secret, e) : error_memory(e);
	}
	fields_release(&f);
	return result < 0 ? error_context(e, "--secret") : 0;
}

void secret_release(struct build_secret *secret)
{
	free((char *)secret->id);
	if (secret->value)
		explicit_bzero(secret->value, secret->size);
	free(secret->value);
}

/* --- agents --------------------------------------------------------------------------------- */

int ssh_value(const char *text, struct build_ssh *ssh, struct error *e)
{
	const char *equals = strchr(text, '='), *socket = equals ? equals + 1 : "";
	struct stat st;

	*ssh = (struct build_ssh){ 0 };
	if (equals == text || !*text)
		return error_set(e, ERROR_INPUT, "--ssh: id is missing");
	if (!*socket)
		socket = getenv("SSH_AUTH_SOCK");
	if (!socket || !*socket)
		return error_set(e, ERROR_INPUT, "--ssh %s: invalid empty ssh agent socket: make sure "
		                 "SSH_AUTH_SOCK is set", text);
	if (stat(socket, &st) < 0)
		return error_errno(e, "--ssh: %s", socket);
	if (!S_ISSOCK(st.st_mode))
		return error_set(e, ERROR_UNSUPPORTED, "--ssh: %s is no socket; add keys to an agent "
		                 "with ssh-add and name its socket", socket);
	ssh->id = strndup(text, equals ? (size_t)(equals - text) : strlen(text));
	ssh->socket = strdup(socket);
	return ssh->id && ssh->socket ? 0 : error_memory(e);
}

void ssh_release(struct build_ssh *ssh)
{
	free((char *)ssh->id);
	free((char *)ssh->socket);
}

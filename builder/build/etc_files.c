#include "builder/build/etc_files.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/memory_stream.h"
#include "layers/path.h"
#include "layers/scope.h"

#define RESOLV_CONF_MAX (64 << 10)

static int is_address(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

bool is_host_gateway(const char *add_host)
{
	return strcmp(add_host + strcspn(add_host, "=:"), "=host-gateway") == 0 ||
	       strcmp(add_host + strcspn(add_host, "=:"), ":host-gateway") == 0;
}

static int add_host(FILE *f, const char *value, const char *gateway, struct error *e)
{
	size_t name_length = strcspn(value, "=");
	auto_free char *address = NULL;
	size_t length;

	if (!value[name_length])
		name_length = strcspn(value, ":");
	if (name_length == 0 || !value[name_length] || strpbrk(value, " \t\r\n"))
		return error_set(e, ERROR_INPUT, "invalid add-host: \"%s\" (use name:address)", value);
	address = strdup(is_host_gateway(value) ? gateway : value + name_length + 1);
	if (!address)
		return error_memory(e);
	length = strlen(address);
	if (length > 2 && address[0] == '[' && address[length - 1] == ']') {
		memmove(address, address + 1, length - 2);
		address[length - 2] = '\0';
	}
	if (!is_address(address))
		return error_set(e, ERROR_INPUT, "invalid IP address in add-host: \"%s\"", address);
	fprintf(f, "%s\t%.*s\n", address, (int)name_length, value);
	return 0;
}

char *etc_hosts(const char *hostname, const char *const *add, size_t count, const char *gateway,
                struct error *e)
{
	char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);
	int result = 0;

	if (!f) {
		error_memory(e);
		return NULL;
	}
	fprintf(f, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n", hostname);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = add_host(f, add[i], gateway, e);
	if (fclose(f) != 0)
		result = error_memory(e);
	if (result < 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Docker's, where a machine has none that a RUN could ask. */
#define PUBLIC_SERVERS "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* Is LINE a "nameserver ADDRESS"? Of IPv4 only, or of any kind. */
static bool is_server(const char *line, bool ipv4)
{
	const char *address = line + 10;
	size_t length;

	if (strncmp(line, "nameserver", 10) != 0 || (*address != ' ' && *address != '\t'))
		return false;
	address += strspn(address, " \t");
	length = strcspn(address, " \t\r\n");
	return length > 0 && (!ipv4 || !memchr(address, ':', length));
}

static bool has_server(const char *text, bool ipv4)
{
	for (const char *line = text; *line; line = next_line(line))
		if (is_server(line, ipv4))
			return true;
	return false;
}

/* TEXT without its name servers, and SERVERS in front. */
static char *with_servers(const char *text, const char *servers)
{
	char *changed = NULL;
	size_t size;
	FILE *f = memory_stream_open(&changed, &size);

	if (!f)
		return NULL;
	fputs(servers, f);
	for (const char *line = text; *line; line = next_line(line))
		if (!is_server(line, false))
			fprintf(f, "%.*s\n", (int)strcspn(line, "\n"), line);
	return fclose(f) == 0 ? changed : NULL;
}

char *etc_resolv_conf(int root, const char *server, struct error *because)
{
	auto_free char *text = path_read(root, "/etc/resolv.conf", RESOLV_CONF_MAX, NULL, because);
	bool is_there = text || because->kind != ERROR_NOT_FOUND;
	char line[64];

	if (text && has_server(text, server)) {
		because->text[0] = '\0';
		if (!server)
			return take_pointer(&text);
		snprintf(line, sizeof line, "nameserver %s\n", server);
		return with_servers(text, line);
	}
	if (!server && (text || !is_there))
		because->text[0] = '\0';
	else if (text)
		error_set(because, ERROR_INPUT, "/etc/resolv.conf names no server with an IPv4 address");
	return with_servers(text ? text : "", PUBLIC_SERVERS);
}

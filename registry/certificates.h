/* Certificates: certs.d/HOST[:PORT] of /etc/docker and of the user's docker folder.
 *
 *     NAME.crt            a CA, trusted for this host besides the system's
 *     NAME.cert NAME.key  the client's certificate and its key
 *
 * Source: Docker, "Verify repository client with certificates".
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

struct certificates {
	char *ca;               /* PEM of all CAs together; NULL: none */
	size_t ca_size;
	char *certificate;      /* paths; both or none */
	char *key;
};

/* Those for HOST at PORT; a folder that is not there holds none. ERROR_INPUT names the file that is
 * wrong (a certificate without its key). */
int certificates_find(const char *host, int port, struct certificates *c, struct error *e);
void certificates_release(struct certificates *c);

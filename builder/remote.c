#include "builder/remote.h"

#include "builder/command/command.h"
#include "builder/interrupt.h"

void remote_init(struct remote *r)
{
	*r = (struct remote){ 0 };
	pthread_mutex_init(&r->lock, NULL);
}

void remote_release(struct remote *r)
{
	if (r->auth)
		auth_close(r->auth);
	if (r->http)
		http_close(r->http);
	pthread_mutex_destroy(&r->lock);
}

struct auth *remote_auth(struct remote *r, struct error *e)
{
	const struct http_settings settings = {
		.user_agent = "cairn/" CAIRN_VERSION,
		.cancelled = &interrupted,
		.attempts = r->attempts,
	};

	pthread_mutex_lock(&r->lock);
	if (!r->http)
		r->http = http_open(&settings, e);
	if (r->http && !r->auth)
		r->auth = auth_open(r->http, NULL, e);
	pthread_mutex_unlock(&r->lock);
	return r->auth;
}

#include "builder/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <linux/capability.h>
#include <linux/magic.h>

#include "builder/inside/protocol.h"
#include "builder/sandbox/oom.h"
#include "builder/sandbox/sandbox_parts.h"
#include "layers/path.h"
#include "layers/scope.h"

int sandbox_way_parse(const char *text, enum sandbox_way *way, struct error *e)
{
	static const char *const names[] = {
		[SANDBOX_AUTO] = "auto",     [SANDBOX_OVERLAY] = "overlay", [SANDBOX_USERNS] = "userns",
		[SANDBOX_COPY] = "copy",     [SANDBOX_CHROOT] = "chroot",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(text, names[i]) == 0) {
			*way = (enum sandbox_way)i;
			return 0;
		}
	}
	return error_set(e, ERROR_INPUT, "--isolation %s: use auto, overlay, userns, copy or chroot",
	                 text);
}

struct sandbox *sandbox_open(const struct sandbox_options *options, struct error *e)
{
	struct sandbox *s = calloc(1, sizeof *s);

	if (!s) {
		error_memory(e);
		return NULL;
	}
	pthread_mutex_init(&s->first, NULL);
	s->program = s->null = -1;
	s->options = *options;
	s->way = options->way == SANDBOX_AUTO || options->way == SANDBOX_USERNS ? SANDBOX_OVERLAY
	                                                                        : options->way;
	return s;
}

void sandbox_close(struct sandbox *s)
{
	if (!s)
		return;
	if (s->program >= 0)
		close(s->program);
	if (s->null >= 0)
		close(s->null);
	pthread_mutex_destroy(&s->first);
	free(s);
}

void sandbox_notice(const struct sandbox *s, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (s->options.notice)
		s->options.notice(s->options.context, text);
}

static uint64_t own_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { 0 };

	syscall(SYS_capget, &header, sets);
	return sets[0].permitted | (uint64_t)sets[1].permitted << 32;
}

/* What all runs share, made when the first one needs it. */
static int prepare(struct sandbox *s, struct error *e)
{
	const char *because = s->options.because;
	struct utsname kernel;
	struct statfs fs;

	if (geteuid() != 0)
		return error_set(e, ERROR_UNSUPPORTED, "a command is run as root or in a user namespace: %s",
		                 because ? because : "neither is possible here");
	if (s->program < 0 && (s->program = spawn_program(e)) < 0)
		return -1;
	if (s->null < 0 && (s->null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		return error_errno(e, "open /dev/null");
	s->capabilities = own_capabilities();
	s->cgroup2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
	if (strcmp(sandbox_xattrs(), "user.overlay.") == 0)
		s->flags |= REQUEST_USERXATTR;
	/* lowerdir+, one layer a call, is of Linux 6.7. */
	if (uname(&kernel) == 0 && strverscmp(kernel.release, "6.7") < 0)
		s->flags |= REQUEST_OLD_OVERLAY;
	if (!sandbox_keeps_owners())
		s->flags |= REQUEST_ONE_ID;
	if (because)
		sandbox_notice(s, "to a RUN all files belong to its own user: %s", because);
	if (s->way == SANDBOX_CHROOT)
		sandbox_notice(s, "a RUN in a chroot is not kept apart: build only what you trust");
	s->oom_kills = oom_kills();
	s->ready = true;
	return 0;
}

static int prepare_once(struct sandbox *s, struct error *e)
{
	int result = 0;

	pthread_mutex_lock(&s->first);
	if (!s->ready)
		result = prepare(s, e);
	pthread_mutex_unlock(&s->first);
	return result;
}

/* --- which way -------------------------------------------------------------------------------- */

static const char *hint(int store)
{
	struct statfs fs;

	return fstatfs(store, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC
	               ? " (cairn keeps its files on an overlay here: --root names another place)"
	               : "";
}

/* The same for all runs from now on, and told once. Another thread may have found out before. */
static void take(struct sandbox *s, enum sandbox_way way, int store, const struct error *e)
{
	pthread_mutex_lock(&s->first);
	if (s->way != way) {
		s->way = way;
		if (way == SANDBOX_COPY)
			sandbox_notice(s, "each RUN copies its files first, which takes time: %s%s", e->text,
			               hint(store));
		else
			sandbox_notice(s, "a RUN is not kept apart here, build only what you trust: %s", e->text);
	}
	pthread_mutex_unlock(&s->first);
}

/* After a REFUSAL: is there another way, and is it ours to take it? Who asks for a user namespace
 * does not get less. */
static bool choose_another(struct sandbox *s, enum refusal refusal, int store,
                           const struct error *e)
{
	bool any = s->options.way == SANDBOX_AUTO;

	if (refusal == REFUSED_OVERLAY && (any || s->options.way == SANDBOX_USERNS))
		take(s, SANDBOX_COPY, store, e);
	else if (refusal == REFUSED_NAMESPACES && any)
		take(s, SANDBOX_CHROOT, store, e);
	else
		return false;
	return true;
}

/* What a refused try has made in the work directory is in the way of the next one. */
static int clear_work(const struct sandbox_run *r, struct error *e)
{
	return path_remove(r->work, "work", e);
}

static void look_for_memory_kill(struct sandbox *s, struct sandbox_result *result)
{
	long kills;

	if (result->exit_code != 128 + SIGKILL || result->overtime || result->out_of_memory)
		return;
	kills = oom_kills();
	result->out_of_memory = kills > atomic_exchange(&s->oom_kills, kills);
}

int sandbox_run(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                struct error *e)
{
	static way_run *const ways[] = {
		[SANDBOX_OVERLAY] = run_in_overlay,
		[SANDBOX_COPY] = run_in_copy,
		[SANDBOX_CHROOT] = run_in_chroot,
	};
	enum refusal refusal = REFUSED_NOTHING;

	if (prepare_once(s, e) < 0)
		return -1;
	/* A way that fails for another reason says nothing of the one before. */
	for (; ways[s->way](s, r, result, &refusal, e) < 0; refusal = REFUSED_NOTHING)
		if (!choose_another(s, refusal, r->store, e) || clear_work(r, e) < 0)
			return -1;
	look_for_memory_kill(s, result);
	return 0;
}

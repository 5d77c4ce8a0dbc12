/* Call sandbox_run from a shell: drive STORE [OPTION...] -- COMMAND...
 *
 * STORE holds the lower trees; upper/ and work/ in it are made anew for each run. Standard output
 * and error are the command's; a line about its end goes to descriptor 9 if that is open.
 */
#include "builder/sandbox/sandbox.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "layers/path.h"

enum { MANY = 700, FAILED = 99 };

struct drive {
	struct sandbox *sandbox;
	struct sandbox_run run;
	const char *store, *lower[MANY + 1], *env[MANY + 1];
	struct sandbox_mount mount[MANY];
	struct sandbox_limit limit[8];
	gid_t group[MANY];
	size_t lowers, envs;
	int parallel, times;
	struct sandbox_options options;
	bool cancel_at_output;
};

struct worker {
	struct drive *d;
	int number, status;
	pthread_t thread;
};

static int open_new(int store, const char *kind, int number)
{
	char name[32];
	struct error e;
	int fd;

	snprintf(name, sizeof name, number ? "%s%d" : "%s", kind, number);
	if (path_remove(store, name, &e) < 0)
		errx(FAILED, "%s", e.text);
	if (mkdirat(store, name, 0755) < 0 || (fd = openat(store, name, O_PATH | O_CLOEXEC)) < 0)
		err(FAILED, "%s", name);
	return fd;
}

static int run_once(struct drive *d, int number)
{
	struct sandbox_run run = d->run;
	struct sandbox_result result;
	struct error e;
	int status = FAILED;

	run.store = open(d->store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	run.upper = open_new(run.store, "upper", number);
	run.work = open_new(run.store, "work", number);
	if (sandbox_run(d->sandbox, &run, &result, &e) < 0) {
		dprintf(9, "%s: %s\n", e.kind == ERROR_INPUT ? "input" : "error", e.text);
	} else {
		dprintf(9, "exit %d signal %d %s\n", result.exit_code, result.signal, result.reason);
		status = result.exit_code;
	}
	close(run.store);
	close(run.upper);
	close(run.work);
	return status;
}

static void *work(void *argument)
{
	struct worker *w = argument;

	for (int i = 0; i < w->d->times && w->status == 0; i++)
		w->status = run_once(w->d, w->number);
	return NULL;
}

/* Cancel from another thread, when the command has said that it runs. */
static void *cancel(void *argument)
{
	int *fds = argument;
	char byte;

	if (read(fds[0], &byte, 1) != 1 || write(fds[1], &(uint64_t) { 1 }, 8) != 8)
		errx(FAILED, "nothing was said");
	return NULL;
}

static int run_and_cancel(struct drive *d)
{
	int pipes[2], fds[2], status;
	pthread_t thread;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		err(FAILED, "pipe");
	d->run.out = pipes[1];
	d->run.cancel = eventfd(0, EFD_CLOEXEC);
	fds[0] = pipes[0];
	fds[1] = d->run.cancel;
	pthread_create(&thread, NULL, cancel, fds);
	status = run_once(d, 0);
	pthread_join(thread, NULL);
	return status;
}

static struct sandbox_mount *add_mount(struct drive *d, enum sandbox_mount_kind kind,
                                       const char *target)
{
	struct sandbox_mount *m = &d->mount[d->run.mount_count++];

	*m = (struct sandbox_mount) { .kind = kind, .target = target, .source = -1 };
	return m;
}

static int open_source(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		err(FAILED, "%s", path);
	return fd;
}

/* The mounts: how many arguments they take is in their usage. */
static int parse_mount(struct drive *d, char **arg)
{
	struct sandbox_mount *m;

	if (strcmp(arg[0], "--bind") == 0 || strcmp(arg[0], "--bind-rw") == 0) {
		m = add_mount(d, SANDBOX_BIND, arg[2]);        /* --bind SOURCE TARGET */
		m->source = open_source(arg[1]);
		m->read_only = arg[0][6] == '\0';
		return 2;
	}
	if (strcmp(arg[0], "--image") == 0 || strcmp(arg[0], "--image-rw") == 0) {
		m = add_mount(d, SANDBOX_IMAGE, arg[2]);       /* --image SUBPATH TARGET: of lower */
		m->lower = d->lower;
		m->subpath = arg[1];
		m->read_only = arg[0][7] == '\0';
		return 2;
	}
	if (strcmp(arg[0], "--tmpfs") == 0) {
		m = add_mount(d, SANDBOX_TMPFS, arg[1]);       /* --tmpfs TARGET SIZE */
		m->size = strtoull(arg[2], NULL, 10);
		m->mode = 01777;
		return 2;
	}
	if (strcmp(arg[0], "--file") == 0) {
		m = add_mount(d, SANDBOX_FILE, arg[1]);        /* --file TARGET MODE DATA */
		m->mode = (mode_t)strtoul(arg[2], NULL, 8);
		m->data = arg[3];
		m->size = strlen(arg[3]);
		m->uid = d->run.uid;
		m->gid = d->run.gid;
		return 3;
	}
	if (strcmp(arg[0], "--agent") == 0) {
		m = add_mount(d, SANDBOX_AGENT, arg[2]);       /* --agent SOURCE TARGET */
		m->source = open_source(arg[1]);
		m->mode = 0600;
		m->uid = d->run.uid;
		m->gid = d->run.gid;
		return 2;
	}
	errx(FAILED, "what is %s?", arg[0]);
}

static void tell(void *context, const char *text)
{
	(void)context;
	dprintf(9, "%s\n", text);
}

static int parse(struct drive *d, char **arg)
{
	struct sandbox_run *r = &d->run;
	const char *name = arg[0];

	if (strcmp(name, "--insecure") == 0)
		return r->insecure = true, 0;
	if (strcmp(name, "--no-network") == 0)
		return r->network = SANDBOX_NETWORK_NONE, 0;
	if (strcmp(name, "--copy") == 0)
		return d->options.way = SANDBOX_COPY, 0;
	if (strcmp(name, "--chroot") == 0)
		return d->options.way = SANDBOX_CHROOT, 0;
	if (strcmp(name, "--cancel") == 0)
		return d->cancel_at_output = true, 0;
	if (strcmp(name, "--no-files") == 0)
		return r->hosts = r->resolv_conf = NULL, 0;
	if (strcmp(name, "--lower") == 0)
		return d->lower[d->lowers++] = arg[1], 1;
	if (strcmp(name, "--env") == 0)
		return d->env[d->envs++] = arg[1], 1;
	if (strcmp(name, "--path") == 0)
		return d->env[0] = arg[1], 1;
	if (strcmp(name, "--cwd") == 0)
		return r->cwd = arg[1], 1;
	if (strcmp(name, "--uid") == 0)
		return r->uid = (uid_t)atoi(arg[1]), 1;
	if (strcmp(name, "--gid") == 0)
		return d->group[r->group_count++] = r->gid = (gid_t)atoi(arg[1]), 1;
	if (strcmp(name, "--group") == 0)
		return d->group[r->group_count++] = (gid_t)atoi(arg[1]), 1;
	if (strcmp(name, "--shm") == 0)
		return r->shm_size = strtoull(arg[1], NULL, 10), 1;
	if (strcmp(name, "--parallel") == 0)
		return d->parallel = atoi(arg[1]), 1;
	if (strcmp(name, "--times") == 0)
		return d->times = atoi(arg[1]), 1;
	if (strcmp(name, "--nofile") == 0) {
		d->limit[r->limit_count++] = (struct sandbox_limit) {
			RLIMIT_NOFILE, { (rlim_t)atoi(arg[1]), (rlim_t)atoi(arg[1]) } };
		return 1;
	}
	return parse_mount(d, arg);
}

int main(int argc, char **argv)
{
	static struct drive d = { .times = 1, .parallel = 1, .options.notice = tell };
	struct worker worker[64] = { 0 };
	struct timespec from, to;
	struct error e;
	int i = 2, status = 0;
	double ms;

	if (argc < 4)
		errx(FAILED, "usage: drive STORE [OPTION...] -- COMMAND...");
	d.store = argv[1];
	d.run = (struct sandbox_run) {
		.cwd = "/", .hostname = "buildkitsandbox", .out = 1, .err = 2, .cancel = -1, .env = d.env,
		.lower = d.lower, .mount = d.mount, .limit = d.limit, .groups = d.group,
		.hosts = "127.0.0.1\tlocalhost buildkitsandbox\n", .resolv_conf = "nameserver 192.0.2.1\n",
	};
	d.env[d.envs++] = "PATH=/bin";
	for (; argv[i] && strcmp(argv[i], "--") != 0; i++)
		i += parse(&d, argv + i);
	if (d.run.group_count == 0)
		d.group[d.run.group_count++] = d.run.gid;
	if (d.lowers == 0)
		d.lower[0] = "base";
	d.run.argv = (const char *const *)argv + i + 1;
	if (sandbox_become_root(d.options.way, &d.options.because, &e) < 0 ||
	    !(d.sandbox = sandbox_open(&d.options, &e)))
		errx(FAILED, "%s", e.text);
	clock_gettime(CLOCK_MONOTONIC, &from);
	if (d.cancel_at_output) {
		status = run_and_cancel(&d);
	} else if (d.parallel == 1) {
		for (int n = 0; n < d.times && status == 0; n++)
			status = run_once(&d, 0);
	} else {
		for (int n = 0; n < d.parallel; n++) {
			worker[n] = (struct worker) { .d = &d, .number = n + 1 };
			pthread_create(&worker[n].thread, NULL, work, &worker[n]);
		}
		for (int n = 0; n < d.parallel; n++) {
			pthread_join(worker[n].thread, NULL);
			status = worker[n].status ? worker[n].status : status;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	ms = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	if (d.times > 1)
		fprintf(stderr, "%.3f ms each\n", ms / d.times / d.parallel);
	sandbox_close(d.sandbox);
	return status;
}

#include "builder/command/run_flags.h"

#include <stdlib.h>
#include <string.h>

#include "builder/command/flag_values.h"
#include "builder/sandbox/terminal.h"
#include "parser/duration.h"

/* A whole number of at most MOST, or 0 when the flag was not given. */
static int read_number(const struct options *o, const char *name, unsigned most, unsigned *number,
                       struct error *e)
{
	const char *value = options_value(o, name);
	unsigned long n;
	char *end;

	if (!value)
		return 0;
	n = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || n > most)
		return error_set(e, ERROR_INPUT, "--%s: invalid number: %s", name, value);
	*number = (unsigned)n;
	return 0;
}

/* "0" is no limit. */
static int read_duration(const struct options *o, const char *name, int64_t *ms, struct error *e)
{
	const char *value = options_value(o, name);
	struct syntax_error wrong;
	int64_t ns;

	if (!value)
		return 0;
	if (duration_parse(value, &ns, &wrong) < 0)
		return error_set(e, ERROR_INPUT, "--%s: %s", name, wrong.text);
	if (ns < 0 || (ns > 0 && ns < DURATION_MS))
		return error_set(e, ERROR_INPUT, "--%s: %s is less than 1ms", name, value);
	*ms = ns / DURATION_MS;
	return 0;
}

static int read_limits(struct build_flags *flags, struct error *e)
{
	const char *value = options_value(&flags->options, "shm-size");
	size_t at = 0;

	if (value && size_value(value, &flags->build.shm_size, e) < 0)
		return error_context(e, "--shm-size");
	flags->ulimit = calloc(flags->options.count + 1, sizeof *flags->ulimit);
	if (!flags->ulimit)
		return error_memory(e);
	flags->build.ulimit = flags->ulimit;
	while ((value = options_next(&flags->options, "ulimit", &at)))
		if (ulimit_value(value, &flags->ulimit[flags->build.ulimit_count++], e) < 0)
			return -1;
	return 0;
}

/* It becomes a line of /etc/hosts, and the kernel keeps 64 bytes. Empty, it is the usual one. */
static int check_hostname(struct build_options *b, struct error *e)
{
	const char *name = b->hostname;

	if (name && !*name)
		b->hostname = NULL;
	else if (name && (strlen(name) > 64 || name[strspn(name, "0123456789-._abcdefghijklmnopqrstuvwxyz"
	                                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]))
		return error_set(e, ERROR_INPUT, "invalid host name for a RUN: \"%s\" (up to 64 letters, "
		                 "digits, \".\", \"-\" and \"_\")", name);
	return 0;
}

/* Whoever waits for an hour is told before that there will be no shell. */
static int read_on_fail(struct build_flags *flags, struct error *e)
{
	const char *value = options_value(&flags->options, "on-fail");

	if (!value || strcmp(value, "error") == 0)
		return 0;
	flags->enter_failed = strcmp(value, "shell") == 0;
	if (!flags->enter_failed && strcmp(value, "keep") != 0)
		return error_set(e, ERROR_INPUT, "--on-fail %s: use error, keep or shell", value);
	if (flags->enter_failed && !terminal_is_there())
		return error_set(e, ERROR_INPUT,
		                 "--on-fail=shell needs a terminal, and there is none here: "
		                 "--on-fail=keep keeps the failed step for \"cairn debug\"");
	flags->build.keep_failed = true;
	return 0;
}

/* --- control groups --------------------------------------------------------------------------- */

/* docker's own: less would not even start a shell. */
#define MEMORY_MIN (6 << 20)

static int read_memory(const struct options *o, struct cgroup_limits *l, struct error *e)
{
	const char *memory = options_value(o, "memory"), *swap = options_value(o, "memory-swap");

	if (memory && size_value(memory, &l->memory, e) < 0)
		return error_context(e, "--memory");
	if (swap && strcmp(swap, "-1") == 0)
		l->memory_swap = -1;
	else if (swap && size_value(swap, &l->memory_swap, e) < 0)
		return error_context(e, "--memory-swap");
	if (l->memory && l->memory < MEMORY_MIN)
		return error_set(e, ERROR_INPUT, "--memory %s: the minimum is 6MB", memory);
	if (l->memory_swap && !l->memory)
		return error_set(e, ERROR_INPUT, "--memory-swap: give --memory, too");
	if (l->memory_swap > 0 && l->memory_swap < l->memory)
		return error_set(e, ERROR_INPUT,
		                 "--memory-swap %s: memory and swap together cannot be less than "
		                 "--memory", swap);
	return 0;
}

/* "-1" is no limit, as "0" is. */
static int read_count(const struct options *o, const char *name, int64_t *count, struct error *e)
{
	const char *value = options_value(o, name);
	unsigned number = 0;

	if (!value || strcmp(value, "-1") == 0)
		return 0;
	if (read_number(o, name, INT32_MAX, &number, e) < 0)
		return -1;
	*count = number;
	return 0;
}

/* "1.5" processors are 150 ms in each 100 ms. */
static int read_cpus(const struct options *o, struct cgroup_limits *l, struct error *e)
{
	const char *value = options_value(o, "cpus");
	double number;
	char *end;

	if (!value)
		return 0;
	number = strtod(value, &end);
	if (strspn(value, "0123456789.") != strlen(value) || *end || number < 0.01 || number > 10000)
		return error_set(e, ERROR_INPUT, "--cpus: invalid number: %s", value);
	if (l->cpu_quota || l->cpu_period)
		return error_set(e, ERROR_INPUT,
		                 "--cpus and --cpu-quota or --cpu-period cannot be used together");
	l->cpu_quota = (int64_t)(number * 100000);
	return 0;
}

/* What is written to files of the kernel has no more in it than it may (H059). */
static int read_word(const struct options *o, const char *name, const char *allowed,
                     const char **word, struct error *e)
{
	const char *value = options_value(o, name);

	if (!value || !*value)
		return 0;
	if (strspn(value, allowed) != strlen(value) || strlen(value) >= 60 || strstr(value, ".."))
		return error_set(e, ERROR_INPUT, "--%s: invalid value: %s", name, value);
	*word = value;
	return 0;
}

static int read_cgroup_parent(struct build_flags *flags, struct error *e)
{
	struct cgroup_limits *l = &flags->build.cgroup;

	if (read_word(&flags->options, "cgroup-parent",
	              "/-_.:0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", &l->parent,
	              e) < 0)
		return -1;
	if (l->parent && *l->parent != '/') {
		char *absolute = NULL;

		if (asprintf(&absolute, "/%s", l->parent) < 0)
			absolute = NULL;
		l->parent = build_flags_keep(flags, absolute, e);
		return l->parent ? 0 : -1;
	}
	return 0;
}

static int read_cgroup(struct build_flags *flags, struct error *e)
{
	const struct options *o = &flags->options;
	struct cgroup_limits *l = &flags->build.cgroup;

	if (read_memory(o, l, e) < 0 || read_count(o, "cpu-period", &l->cpu_period, e) < 0 ||
	    read_count(o, "cpu-quota", &l->cpu_quota, e) < 0 ||
	    read_count(o, "cpu-shares", &l->cpu_shares, e) < 0 ||
	    read_count(o, "pids-limit", &l->pids, e) < 0 || read_cpus(o, l, e) < 0 ||
	    read_word(o, "cpuset-cpus", "0123456789,-", &l->cpuset_cpus, e) < 0 ||
	    read_word(o, "cpuset-mems", "0123456789,-", &l->cpuset_mems, e) < 0)
		return -1;
	if (l->cpu_shares == 1)
		l->cpu_shares = 2; /* the least there is */
	return read_cgroup_parent(flags, e);
}

int run_flags_read(struct build_flags *flags, struct error *e)
{
	const struct options *o = &flags->options;
	struct build_options *b = &flags->build;

	if (check_hostname(b, e) < 0 || read_number(o, "jobs", 1000, &b->jobs, e) < 0 ||
	    read_number(o, "run-retry", 1000, &b->run_retries, e) < 0 ||
	    read_duration(o, "run-timeout", &b->run_timeout_ms, e) < 0 ||
	    read_duration(o, "run-idle-timeout", &b->run_idle_timeout_ms, e) < 0)
		return -1;
	return read_on_fail(flags, e) < 0 || read_cgroup(flags, e) < 0 ? -1 : read_limits(flags, e);
}

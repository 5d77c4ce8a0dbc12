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
		return error_set(e, ERROR_INPUT, "--on-fail=shell needs a terminal, and there is none here: "
		                 "--on-fail=keep keeps the failed step for \"cairn debug\"");
	flags->build.keep_failed = true;
	return 0;
}

int run_flags_read(struct build_flags *flags, struct error *e)
{
	const struct options *o = &flags->options;
	struct build_options *b = &flags->build;

	if (read_number(o, "jobs", 1000, &b->jobs, e) < 0 ||
	    read_number(o, "run-retry", 1000, &b->run_retries, e) < 0 ||
	    read_duration(o, "run-timeout", &b->run_timeout_ms, e) < 0 ||
	    read_duration(o, "run-idle-timeout", &b->run_idle_timeout_ms, e) < 0)
		return -1;
	return read_on_fail(flags, e) < 0 ? -1 : read_limits(flags, e);
}

#include "builder/command/build_flags.h"

#include <stdlib.h>
#include <string.h>

#include "builder/command/fields.h"
#include "builder/command/flag_values.h"
#include "builder/command/proxies.h"
#include "builder/command/run_flags.h"
#include "parser/suggest.h"

static const struct option_row rows[] = {
	{ "add-host", 0, "strings", "Add a custom host-to-IP mapping (format: \"host:ip\")" },
	{ "allow", 0, "strings", "Allow an entitlement (network.host, security.insecure)" },
	{ "allow-secret-leak", 0, NULL, "Do not search the image for secrets of the build" },
	{ "annotation", 0, "strings", "Add an annotation to the image" },
	{ "build-arg", 0, "strings", "Set a build-time variable" },
	{ "build-context", 0, "strings", "Additional build contexts (e.g., name=path)" },
	{ "call", 0, "string", "Tell instead of building (check, outline, targets)" },
	{ "cgroup-parent", 0, "string", "Control group that those of RUN are in" },
	{ "check", 0, NULL, "Short for --call=check" },
	{ "cpu-period", 0, "number", "Microseconds in which --cpu-quota is counted" },
	{ "cpu-quota", 0, "number", "Microseconds of processor time that a RUN has in them" },
	{ "cpu-shares", 'c', "number", "Weight of a RUN's processor time (1024 is usual)" },
	{ "cpus", 0, "decimal", "Processors that a RUN may keep busy" },
	{ "cpuset-cpus", 0, "string", "Processors that a RUN may use (0-3, 0,1)" },
	{ "cpuset-mems", 0, "string", "Memory nodes that a RUN may use (0-3, 0,1)" },
	{ "file", 'f', "string", "Name of the Dockerfile (default PATH/Dockerfile), - is stdin" },
	{ "hostname", 0, "string", "Host name that a RUN sees (default buildkitsandbox)" },
	{ "iidfile", 0, "string", "Write the image's id to a file" },
	{ "isolation", 0, "string", "How a RUN is kept apart (auto, overlay, userns, copy, chroot)" },
	{ "jobs", 0, "number", "How many steps may run at the same time" },
	{ "label", 0, "strings", "Set metadata for the image" },
	{ "load", 0, NULL, "Short for --output=type=docker, into the store" },
	{ "memory", 'm', "bytes", "Memory that a RUN may use" },
	{ "memory-swap", 0, "bytes", "Memory and swap together: -1 is no limit (default twice --memory)" },
	{ "metadata-file", 0, "string", "Write what came of the build to a file, as JSON" },
	{ "network", 0, "string", "Network of RUN (default, none, host, pasta, slirp4netns)" },
	{ "no-cache", 0, NULL, "Do not use results of earlier builds" },
	{ "no-cache-filter", 0, "strings", "Do not use them for these stages" },
	{ "on-fail", 0, "string", "What happens to a RUN that fails (error, keep, shell)" },
	{ "output", 'o', "strings", "Where the result goes (format: \"type=local,dest=path\")" },
	{ "pids-limit", 0, "number", "Processes that a RUN may have" },
	{ "platform", 0, "strings", "Platform to build for" },
	{ "progress", 0, "string", "Kind of progress (auto, none, plain, quiet, rawjson, tty)" },
	{ "pull", 0, NULL, "Ask the registries for newer base images" },
	{ "push", 0, NULL, "Short for --output=type=registry" },
	{ "quiet", 'q', NULL, "Print the image's id only" },
	{ "root", 0, "dir", "Where images and caches are kept" },
	{ "run-idle-timeout", 0, "duration", "End a RUN that prints nothing for so long" },
	{ "run-retry", 0, "number", "Try a RUN that failed again, so many times" },
	{ "run-timeout", 0, "duration", "End a RUN that takes longer" },
	{ "secret", 0, "strings", "Secret for RUN (format: \"id=mysecret[,src=/local/secret]\")" },
	{ "shm-size", 0, "bytes", "Size of /dev/shm in a RUN" },
	{ "ssh", 0, "strings", "SSH agent for RUN (format: \"default|<id>[=<socket>]\")" },
	{ "tag", 't', "strings", "Name of the image (format: \"name:tag\")" },
	{ "target", 0, "string", "Stage to build" },
	{ "ulimit", 0, "ulimit", "Limits of a RUN (format: \"nofile=1024:2048\")" },

	/* What docker has and this program gives no meaning. */
	{ "attest", 0, "strings", NULL },
	{ "builder", 0, "string", NULL },
	{ "cache-from", 0, "strings", NULL },
	{ "cache-to", 0, "strings", NULL },
	{ "compress", 0, NULL, NULL },
	{ "debug", 'D', NULL, NULL },
	{ "disable-content-trust", 0, NULL, NULL },
	{ "force-rm", 0, NULL, NULL },
	{ "policy", 0, "strings", NULL },
	{ "provenance", 0, "string", NULL },
	{ "resource", 0, "strings", NULL },
	{ "rm", 0, NULL, NULL },
	{ "sbom", 0, "string", NULL },
	{ "security-opt", 0, "strings", NULL },
	{ "squash", 0, NULL, NULL },
	{ NULL },
};

static const struct usage usage = {
	"build", "[OPTIONS] PATH | URL | -", "Build an image from a Dockerfile", rows, 0,
	ARGUMENTS_ANY,
	"Examples:\n"
	"  cairn build -t example.org/app:1.0 .         A folder with a Dockerfile to an image\n"
	"  cairn build --push -t example.org/app:1.0 .  ... and to its registry\n"
	"  cairn build -o type=oci,dest=app.tar .       ... or to a file\n"
	"  cairn build --target test --no-cache .       One stage, all of it again\n"
	"  cairn build --check .                        What the Dockerfile could do better\n"
	"  cairn build --call=outline .                 What can be set in it\n"
	"  cairn build https://example.org/x.git#main   A repository\n"
	"  cairn build - <Dockerfile                    A Dockerfile alone\n"
	"\n"
	"A --build-context is a folder, docker-image://NAME, oci-layout://FOLDER[:TAG|@DIGEST],\n"
	"target:STAGE, a repository, or a URL: a folder with that one file, \"context\". It stands\n"
	"in for the image or stage of its NAME; NAME::os/arch is for one platform.\n"
	"\n"
	"The environment counts, too: SOURCE_DATE_EPOCH, proxies of docker's config.json,\n"
	"DOCKER_DEFAULT_PLATFORM, DOCKER_CONFIG, DOCKER_AUTH_CONFIG, BUILDKIT_PROGRESS, NO_COLOR.\n"
};

/* --- lists ---------------------------------------------------------------------------------- */

int list_add(struct list *list, const char *item, struct error *e)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 8;
		const char **grown = reallocarray(list->item, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		list->item = grown;
		list->capacity = capacity;
	}
	list->item[list->count++] = item;
	return 0;
}

const char *build_flags_keep(struct build_flags *flags, char *text, struct error *e)
{
	if (!text) {
		error_memory(e);
		return NULL;
	}
	if (list_add(&flags->memory, text, e) < 0) {
		free(text);
		return NULL;
	}
	return text;
}

static int gather(struct build_flags *flags, const char *name, struct list *list, struct error *e)
{
	const char *value;
	size_t at = 0;

	while ((value = options_next(&flags->options, name, &at)))
		if (list_add(list, value, e) < 0)
			return -1;
	return 0;
}

/* The same, commas separating more. */
static int gather_split(struct build_flags *flags, const char *name, struct list *list,
                        struct error *e)
{
	const char *value;
	size_t at = 0;

	while ((value = options_next(&flags->options, name, &at))) {
		const char *copy = build_flags_keep(flags, strdup(value), e);
		char *rest = (char *)copy, *word;

		if (!copy)
			return -1;
		while ((word = strsep(&rest, ",")))
			if (*word && list_add(list, word, e) < 0)
				return -1;
	}
	return 0;
}

/* --- flags, by what they are about ---------------------------------------------------------- */

/* What NAME=VALUE says to the builder itself. */
static int heed_arg(struct build_flags *flags, const char *name, const char *value,
                    struct error *e)
{
	static const struct {
		const char *name, *why;
	} ignored[] = {
		{ "BUILDKIT_INLINE_CACHE", "an image carries no cache here" },
		{ "BUILDKIT_MULTI_PLATFORM", "an image of one platform has no index" },
	};
	bool yes = false;

	if (strcmp(name, "BUILDKIT_CACHE_MOUNT_NS") == 0)
		flags->build.cache_mount_namespace = value;
	if (strcmp(name, "BUILDKIT_SANDBOX_HOSTNAME") == 0 && !flags->build.hostname)
		flags->build.hostname = value;
	if (strcmp(name, "BUILDKIT_CONTEXT_KEEP_GIT_DIR") == 0)
		options_truth(value, &flags->keep_git_dir);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
		char *text = NULL;

		if (strcmp(name, ignored[i].name) != 0 || !options_truth(value, &yes) || !yes)
			continue;
		if (asprintf(&text, "--build-arg %s is ignored: %s", name, ignored[i].why) < 0)
			text = NULL;
		if (!build_flags_keep(flags, text, e) || list_add(&flags->warnings, text, e) < 0)
			return -1;
	}
	return 0;
}

/* "K=V"; "K" is the environment's, and nothing when that has none. */
static int split_args(struct build_flags *flags, struct error *e)
{
	flags->arg = calloc(flags->args.count + 1, sizeof *flags->arg);
	if (!flags->arg)
		return error_memory(e);
	flags->plan.arg = flags->arg;
	for (size_t i = 0; i < flags->args.count; i++) {
		const char *text = flags->args.item[i], *equals = strchr(text, '=');
		const char *name, *value = equals ? equals + 1 : getenv(text);

		if (equals == text || !*text)
			return error_set(e, ERROR_INPUT, "--build-arg: name is missing");
		if (!value)
			continue;
		name = build_flags_keep(flags, strndup(text, equals ? (size_t)(equals - text)
		                                                    : strlen(text)), e);
		if (!name)
			return -1;
		flags->arg[flags->plan.arg_count++] = (struct build_arg){ name, value };
		if (heed_arg(flags, name, value, e) < 0)
			return -1;
	}
	return 0;
}

static int read_args(struct build_flags *flags, struct error *e)
{
	bool has_epoch = false;

	if (gather(flags, "build-arg", &flags->args, e) < 0)
		return -1;
	for (size_t i = 0; i < flags->args.count; i++)
		has_epoch |= strncmp(flags->args.item[i], "SOURCE_DATE_EPOCH", 17) == 0;
	if (!has_epoch && getenv("SOURCE_DATE_EPOCH") &&
	    list_add(&flags->args, "SOURCE_DATE_EPOCH", e) < 0)
		return -1;
	if (proxies_add(flags, e) < 0)
		return -1;
	return split_args(flags, e);
}

static int read_labels(struct build_flags *flags, struct error *e)
{
	const char *value;
	size_t at = 0;

	while ((value = options_next(&flags->options, "label", &at))) {
		char *pair = NULL;

		if (asprintf(&pair, "%s%s", value, strchr(value, '=') ? "" : "=") < 0)
			pair = NULL;
		value = build_flags_keep(flags, pair, e);
		if (!value || list_add(&flags->labels, value, e) < 0)
			return -1;
		if (*value == '=')
			return error_set(e, ERROR_INPUT, "--label: name is missing");
	}
	flags->plan.label = flags->labels.item;
	flags->plan.label_count = flags->labels.count;
	return 0;
}

static int read_contexts(struct build_flags *flags, struct error *e)
{
	if (gather(flags, "build-context", &flags->contexts, e) < 0)
		return -1;
	flags->named = calloc(flags->contexts.count + 1, sizeof *flags->named);
	if (!flags->named)
		return error_memory(e);
	for (size_t i = 0; i < flags->contexts.count; i++) {
		const char *text = flags->contexts.item[i], *equals = strchr(text, '=');
		const char *name;

		if (!equals || equals == text || !equals[1])
			return error_set(e, ERROR_INPUT,
			                 "invalid context value: %s, expected key=value", text);
		name = build_flags_keep(flags, strndup(text, (size_t)(equals - text)), e);
		if (!name)
			return -1;
		flags->named[i] = (struct named_context){ name, equals + 1 };
	}
	flags->plan.context = flags->named;
	flags->plan.context_count = flags->contexts.count;
	return 0;
}

static int read_secrets(struct build_flags *flags, struct error *e)
{
	const char *value;
	size_t at = 0;

	flags->secret = calloc(flags->options.count + 1, sizeof *flags->secret);
	flags->ssh = calloc(flags->options.count + 1, sizeof *flags->ssh);
	if (!flags->secret || !flags->ssh)
		return error_memory(e);
	flags->build.secret = flags->secret;
	flags->build.ssh = flags->ssh;
	flags->build.mask = &flags->mask;
	while ((value = options_next(&flags->options, "secret", &at))) {
		struct build_secret *secret = &flags->secret[flags->build.secret_count++];

		if (secret_value(value, secret, e) < 0 ||
		    mask_add(&flags->mask, secret->value, secret->size, e) < 0)
			return -1;
	}
	at = 0;
	while ((value = options_next(&flags->options, "ssh", &at)))
		if (ssh_value(value, &flags->ssh[flags->build.ssh_count++], e) < 0)
			return -1;
	return 0;
}

/* The network of every RUN that does not ask for one itself. */
static int read_network_mode(struct build_flags *flags, struct error *e)
{
	static const struct {
		const char *name;
		enum sandbox_network network;
	} modes[] = {
		{ "default", SANDBOX_NETWORK_HOST },  { "none", SANDBOX_NETWORK_NONE },
		{ "host", SANDBOX_NETWORK_HOST },     { "pasta", SANDBOX_NETWORK_PASTA },
		{ "slirp4netns", SANDBOX_NETWORK_SLIRP4NETNS },
	};
	const char *mode = options_value(&flags->options, "network");
	size_t i = 0, count = sizeof modes / sizeof *modes;

	while (mode && i < count && strcmp(mode, modes[i].name) != 0)
		i++;
	if (i == count)
		return error_set(e, ERROR_INPUT, "network mode \"%s\" not supported: use default, "
		                 "none, host, pasta or slirp4netns", mode);
	flags->build.network = modes[i].network;
	flags->plan.network = i == 1 || i == 2 ? modes[i].name : NULL;
	flags->plan.allow_network_host = i == 2; /* who says --network=host has said it all */
	return sandbox_network_check(flags->build.network, e);
}

static int read_network(struct build_flags *flags, struct error *e)
{
	const char *value;
	size_t at = 0;

	if (read_network_mode(flags, e) < 0)
		return -1;
	while ((value = options_next(&flags->options, "allow", &at))) {
		if (strcmp(value, "network.host") == 0)
			flags->plan.allow_network_host = true;
		else if (strcmp(value, "security.insecure") == 0)
			flags->plan.allow_insecure = true;
		else if (strncmp(value, "fs", 2) != 0 && strncmp(value, "device", 6) != 0)
			return error_set(e, ERROR_INPUT, "unknown entitlement %s", value);
	}
	at = 0;
	while ((value = options_next(&flags->options, "add-host", &at)))
		if (host_value(value, e) < 0 || list_add(&flags->hosts, value, e) < 0)
			return -1;
		else if (strstr(value, "host-gateway") && flags->build.network == SANDBOX_NETWORK_PASTA)
			return error_set(e, ERROR_UNSUPPORTED, "--add-host %s: there is no gateway with "
			                 "--network=pasta", value);
	flags->build.add_host = flags->hosts.item;
	flags->build.add_host_count = flags->hosts.count;
	return 0;
}

static int read_platform(struct build_flags *flags, struct error *e)
{
	const char *platform = options_value(&flags->options, "platform");

	if (!platform)
		platform = getenv("DOCKER_DEFAULT_PLATFORM");
	if (platform && strchr(platform, ','))
		return error_set(e, ERROR_UNSUPPORTED, "--platform %s: several platforms at once are "
		                 "not supported; build one after the other", platform);
	flags->plan.platform = platform && *platform ? platform : NULL;
	return 0;
}

static const char *const calls[] = { "build", "check", "outline", "targets",
                                     "subrequests.describe" };
#define CALLS (sizeof calls / sizeof *calls)

/* The call named NAME; "lint" is what check was called first. */
static int set_call(struct build_flags *flags, const char *name, struct error *e)
{
	const char *near = suggestion(name, calls, CALLS);

	if (flags->call)
		return error_set(e, ERROR_INPUT, "%s and %s: one at a time", flags->call, name);
	if (strcmp(name, "lint") == 0)
		name = "check";
	for (size_t i = 0; i < CALLS; i++)
		if (strcmp(name, calls[i]) == 0) {
			flags->call = i > 0 ? calls[i] : NULL;
			return 0;
		}
	if (near)
		return error_set(e, ERROR_INPUT, "unknown call %s (did you mean %s?)", name, near);
	return error_set(e, ERROR_INPUT, "unknown call %s: use build, check, outline, targets or "
	                 "subrequests.describe", name);
}

static int set_call_field(struct build_flags *flags, const struct field *field, struct error *e)
{
	if (!field->value)
		return set_call(flags, field->key, e);
	if (strcmp(field->key, "format") == 0) {
		flags->call_json = strcmp(field->value, "json") == 0;
		if (!flags->call_json && strcmp(field->value, "text") != 0)
			return error_set(e, ERROR_INPUT, "unknown format %s: use text or json",
			                 field->value);
		return 0;
	}
	if (strcmp(field->key, "ignorestatus") != 0)
		return error_set(e, ERROR_INPUT, "unknown field %s: use format or ignorestatus",
		                 field->key);
	if (!options_truth(field->value, &flags->call_ignores_status))
		return error_set(e, ERROR_INPUT, "ignorestatus is true or false, not %s",
		                 field->value);
	return 0;
}

/* "check,format=json,ignorestatus=true" */
static int read_call(struct build_flags *flags, struct error *e)
{
	const char *value = options_value(&flags->options, "call");
	struct fields f = { 0 };
	int result = 0;

	if (options_switch(&flags->options, "check", false))
		value = "check";
	if (!value || !*value)
		return 0;
	result = fields_parse(value, &f, e);
	for (size_t i = 0; result == 0 && i < f.count; i++)
		result = set_call_field(flags, &f.item[i], e);
	fields_release(&f);
	return result < 0 ? error_context(e, "--call") : 0;
}

static int read_progress(struct build_flags *flags, struct error *e)
{
	static const struct {
		const char *name;
		enum progress_mode mode;
	} modes[] = {
		{ "auto", PROGRESS_AUTO },   { "plain", PROGRESS_PLAIN }, { "tty", PROGRESS_TTY },
		{ "quiet", PROGRESS_QUIET }, { "none", PROGRESS_QUIET },  { "rawjson", PROGRESS_RAWJSON },
	};
	const char *said = options_value(&flags->options, "progress"), *name = said;
	size_t i = 0;

	if (!name)
		name = getenv("BUILDKIT_PROGRESS");
	if (!name || !*name)
		name = "auto";
	while (i < sizeof modes / sizeof *modes && strcmp(name, modes[i].name) != 0)
		i++;
	if (i == sizeof modes / sizeof *modes)
		return error_set(e, ERROR_INPUT, "unknown progress %s: use auto, none, plain, quiet, "
		                 "rawjson or tty", name);
	flags->quiet = options_switch(&flags->options, "quiet", false);
	if (flags->quiet && said && strcmp(said, "auto") != 0 && modes[i].mode != PROGRESS_QUIET)
		return error_set(e, ERROR_INPUT,
		                 "progress=%s and quiet cannot be used together", said);
	flags->no_id = strcmp(name, "none") == 0;
	flags->quiet |= modes[i].mode == PROGRESS_QUIET;
	flags->progress = flags->quiet ? PROGRESS_QUIET : modes[i].mode;
	return 0;
}

/* One line for each kind of flag that does nothing here, however often it was given. */
static int read_ignored(struct build_flags *flags, struct error *e)
{
	static const struct {
		const char *name, *why;
	} wanted[] = {
		{ "attest", "attestations are not supported yet" },
		{ "provenance", "attestations are not supported yet" },
		{ "sbom", "attestations are not supported yet" },
		{ "cache-from", "not supported yet" },
		{ "cache-to", "not supported yet" },
		{ "policy", "not supported yet" },
		{ "squash", "not supported yet" },
		{ "builder", "there is no builder instance to choose" },
		{ "compress", "there is no daemon to send a context to" },
		{ "force-rm", "there are no intermediate containers" },
		{ "rm", "there are no intermediate containers" },
	};

	for (const struct option_row *row = rows; row->name; row++) {
		const char *value = options_value(&flags->options, row->name);
		const char *why = "not supported";
		char *text = NULL;

		/* "--provenance=false" asks for what is so anyway. */
		if (row->help || !value || strcmp(value, "false") == 0)
			continue;
		for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
			if (strcmp(wanted[i].name, row->name) == 0)
				why = wanted[i].why;
		if (asprintf(&text, "--%s is ignored: %s", row->name, why) < 0)
			text = NULL;
		value = build_flags_keep(flags, text, e);
		if (!value || list_add(&flags->warnings, value, e) < 0)
			return -1;
	}
	return 0;
}

static int read_outputs(struct build_flags *flags, struct error *e)
{
	const struct options *o = &flags->options;

	if (gather(flags, "tag", &flags->tags, e) < 0 ||
	    gather(flags, "output", &flags->outputs, e) < 0 ||
	    gather(flags, "annotation", &flags->annotations, e) < 0)
		return -1;
	flags->push = options_switch(o, "push", false);
	flags->load = options_switch(o, "load", false);
	flags->iidfile = options_value(o, "iidfile");
	flags->metadata_file = options_value(o, "metadata-file");
	return 0;
}

/* "default" is docker's word for auto. */
static int read_isolation(struct build_flags *flags, struct error *e)
{
	const char *way = options_value(&flags->options, "isolation");

	if (!way || strcmp(way, "default") == 0)
		return 0;
	return sandbox_way_parse(way, &flags->build.isolation, e);
}

static int read_all(struct build_flags *flags, struct error *e)
{
	const struct options *o = &flags->options;
	const char *root = options_value(o, "root");

	if (o->argument_count != 1)
		return error_set(e, ERROR_INPUT, "cairn build requires 1 argument, the context: PATH, "
		                 "URL or - (%zu given)", o->argument_count);
	if (root && setenv("CAIRN_ROOT", root, 1) < 0)
		return error_memory(e);
	flags->context = o->arguments[0];
	flags->file = options_value(o, "file");
	flags->pull = options_switch(o, "pull", false);
	flags->build.allow_secret_leak = options_switch(o, "allow-secret-leak", false);
	flags->plan.target = options_value(o, "target");
	flags->plan.no_cache = options_switch(o, "no-cache", false);
	flags->build.hostname = options_value(o, "hostname");
	if (read_isolation(flags, e) < 0 ||
	    gather_split(flags, "no-cache-filter", &flags->no_cache_filters, e) < 0 ||
	    read_args(flags, e) < 0 || read_labels(flags, e) < 0 || read_contexts(flags, e) < 0 ||
	    read_secrets(flags, e) < 0 || run_flags_read(flags, e) < 0 || read_network(flags, e) < 0 ||
	    read_platform(flags, e) < 0 || read_call(flags, e) < 0 || read_progress(flags, e) < 0 ||
	    read_outputs(flags, e) < 0)
		return -1;
	flags->plan.no_cache_filter = flags->no_cache_filters.item;
	flags->plan.no_cache_filter_count = flags->no_cache_filters.count;
	flags->plan.checks_only = flags->call != NULL;
	return read_ignored(flags, e);
}

int build_flags_read(int argc, char **argv, struct build_flags *flags, struct error *e)
{
	memset(flags, 0, sizeof *flags);
	if (options_parse(&usage, argc, argv, &flags->options, e) < 0)
		return -1;
	if (flags->options.help) {
		options_help(&usage, stdout);
		return 1;
	}
	return read_all(flags, e);
}

void build_flags_release(struct build_flags *flags)
{
	struct list *const lists[] = {
		&flags->tags, &flags->outputs, &flags->annotations, &flags->warnings, &flags->args,
		&flags->labels, &flags->contexts, &flags->no_cache_filters, &flags->hosts,
		&flags->memory,
	};

	for (size_t i = 0; i < flags->build.secret_count; i++)
		secret_release(&flags->secret[i]);
	for (size_t i = 0; i < flags->build.ssh_count; i++)
		ssh_release(&flags->ssh[i]);
	for (size_t i = 0; i < flags->memory.count; i++)
		free((char *)flags->memory.item[i]);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		free(lists[i]->item);
	free(flags->arg);
	free(flags->named);
	free(flags->secret);
	free(flags->ssh);
	mask_release(&flags->mask);
	free(flags->ulimit);
	options_release(&flags->options);
}

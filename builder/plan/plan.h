/* The plan: what a Dockerfile asks for, as stages and steps, before anything is touched.
 *
 * Planning expands every variable, applies ONBUILD triggers, follows the image config through the
 * instructions, and leaves out what the target does not need. It opens no file and runs nothing;
 * the only thing it asks for from outside is the config of base images, through a callback. So
 * strings alone test it, and a plan can be printed.
 *
 * A step is an instruction that makes a layer: RUN, COPY, ADD, WORKDIR. Everything else changes the
 * config only, costs nothing, and is already done in stage->config.
 *
 * One struct plan owns all that can be reached from it; it borrows the struct dockerfile and the
 * bases. Source: language as BuildKit's frontend has it; Dockerfile reference.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/plan/mistake.h"
#include "layers/error.h"
#include "layers/image.h"
#include "parser/dockerfile.h"
#include "parser/mount.h"

#define NO_STAGE ((size_t)-1)

/* A file system that a step reads: another stage, or a context (folder, archive, URL). */
enum origin_kind { ORIGIN_CONTEXT, ORIGIN_STAGE };
struct origin {
	enum origin_kind kind;
	size_t stage;           /* ORIGIN_STAGE: index into plan->stage */
	const char *context;    /* ORIGIN_CONTEXT: the --build-context's name; NULL: the main one */
};

enum source_kind { SOURCE_PATH, SOURCE_DOCUMENT, SOURCE_URL, SOURCE_GIT };
struct copy_source {
	enum source_kind kind;
	const char *text;       /* expanded: a path or pattern, a URL, a here-document's name */
	const char *document;   /* SOURCE_DOCUMENT: its bytes, expanded when it wants that */
	size_t document_size;
};

/* COPY and ADD. */
struct copy_step {
	bool add;
	struct origin from;
	struct copy_source *source;
	size_t source_count;
	const char *destination; /* absolute, as typed: a trailing slash means a folder */
	const char *chown, *chmod, *checksum; /* expanded; NULL: no flag */
	const char *const *excludes;          /* COUNT patterns */
	size_t exclude_count;
	bool link, parents;
	enum choice keep_git_dir, unpack;
};

struct run_mount {
	struct mount mount;      /* as parsed; target is absolute here, id and modes defaulted */
	struct origin from;      /* bind, and cache with FROM */
	bool has_from;           /* cache: false when it starts empty */
};

struct run_step {
	const char *const *argv; /* shell form is wrapped by then; NULL-terminated */
	const char *shell_text;  /* the command as people wrote it, for messages */
	const char *const *env;  /* NULL-terminated: config's Env, then ARGs, PATH */
	const char *const *proxies; /* NULL-terminated: in the environment, not in the key */
	const char *cwd, *user;
	struct run_mount *mount;
	size_t mount_count;
	const char *script, *script_path; /* a "#!" here-document and where it is, or NULL */
	bool network_none, network_host, insecure;
};

struct workdir_step {
	const char *path;        /* absolute, clean */
	const char *user;        /* who owns what has to be made; "" is root */
};

enum step_kind { STEP_RUN, STEP_COPY, STEP_WORKDIR };
struct step {
	enum step_kind kind;
	const struct instruction *in; /* for line numbers; an ONBUILD trigger: the FROM's */
	const char *name;        /* "[stage 2/5] RUN make", for progress */
	const char *created_by;  /* for history */
	size_t stage, number;    /* where it is: stage index, and which step of it from 0 */
	bool no_cache;
	union {
		struct run_step run;
		struct copy_step copy;
		struct workdir_step workdir;
	};
};

struct history {
	const char *created_by;
	const char *author;      /* NULL: none */
	const struct step *step; /* whose layer it describes; NULL: empty layer */
};

/* A base image, as the callback found it; the plan borrows it. */
struct base {
	char *name;              /* canonical, with what it was resolved to */
	json_t *config;          /* the whole document */
	struct digest manifest;
	struct layer *layers;
	size_t layer_count;
	void *source;            /* the resolver's own: how to fetch the layers */
};

enum base_kind { BASE_SCRATCH, BASE_IMAGE, BASE_STAGE, BASE_CONTEXT };
struct stage {
	const char *name;        /* lower case; "stage-N" when it has none */
	bool named;
	const struct instruction *from; /* NULL: an image that only --from or a mount names */
	enum base_kind base_kind;
	const struct base *base; /* BASE_IMAGE */
	size_t base_stage;       /* BASE_STAGE */
	const char *base_context;/* BASE_CONTEXT: FROM a named context that is a folder */
	const char *platform;    /* "linux/amd64" */
	bool needed;             /* by the target; of the others only the fields above are filled */
	const char *from_name; /* "[stage 1/5] FROM alpine@...", for progress; NULL: no such line */
	struct step *step;
	size_t step_count;
	struct history *history; /* of this stage's own instructions, in order */
	size_t history_count;
	json_t *config;          /* the image config after the last instruction, owned; its rootfs
	                          * and history are the base's */
};

/* A finding of a build check. */
struct finding {
	const char *rule;        /* "JSONArgsRecommended" */
	const char *url;         /* "" when the rule has no page */
	const char *description;
	char *message;
	int first_line, last_line;
};

/* An ARG that the target's stages declare, or use in FROM. */
struct plan_arg {
	const char *name;
	const char *value;       /* as it is in this build; "" when it has none */
	const struct instruction *in;
};

struct plan {
	const struct dockerfile *file;
	struct stage *stage;
	size_t count;
	size_t target;           /* index */
	int64_t epoch;           /* SOURCE_DATE_EPOCH, or -1 */
	struct finding *finding;
	size_t finding_count;
	bool findings_fail;      /* check=error=true and there is one */
	struct plan_arg *arg;    /* by line; with checks_only */
	size_t arg_count;
	struct dockerfile **trigger; /* ONBUILD's, parsed */
	size_t trigger_count;
	struct arena *memory;
};

struct build_arg {
	const char *name, *value;
};

struct named_context {
	const char *name;
	const char *value;       /* as on the command line */
};

/* What SOURCE_DATE_EPOCH may name instead of a number. */
struct time_source {
	const char *context;     /* a --build-context; NULL: the main one */
	const char *place;       /* SOURCE_URL, SOURCE_GIT; NULL: it is the context */
	enum source_kind kind;
	const char *checksum;    /* that PLACE must have; NULL: any */
};

struct plan_options {
	const char *target;      /* NULL: the last stage */
	const char *platform;    /* the target's; NULL: this machine's */
	const struct build_arg *arg;
	size_t arg_count;
	const struct named_context *context;
	size_t context_count;
	const char *const *label;       /* "k=v", --label */
	size_t label_count;
	bool name_platform;      /* in step names: one of several builds at a time */
	bool no_cache;
	const char *const *no_cache_filter; /* stage names */
	size_t no_cache_filter_count;
	const char *network;     /* --network; NULL: default */
	bool allow_insecure, allow_network_host;
	/* Whether .dockerignore leaves PATH (a COPY source, without a slash in front) out for sure:
	 * it has no rule with '!'. For CopyIgnoredFile; may be NULL. */
	bool (*ignored)(void *context, const char *path);
	/* The base IMAGE (expanded, not canonical; or "oci-layout://...", as the --build-context
	 * has it) for PLATFORM; the result stays the callee's. May be NULL with checks_only: bases
	 * are then taken for images without a config, and variables that they may have are not
	 * missed. */
	int (*resolve)(void *context, const char *image, const char *platform,
	               const struct base **base, struct error *e);
	/* Called once before the first resolve, for each platform: these will be asked for, so that
	 * they can be looked for side by side. ONBUILD may bring more. May be NULL. */
	void (*expect)(void *context, const char *const *images, size_t count,
	               const char *platform);
	/* When what SOURCE names was changed last, in seconds; -1: nobody knows, as of a folder. May
	 * be NULL: of nothing, then. */
	int (*time_of)(void *context, const struct time_source *source, int64_t *seconds,
	               struct error *e);
	void *context_pointer;   /* first argument of them all */
	bool checks_only;        /* --check, --call: every stage when there is no target */
};

/* NULL and MISTAKES when FILE means nothing that can be built; those that it has by itself are
 * among them, and with such no base is asked for. With checks_only there may be a plan and
 * mistakes: the plan has the findings and nothing else. */
struct plan *plan_make(const struct dockerfile *file, const struct plan_options *options,
                       struct mistakes *mistakes);
void plan_free(struct plan *plan);

/* 0, or -1 and E when "# check=error=true" and there are findings, which it names: "lint violation
 * found for rules: JSONArgsRecommended, StageNameCasing". */
int plan_check_findings(const struct plan *plan, struct error *e);

/* A plan while it is made. Private to plan*.c and lint*.c, which tell one story in this order:
 *
 *     plan.c          what everybody sees: begin, end, what is asked of the others
 *     plan_epoch.c    SOURCE_DATE_EPOCH
 *     plan_stages.c   which stages there are, and on what
 *     plan_needs.c    which are needed; their base images, and what ONBUILD left in these
 *     plan_origin.c   what --from and the mounts' from= mean; named contexts
 *     plan_step.c     a stage from its base on; steps, their names; WORKDIR
 *     plan_config.c   the instructions that change the config only
 *     plan_run.c plan_copy.c   RUN; COPY and ADD
 *     plan_args.c     which ARGs the target takes
 *     lint.c          the build checks
 *
 * All of it works on one struct planner. Functions return 0, or -1 with p->e filled.
 */
#pragma once
#include "builder/plan/image_config.h"
#include "builder/plan/plan.h"
#include "builder/plan/variables.h"
#include "parser/arena.h"
#include "parser/expand.h"
#include "registry/platform.h"

/* One instruction of a stage: its own, or one that ONBUILD brought. */
struct clause {
	const struct instruction *in;
	const struct instruction *place; /* where people find it: a trigger is at the FROM */
	bool trigger;
	bool bad;                        /* a mistake that is told already: not performed */
	struct origin *origin;           /* COPY with --from: one; RUN: one for each mount */
	bool *has_origin;                /* likewise */
	size_t origin_count;
};

/* What is known of a stage beyond struct stage. */
struct draft {
	size_t stage;
	const char *image;               /* expanded: what FROM names */
	const struct instruction *place; /* FROM, or what first named the image */
	struct platform platform;
	bool platform_said;              /* by --platform */
	bool replaced;                   /* a named context stands in for it */
	struct clause *clause;
	size_t clause_count;

	struct variables env;            /* what a RUN of this moment sees */
	struct variables image_env;      /* the config's Env, which gets it at the end */
	struct variables args;           /* declared by ARG, in order */
	bool names_unknown;              /* no base config: any variable may exist */
	bool workdir_set;                /* in this file */
	const struct instruction *last_of[3]; /* CMD, ENTRYPOINT, HEALTHCHECK of this stage */
	size_t total, number;            /* what progress counts */
};

struct planner {
	const struct dockerfile *file;
	const struct plan_options *options;
	struct plan *plan;
	struct arena *memory;            /* the plan's */
	struct draft *draft;             /* one per stage of the plan */
	size_t named_count;              /* stages with a FROM; the others follow */
	struct names stage_names;        /* the last stage so far of each name, in lower case */
	struct names image_names;        /* stages without a FROM, by image */
	struct variables global;         /* ARGs before the first FROM, and automatic ones */
	struct variables build_args;     /* the last of each name */
	struct platform build, target;
	struct check check;
	struct mistakes *mistakes;       /* those that were survived */
	bool asks;                       /* for bases: not for what cannot be built anyway */
	struct mistake e;                /* why the last call failed */
	FILE *pieces;                    /* see plan_pieces */
	char *pieces_text;
	size_t pieces_size;
};

/* Say what is wrong and where; PLACE may be NULL. All return -1. */
int plan_fail(struct planner *p, const struct instruction *place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same about one WORD of C as it was typed, from its byte COLUMN on (0: the first). */
int plan_fail_at(struct planner *p, const struct clause *c, const char *word, int column,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same about something that is not there. It is not told when there are other mistakes: one of
 * them may be where it was to come from. C and WORD may be NULL. */
int plan_miss(struct planner *p, const struct clause *c, const char *word, int column,
              const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Add " (did you mean NEAR?)" to what was said; nothing when NEAR is NULL. Returns -1. */
int plan_hint(struct planner *p, const char *near);
int plan_no_memory(struct planner *p);

/* What a call returned: when it failed through a mistake in the file, keep that, so that planning
 * goes on and finds more. Returns 0 or, when there is no going on, -1. */
int plan_survive(struct planner *p, int result);

/* Text that lives as long as the plan; NULL when memory ran out, which E says then. */
const char *plan_text(struct planner *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
const char *plan_keep(struct planner *p, const char *text);
/* The same in pieces: a stream to write them to, empty, and then what was written. One text is
 * under way at a time; one that is given up needs nothing. NULL and p->e. */
FILE *plan_pieces(struct planner *p);
const char *plan_keep_pieces(struct planner *p);

/* The value of WORD in the stage D at its present moment. Undefined variables are reported. NULL
 * and p->e when it cannot be expanded. */
const char *plan_expand(struct planner *p, struct draft *d, const struct clause *c,
                        const char *word);

/* The same for what has its own expander (heredocs, EXPOSE, mounts): fill HOW, use it, and give it
 * up to the next. */
struct stage_names {
	struct planner *planner;
	struct draft *draft;
	const struct clause *clause;
	size_t findings_before;          /* one finding for each name of a word */
	bool silent;
};
void plan_expansion(struct planner *p, struct draft *d, const struct clause *c,
                    struct stage_names *names, struct expansion *how);
/* It did not work: what is WRONG with WORD of C. Returns -1. */
int plan_fail_expansion(struct planner *p, const struct clause *c, const char *word,
                        const struct syntax_error *wrong);

/* The ARG of IN outside of any planned stage: set it in INTO, to VALUE or else to its default, which
 * sees what is in INTO so far. */
int plan_plain_arg(struct planner *p, struct variables *into, const struct instruction *in,
                   const struct pair *arg, const char *value);

int plan_epoch(struct planner *p);

/* Stages: declare all; mark the needed ones, resolve bases and triggers. */
int plan_stages(struct planner *p);
int plan_needs(struct planner *p);
/* A stage without a FROM, for IMAGE; the same for the same image. NO_STAGE: no memory. */
size_t plan_image_stage(struct planner *p, const char *image, const struct instruction *place);
/* The last stage of the file called NAME, without regard to case; NO_STAGE: none. */
size_t plan_find_stage(const struct planner *p, const char *name);

/* What --from and from= of C name. */
int plan_origins(struct planner *p, struct clause *c);
/* The stage of the file that origin I of C is; NO_STAGE when it is something else, or none. */
size_t plan_origin_stage(const struct planner *p, const struct clause *c, size_t i);
/* No stage, needed or not, may depend on itself through --from and mounts. */
int plan_check_circles(struct planner *p);
/* A named context with its meaning; KIND is CONTEXT_NONE when NAME is none. */
enum context_kind { CONTEXT_NONE, CONTEXT_FILES, CONTEXT_IMAGE, CONTEXT_STAGE };
struct context_meaning {
	enum context_kind kind;
	const char *name;                /* as on the command line */
	const char *image; /* CONTEXT_IMAGE: for the resolver; CONTEXT_STAGE: its name */
};
int plan_context(struct planner *p, const char *name, const struct platform *platform,
                 struct context_meaning *meaning);

/* Perform the instructions of a needed stage, whose base is planned. */
int plan_stage(struct planner *p, size_t stage);
int plan_apply(struct planner *p, struct draft *d, const struct clause *c);
/* What must be right in a RUN even where nobody needs its stage. */
int plan_check_run(struct planner *p, const struct clause *c);
int plan_run(struct planner *p, struct draft *d, const struct clause *c);
int plan_copy(struct planner *p, struct draft *d, const struct clause *c);
/* What the source TEXT of an ADD is; never SOURCE_DOCUMENT. */
enum source_kind plan_source_kind(const char *text);
int plan_workdir(struct planner *p, struct draft *d, const struct clause *c);

/* A step of D, for which there is room; and its name: the TEXT that progress shows, with its number
 * in front. */
struct step *plan_step(struct planner *p, struct draft *d, const struct clause *c,
                       enum step_kind kind);
int plan_name_step(struct planner *p, struct draft *d, const struct clause *c, struct step *step,
                   const char *text);
/* CREATED_BY may be NULL: that memory ran out for it is told here. */
int plan_history(struct planner *p, struct draft *d, const char *created_by,
                 const struct step *step);

/* TEXT behind the SHELL in force; NULL and p->e when memory ran out. */
const char *const *plan_shell(struct planner *p, struct draft *d, const char *text, size_t *count);
/* PATH without "//", "." and, as far as its letters tell, ".."; relative when it was; "." when
 * nothing is left. NULL: no memory. Source: Go, path.Clean. */
const char *plan_clean(struct planner *p, const char *path);
/* The working folder of the moment, and PATH in it; both absolute and clean. */
const char *plan_cwd(struct planner *p, const struct draft *d);
const char *plan_below_cwd(struct planner *p, const struct draft *d, const char *path);

/* The list of ARGs for --call=outline. */
int plan_args(struct planner *p);

static inline struct stage *draft_stage(const struct planner *p, const struct draft *d)
{
	return &p->plan->stage[d->stage];
}

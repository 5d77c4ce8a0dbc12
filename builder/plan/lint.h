/* Build checks: what is allowed in a Dockerfile, and yet likely not meant.
 *
 * Each function looks at one thing and adds a finding to the plan when it is so, unless "# check=",
 * a comment above the instruction or --build-arg BUILDKIT_DOCKERFILE_CHECK silences the rule.
 * Findings are extras: where memory runs out for one, it is left out.
 *
 * Source: Dockerfile reference, "Build checks"; BuildKit, frontend/dockerfile/linter.
 */
#pragma once
#include "builder/plan/planner.h"
#include "builder/plan/ports.h"

/* Which rules are wanted. */
int lint_begin(struct planner *p);
/* What the text alone tells: names, letter case, comments, old-fashioned instructions. */
void lint_file(struct planner *p);
/* Sorts the findings by line, and sees whether they fail the build. */
void lint_end(struct planner *p);

/* FROM: IMAGE is what it means without --build-arg; MISSING are names nobody declared; VALUE is
 * what --platform means and FOUND the variables it used. */
void lint_default_image(struct planner *p, const struct instruction *in, const char *image);
void lint_from_names(struct planner *p, const struct instruction *in,
                     const struct variables *missing);
void lint_platform(struct planner *p, const struct instruction *in, const char *value,
                   const struct variables *found, const struct variables *missing);
void lint_base_platform(struct planner *p, const struct draft *d, const struct platform *have);

/* NAME has no value in KNOWN; once for each of the findings from FIRST on. */
void lint_undefined(struct planner *p, const struct clause *c, const char *name,
                    const struct variables *known, size_t first);

void lint_secret_name(struct planner *p, const struct clause *c, const char *keyword,
                      const char *name);
void lint_legacy_pairs(struct planner *p, const struct clause *c);
void lint_json_args(struct planner *p, const struct clause *c);
void lint_only_last(struct planner *p, const struct draft *d, const struct clause *c);
void lint_relative_workdir(struct planner *p, const struct clause *c, const char *path);
void lint_port(struct planner *p, const struct clause *c, const char *word,
               const struct port_range *range);
void lint_copy_ignored(struct planner *p, const struct clause *c, const char *path);

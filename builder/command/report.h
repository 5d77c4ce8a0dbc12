/* The report of a build: what people read when it is over, good or bad.
 *
 * The one line that says what went wrong is an error like all others and printed by main; this is
 * what stands around it.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

#include "builder/command/dockerfile_source.h"
#include "builder/plan/plan.h"

/* "------", " > [2/3] RUN make:", TAIL (lines; NULL: none), "------". */
void report_tail(FILE *out, const char *name, const char *tail);

/* Lines FIRST to LAST of SOURCE, marked, with their neighbours. Nothing when FIRST is 0. */
void report_place(FILE *out, const struct dockerfile_source *source, int first, int last);

/* The place of the one mistake, whose text is an error like others; several with their texts. */
void report_mistakes(FILE *out, const struct dockerfile_source *source,
                     const struct mistakes *mistakes);

/* " 2 warnings found (use --check to expand):", and each in one line. Nothing for none. */
void report_findings(FILE *out, const struct finding *finding, size_t count);

#include "builder/command/report.h"

#include <string.h>

#include "builder/plan/excerpt.h"
#include "builder/safe_text.h"

void report_tail(FILE *out, const char *name, const char *tail)
{
	if (tail)
		fprintf(out, "------\n > %s:\n%s------\n", name, tail);
}

void report_place(FILE *out, const struct dockerfile_source *source, int first, int last)
{
	if (first > 0 && source->text)
		excerpt_print(out, source->name, source->text, source->size, first, last);
}

void report_mistakes(FILE *out, const struct dockerfile_source *source,
                     const struct mistakes *mistakes)
{
	const struct mistake *first = mistakes->item;

	if (mistakes->count == 1)
		excerpt_point(out, source->name, source->text, source->size, &(struct excerpt){
			first->first_line, first->last_line, first->line, first->column });
	else if (mistakes->count > 1)
		mistakes_print(mistakes, out, source->name, source->text, source->size);
}

void report_findings(FILE *out, const struct finding *finding, size_t count)
{
	if (count == 0)
		return;
	fprintf(out, "\n %zu warning%s found (use --check to expand):\n", count,
	        count == 1 ? "" : "s");
	for (size_t i = 0; i < count; i++) {
		fprintf(out, " - %s: ", finding[i].rule);
		safe_text(out, finding[i].message, strlen(finding[i].message));
		if (finding[i].first_line > 0)
			fprintf(out, " (line %d)", finding[i].first_line);
		fputc('\n', out);
	}
}

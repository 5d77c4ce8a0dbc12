#include "builder/plan/mistake.h"

#include <string.h>

#include "builder/plan/excerpt.h"
#include "builder/safe_text.h"

void mistakes_add(struct mistakes *m, const struct mistake *mistake)
{
	size_t i = m->count;

	while (i > 0 && m->item[i - 1].first_line > mistake->first_line)
		i--;
	if (i > 0 && mistake->first_line > 0 &&
	    m->item[i - 1].first_line == mistake->first_line)
		return;
	if (m->count == MISTAKES_MAX) {
		m->unreported++;
		return;
	}
	memmove(&m->item[i + 1], &m->item[i], (m->count - i) * sizeof *m->item);
	m->item[i] = *mistake;
	m->count++;
}

void mistakes_add_syntax(struct mistakes *m, const struct dockerfile *file)
{
	for (size_t i = 0; i < file->error_count; i++) {
		const struct syntax_error *wrong = &file->error[i];
		struct mistake mistake = {
			.first_line = wrong->line,
			.last_line = wrong->last_line ? wrong->last_line : wrong->line,
			.line = wrong->column_line ? wrong->column_line : wrong->line,
			.column = wrong->column,
		};

		error_set(&mistake.error, ERROR_INPUT, "%s", wrong->text);
		if (wrong->line > 0)
			error_context(&mistake.error, "dockerfile parse error on line %d",
			              wrong->line);
		mistakes_add(m, &mistake);
	}
	m->unreported += file->unreported;
}

int mistakes_error(const struct mistakes *m, struct error *e)
{
	*e = m->item[0].error;
	if (m->count > 1) {
		size_t used = strlen(e->text);

		snprintf(e->text + used, sizeof e->text - used,
		         "\nThat is the first of %zu mistakes, all of them shown above.",
		         m->count + m->unreported);
	}
	return -1;
}

void mistakes_print(const struct mistakes *m, FILE *out, const char *name, const char *text,
                    size_t size)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct mistake *mistake = &m->item[i];

		if (i > 0)
			fputc('\n', out);
		safe_text(out, mistake->error.text, strlen(mistake->error.text));
		fputc('\n', out);
		excerpt_point(out, name, text, size, &(struct excerpt){
			mistake->first_line, mistake->last_line, mistake->line, mistake->column });
	}
	if (m->unreported > 0)
		fprintf(out, "\nand %zu more\n", m->unreported);
}

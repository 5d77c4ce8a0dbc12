/* Large Dockerfiles: planning costs what their length says (H297). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/plan/plan.h"

/* Room for sanitizers and slow machines; what grows with the square takes minutes. */
#define SECONDS_MAX 20

/* Plan FIRST, then COUNT times LINE with its number for '#' and that before it for '<', then LAST, as
 * --check does. WRONG is the first mistake; "": none.
 */
static void plan_file(const char *first, int count, const char *line, const char *last,
                      const char *wrong)
{
	const struct plan_options options = { .checks_only = true };
	struct mistakes mistakes;
	struct dockerfile *file;
	struct plan *plan;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	clock_t start;

	fputs(first, f);
	for (int i = 1; i <= count; i++)
		for (const char *p = line; *p; p++)
			if (*p == '#')
				fprintf(f, "%d", i);
			else if (*p == '<')
				fprintf(f, "%d", i - 1);
			else
				fputc(*p, f);
	fputs(last, f);
	fclose(f);
	start = clock();
	file = dockerfile_parse(text, size);
	plan = plan_make(file, &options, &mistakes);
	assert_true(clock() - start < SECONDS_MAX * CLOCKS_PER_SEC);
	assert_string_equal(mistakes.count > 0 ? mistakes.item[0].error.text : "", wrong);
	plan_free(plan);
	dockerfile_free(file);
	free(text);
}

static void stages_on_stages(void **state)
{
	plan_file("FROM scratch AS s0\n", 20000, "FROM s< AS s#\nCOPY --from=s< a /a#\n", "", "");
}

static void stages_that_read_others(void **state)
{
	plan_file("FROM scratch AS s0\n", 20000,
	          "FROM scratch AS s#\nRUN --mount=from=s<,target=/m a\n", "", "");
}

static void images_that_are_read(void **state)
{
	plan_file("FROM scratch\n", 20000, "COPY --from=image# a /a#\n", "", "");
}

static void variables(void **state)
{
	plan_file("FROM scratch\n", 50000, "ENV NAME#=value NEXT#=$NAME<\n", "", "");
}

/* H296 */
static void values_that_double(void **state)
{
	static const char wrong[] = "failed to process \"$A$A\": the value is too long: it grows by more than 1 MiB";

	plan_file("FROM scratch\nENV A=12345678\n", 40, "ENV A=$A$A\n", "", wrong);
	plan_file("ARG A=12345678\n", 40, "ARG A=$A$A\n", "FROM scratch\n", wrong);
}

static void arguments(void **state)
{
	plan_file("FROM scratch\n", 50000, "ARG NAME#=value\nLABEL l#=$NAME#\n", "", "");
}

static void steps(void **state)
{
	plan_file("FROM scratch\nARG A=1\n", 100000, "RUN make number# with $A\n", "", "");
}

static void ports_and_volumes(void **state)
{
	plan_file("FROM scratch\n", 50000, "EXPOSE #/tcp #/udp\nVOLUME /v#\n", "", "");
}

static void triggers(void **state)
{
	plan_file("FROM scratch AS a\n", 20000, "ONBUILD RUN make #\n", "FROM a\n", "");
}

static void what_grows_with_the_square_is_refused(void **state)
{
	char line[1200] = "ARG A#=";
	size_t size = strlen(line);

	memset(line + size, 'x', 1000);
	strcpy(line + size + 1000, "\nRUN make\n");
	plan_file("FROM scratch\n", 2000, line, "",
	          "the plan of this Dockerfile needs more than 512 MiB: every RUN has its own copy "
	          "of the ARGs before it, and every variable its whole value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_on_stages),
		cmocka_unit_test(stages_that_read_others),
		cmocka_unit_test(images_that_are_read),
		cmocka_unit_test(variables),
		cmocka_unit_test(values_that_double),
		cmocka_unit_test(arguments),
		cmocka_unit_test(steps),
		cmocka_unit_test(ports_and_volumes),
		cmocka_unit_test(triggers),
		cmocka_unit_test(what_grows_with_the_square_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

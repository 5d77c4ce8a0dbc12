/* Large Dockerfiles: planning costs what their length says. */
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
#define SECONDS_MAX 5

/* A file of FIRST, then COUNT times LINE with a number for each %d, planned as --check does. */
static struct plan *plan_of(const char *first, const char *line, int count)
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
	fclose(f);
	start = clock();
	file = dockerfile_parse(text, size);
	plan = plan_make(file, &options, &mistakes);
	assert_true(clock() - start < SECONDS_MAX * CLOCKS_PER_SEC);
	if (mistakes.count > 0)
		fail_msg("%s", mistakes.item[0].error.text);
	plan_free(plan);
	dockerfile_free(file);
	free(text);
	return plan;
}

static void stages_on_stages(void **state)
{
	assert_non_null(plan_of("FROM scratch AS s0\n", "FROM s< AS s#\nCOPY --from=s< a /a#\n",
	                        20000));
}

static void stages_that_read_others(void **state)
{
	assert_non_null(plan_of("FROM scratch AS s0\n", "FROM scratch AS s#\nRUN --mount=from=s<,target=/m a\n", 20000));
}

static void images_that_are_read(void **state)
{
	assert_non_null(plan_of("FROM scratch\n", "COPY --from=image# a /a#\n", 20000));
}

static void variables(void **state)
{
	assert_non_null(plan_of("FROM scratch\n", "ENV NAME#=value NEXT#=$NAME<\n", 50000));
}

static void arguments(void **state)
{
	assert_non_null(plan_of("FROM scratch\n", "ARG NAME#=value\nLABEL l#=$NAME#\n", 50000));
}

static void steps(void **state)
{
	assert_non_null(plan_of("FROM scratch\nARG A=1\n", "RUN make number# with $A\n", 100000));
}

static void ports_and_volumes(void **state)
{
	assert_non_null(plan_of("FROM scratch\n", "EXPOSE #/tcp #/udp\nVOLUME /v#\n", 50000));
}

static void triggers(void **state)
{
	assert_non_null(plan_of("FROM scratch\n", "ONBUILD RUN make #\n", 20000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_on_stages),
		cmocka_unit_test(stages_that_read_others),
		cmocka_unit_test(images_that_are_read),
		cmocka_unit_test(variables),
		cmocka_unit_test(arguments),
		cmocka_unit_test(steps),
		cmocka_unit_test(ports_and_volumes),
		cmocka_unit_test(triggers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <stdio.h>
#include <string.h>

#include "builder/command/command.h"
#include "builder/command/store_command.h"
#include "builder/image/fsck.h"
#include "builder/safe_text.h"

static void print_problem(void *context, const char *text)
{
	(void)context;
	safe_text(stdout, text, strlen(text));
	putchar('\n');
}

static int look_over(struct store *s, const struct options *o, struct error *e)
{
	struct fsck_wishes wishes = { .deep = options_switch(o, "deep", false),
		                      .repair = options_switch(o, "repair", false),
		                      .problem = print_problem };
	int problems = fsck(s, &wishes, e);

	if (problems < 0)
		return -1;
	if (problems > 0 && !wishes.repair)
		puts("Removed with --repair, or when it is used; what needs it makes it again.");
	printf("%s: %d problem%s\n", store_path(s), problems, problems == 1 ? "" : "s");
	return problems > 0;
}

int command_fsck(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "deep", 0, NULL, "Read every byte: blobs by their digests, trees by their layers" },
		{ "repair", 0, NULL, "Remove what is damaged, so that it is made again" },
		{ NULL },
	};
	static const struct usage usage = {
		.command = "fsck",
		.arguments = "[OPTIONS]",
		.about = "Look for damage in the store; the exit status is 1 when there is some",
		.rows = rows,
	};

	return store_command_with_rights(&usage, argc, argv, look_over, e);
}

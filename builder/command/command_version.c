#include "builder/command/command.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "builder/command/options.h"

int command_version(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = { { NULL } };
	static const struct usage usage = { "version", "", "Show the version of cairn", rows, 0, 0 };
	struct options o;
	struct utsname machine;

	if (options_parse(&usage, argc, argv, &o, e) < 0) {
		options_release(&o);
		return -1;
	}
	if (o.help) {
		options_help(&usage, stdout);
	} else {
		uname(&machine);
		printf("cairn version %s, %s on Linux %s\n", CAIRN_VERSION, machine.machine,
		       machine.release);
	}
	options_release(&o);
	return 0;
}

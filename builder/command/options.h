/* Options of a command line, as rows; shared by every command.
 *
 *     static const struct option_row rows[] = {
 *             { "quiet", 'q', NULL, "Print the id only" },
 *             { "tag", 't', "name", "Name of the image, may be repeated" },
 *             { NULL },
 *     };
 *     static const struct usage usage = { "build", "[OPTIONS] PATH | URL | -", "...", rows, 1, 1 };
 *
 * Options may stand before, between and after the arguments; "--" ends them; "-" is an argument.
 * `--name=value`, `--name value`, `-n value`, `-nvalue`, `-n=value`, and letters without a value
 * combined (`-aq`). A switch may be given a truth: `--quiet=false`. As docker's command line does.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "layers/error.h"

struct option_row {
	const char *name;  /* without "--"; NULL ends the rows */
	char letter;       /* without "-", or 0 */
	const char *value; /* what --help calls the value; NULL: a switch */
	const char *help;  /* NULL: understood, but not shown by --help */
};

#define ARGUMENTS_ANY ((size_t)-1)

struct usage {
	const char *command;   /* "image ls" */
	const char *arguments; /* "[OPTIONS] [REPOSITORY[:TAG]]" */
	const char *about;     /* a sentence */
	const struct option_row *rows;
	size_t at_least, at_most; /* how many arguments; ARGUMENTS_ANY: no end */
	const char *more;      /* lines below the options; NULL: none */
	bool options_first;       /* what follows an argument is an argument: another command's words */
};

/* One option as it was given; VALUE is "true" or "false" for a switch. */
struct option {
	const struct option_row *row;
	const char *value;
};

/* What was given, in order. The strings are lent by argv. */
struct options {
	struct option *given;
	size_t count;
	const char **arguments;
	size_t argument_count;
	bool help; /* --help or -h was there: nothing else was checked */
};

/* Parse ARGV, whose first element is the command's own name. ERROR_INPUT names what is not
 * understood, with the nearest option; O needs options_release in every case. */
int options_parse(const struct usage *u, int argc, char **argv, struct options *o,
                  struct error *e);
void options_release(struct options *o);

/* The last value of NAME, or NULL when it was not given. */
const char *options_value(const struct options *o, const char *name);

/* Is the switch NAME on? FALLBACK when it was not given. */
bool options_switch(const struct options *o, const char *name, bool fallback);

/* What TEXT says when it is "1", "t", "True", "0"..., into *TRUTH. False when it is no such thing. */
bool options_truth(const char *text, bool *truth);

/* The values of NAME one after the other: *AT begins at 0; NULL after the last. */
const char *options_next(const struct options *o, const char *name, size_t *at);

/* What --help says. */
void options_help(const struct usage *u, FILE *out);

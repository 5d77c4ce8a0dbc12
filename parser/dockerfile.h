/* Dockerfiles: from text to typed instructions.
 *
 * Pure: the text comes in memory, nothing is opened, asked or printed, and no variable is expanded.
 * Words are as written, quotes and all; expand.h turns one into its value when the instruction is
 * performed. Exceptions: JSON (exec) form is decoded, and flags have lost their quotes.
 *
 * One struct dockerfile owns everything that can be reached from it: strings, words, errors. Free
 * it once, after the last use of any of them. It does not keep the text it was parsed from.
 *
 * Threads: a dockerfile does not change after dockerfile_parse and may be shared.
 * Source: Dockerfile reference, and BuildKit's frontend where the reference is silent.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "parser/check.h"
#include "parser/syntax_error.h"

/* A hundred times the largest Dockerfile we have met; an endless input stops here. */
#define DOCKERFILE_SIZE_MAX (16 << 20)
/* What BuildKit accepts, without the line end; here-document lines included. */
#define DOCKERFILE_LINE_MAX 65535
/* After so many mistakes a file is not a Dockerfile, and nobody reads on. */
#define DOCKERFILE_ERRORS_MAX 20

enum keyword {
	KEYWORD_ADD, KEYWORD_ARG, KEYWORD_CMD, KEYWORD_COPY, KEYWORD_ENTRYPOINT, KEYWORD_ENV,
	KEYWORD_EXPOSE, KEYWORD_FROM, KEYWORD_HEALTHCHECK, KEYWORD_LABEL, KEYWORD_MAINTAINER,
	KEYWORD_ONBUILD, KEYWORD_RUN, KEYWORD_SHELL, KEYWORD_STOPSIGNAL, KEYWORD_USER,
	KEYWORD_VOLUME, KEYWORD_WORKDIR
};

struct words {
	const char **item;              /* item[count] is NULL; NULL when there are none */
	size_t count;
};

struct pair {
	const char *name;
	const char *value;              /* NULL: ARG declared the name only */
};

struct pairs {
	struct pair *item;
	size_t count;
	bool legacy;                    /* ENV or LABEL in the form "name rest of line" */
};

/* A here-document. BODY is what a reader of it gets; CONTENT is what stands in the file, needed
 * where the whole is handed on to be parsed again. They differ for <<- only: BODY has lost the tabs
 * at the start of its lines.
 */
struct heredoc {
	const char *name;               /* quotes removed */
	const char *content;            /* lines with their ends, without the closing line */
	const char *body;
	int descriptor;                 /* the number before <<; 0 when there is none */
	int first_line;                 /* of the body */
	bool expand;                    /* no part of the name was quoted */
	bool chomp;                     /* <<- */
};

struct heredocs {
	struct heredoc *item;
	size_t count;
};

/* A command in shell form (TEXT) or in exec form (WORDS, perhaps none). */
struct command {
	bool exec;
	const char *text;               /* "" when nothing was written; NULL in exec form */
	struct words words;
};

struct from {
	const char *image;
	const char *platform;           /* NULL: no flag, or an empty one */
	const char *name;               /* checked, in lower case. NULL: none */
	const char *typed_name;         /* the same as typed */
	const char *as;                 /* how AS was spelled; NULL without a name */
};

struct run {
	struct command command;         /* its text has the openers (<<EOF) still in it */
	struct words mounts;            /* values of --mount, for mount_parse */
	const char *network;            /* NULL: no flag. Not checked against what exists */
	const char *security;           /* likewise */
	struct words devices;

	/* With here-documents: what the shell is given instead of command.text, which is the one
	 * body where nothing else stands in the line, else the line and all bodies put together
	 * again. NULL without them. When SCRIPT_IS_PROGRAM it starts with "#!" and is not for the
	 * shell: it is the content of an executable file named instruction.heredocs.item[0].name.
	 */
	const char *script;
	bool script_is_program;
};

struct source {
	const char *word;               /* of a here-document: its opener as typed */
	const struct heredoc *heredoc;  /* NULL: a path, pattern or URL */
};

enum choice { CHOICE_NOT_MADE, CHOICE_NO, CHOICE_YES };

/* COPY and ADD; a flag that only one of them knows is unset in the other. */
struct copy {
	struct source *source;
	size_t source_count;
	const char *destination;
	const char *from, *chown, *chmod, *checksum;    /* NULL: no flag, or an empty one */
	struct words excludes;
	bool link, parents;
	enum choice keep_git_dir, unpack;
};

struct healthcheck {
	struct words test;              /* as in images: NONE; CMD, words; CMD-SHELL, text */
	int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;   /* 0: not given */
	int retries;                    /* 0: not given */
};

/* Where a line that continues another begins in the logical line; see place.h. */
struct joint {
	size_t offset;
	int line;
};

struct instruction {
	enum keyword keyword;
	const char *name;               /* the keyword as typed */
	int first_line, last_line;      /* from 1; the last one closes the last here-document */
	int column;                     /* of the keyword in its line, in bytes from 1 */
	const char *text;               /* the logical line: joined, trimmed, no bodies */
	const char *rest;               /* the part of TEXT after keyword and flags; maybe "" */
	struct words flags;             /* as "--name=value", in order, quotes removed */
	struct heredocs heredocs;
	struct words comments;          /* the lines above it, without # and outer blanks */
	const struct joint *joint;      /* by offset */
	size_t joint_count;
	struct check check;             /* of a comment "check=skip=..."; else empty */
	int empty_line;                 /* first blank line within a continuation; 0: none */
	union {
		struct from from;
		struct run run;
		struct command command;         /* CMD ENTRYPOINT */
		struct words words;             /* EXPOSE VOLUME; SHELL, decoded */
		struct copy copy;               /* COPY ADD */
		struct pairs pairs;             /* ENV LABEL ARG */
		struct healthcheck healthcheck;
		const char *argument;           /* USER WORKDIR STOPSIGNAL MAINTAINER: the rest */
		const char *trigger;            /* ONBUILD: see dockerfile_parse_trigger */
	};
};

struct dockerfile {
	struct instruction *instruction;        /* the good ones, in order */
	size_t count;
	char escape;                            /* '\\' or '`' */
	int escape_line;                        /* of # escape=; 0: none. Likewise below */
	const char *syntax;                     /* value of # syntax=, NULL: none */
	int syntax_line;
	const char *check_text;                 /* value of # check=, NULL: none */
	int check_line;
	struct check check;                     /* the same, taken apart */

	/* Mistakes by line; none means the file is good. Parsing goes on after a bad instruction,
	 * so that independent mistakes come together; UNREPORTED more were met beyond the limit.
	 */
	struct syntax_error *error;             /* at most DOCKERFILE_ERRORS_MAX */
	size_t error_count, unreported;

	struct arena *memory;
};

/* Parse the SIZE bytes of TEXT. The result has at least one instruction FROM, or errors, whose text
 * is BuildKit's, without its "dockerfile parse error on line N: ". Returns NULL only when memory
 * ran out.
 */
struct dockerfile *dockerfile_parse(const char *text, size_t size);

/* Parse what ONBUILD stored, in this file or in an image's configuration: exactly one instruction,
 * not FROM, ONBUILD or MAINTAINER, or errors, with lines counted in TEXT. Escapes are backslashes
 * whatever the file it came from said.
 */
struct dockerfile *dockerfile_parse_trigger(const char *text);

/* Free D and all that it owns. D may be NULL. */
void dockerfile_free(struct dockerfile *d);

/* The keyword in upper case. */
const char *keyword_name(enum keyword keyword);

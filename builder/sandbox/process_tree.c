#include "builder/sandbox/process_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"

/* Of a command line: what is read, so that no secret is cut in two, and what is shown. */
#define READ_MAX (256 << 10)
#define SHOWN_MAX 200
#define LINES_MAX 50

/* A file of procfs tells no size. Returns the bytes read, at most SIZE - 1, and adds a NUL. */
static size_t read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t used = 0;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	return used;
}

static struct process *new_process(struct process_tree *tree)
{
	if (tree->count == tree->capacity) {
		size_t capacity = tree->capacity ? 2 * tree->capacity : 64;
		struct process *grown = reallocarray(tree->item, capacity, sizeof *grown);

		if (!grown)
			return NULL;
		tree->item = grown;
		tree->capacity = capacity;
	}
	return &tree->item[tree->count++];
}

/* "PID (NAME) STATE PARENT ...": a name may hold anything, so its end is the last parenthesis. */
static bool read_stat(struct process *p, pid_t pid)
{
	char text[512], *name, *end;

	if (read_file(pid, "stat", text, sizeof text) == 0)
		return false;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	*p = (struct process){ .outer = pid };
	if (!name || !end || sscanf(end + 1, " %c %d", &p->state, &p->outer_parent) != 2)
		return false;
	snprintf(p->name, sizeof p->name, "%.*s", (int)(end - name - 1), name + 1);
	return true;
}

/* Every process that /proc shows, in no order. */
static void read_all(struct process_tree *all)
{
	DIR *proc = opendir("/proc");

	if (!proc)
		return;
	for (struct dirent *entry; (entry = readdir(proc));) {
		struct process p, *place;

		if (!isdigit((unsigned char)entry->d_name[0]) || !read_stat(&p, atoi(entry->d_name)))
			continue;
		place = new_process(all);
		if (place)
			*place = p;
	}
	closedir(proc);
}

static pid_t inner_pid(pid_t outer)
{
	char text[4096];
	const char *line, *last = NULL;

	read_file(outer, "status", text, sizeof text);
	line = strstr(text, "\nNSpid:");
	for (const char *p = line ? line + 7 : ""; *p && *p != '\n'; p++)
		if (isdigit((unsigned char)*p) && !isdigit((unsigned char)p[-1]))
			last = p;
	return last ? atoi(last) : 0;
}

/* The children of PARENT, each followed by its own. */
static void take_children(struct process_tree *tree, const struct process_tree *all, pid_t outer,
                          pid_t inner, unsigned depth)
{
	for (size_t i = 0; i < all->count; i++) {
		struct process *p;
		pid_t pid;

		if (all->item[i].outer_parent != outer || !(p = new_process(tree)))
			continue;
		*p = all->item[i];
		p->pid = pid = inner_pid(p->outer);
		p->parent = inner;
		p->depth = depth;
		/* What is read at different moments may seem to be its own ancestor. */
		if (tree->count < all->count)
			take_children(tree, all, all->item[i].outer, pid, depth + 1);
	}
}

void process_tree_read(struct process_tree *tree, pid_t first)
{
	struct process_tree all = { 0 };

	*tree = (struct process_tree){ 0 };
	read_all(&all);
	take_children(tree, &all, first, 1, 0);
	free(all.item);
}

void process_tree_release(struct process_tree *tree)
{
	free(tree->item);
	*tree = (struct process_tree){ 0 };
}

static void print_command_line(const struct process *p, const struct mask *mask, char *text,
                               FILE *out)
{
	size_t size = read_file(p->outer, "cmdline", text, READ_MAX);

	while (size > 0 && text[size - 1] == '\0')
		size--;
	for (size_t i = 0; i < size; i++)
		if (text[i] == '\0' || isspace((unsigned char)text[i]))
			text[i] = ' ';
	size = mask_text(mask, text, size);
	if (size == 0)
		fprintf(out, "[%s]", p->name);
	else
		fwrite(text, 1, size < SHOWN_MAX ? size : SHOWN_MAX, out);
	fputs(size > SHOWN_MAX ? "...\n" : "\n", out);
}

void process_tree_print(const struct process_tree *tree, const struct mask *mask, FILE *out)
{
	auto_free char *text = malloc(READ_MAX);

	if (!text)
		return;
	fprintf(out, "%5s %5s S COMMAND\n", "PID", "PPID");
	for (size_t i = 0; i < tree->count && i < LINES_MAX; i++) {
		const struct process *p = &tree->item[i];

		fprintf(out, "%5d %5d %c %*s", p->pid, p->parent, p->state, (int)(2 * p->depth), "");
		print_command_line(p, mask, text, out);
	}
	if (tree->count > LINES_MAX)
		fprintf(out, "and %zu more\n", tree->count - LINES_MAX);
}

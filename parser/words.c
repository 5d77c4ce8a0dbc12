#include "parser/words.h"

#include <string.h>

#define BLANKS "\t\v\f\r "

int words_add(struct arena *a, struct words *words, const char *item)
{
	size_t n = words->count + 1;

	if ((n & (n - 1)) == 0) {               /* room for 2^k - 1 words and NULL is used up */
		const char **grown = arena_array(a, 2 * n, sizeof *grown);

		if (!grown)
			return -1;
		if (words->count)
			memcpy(grown, words->item, words->count * sizeof *grown);
		words->item = grown;
	}
	words->item[words->count++] = item;
	words->item[words->count] = NULL;
	return 0;
}

static int add_slice(struct arena *a, struct words *words, const char *at, const char *end)
{
	const char *item = arena_text(a, at, end - at);

	return item ? words_add(a, words, item) : -1;
}

const char *words_blank(const char *text)
{
	return text + strcspn(text, BLANKS);
}

const char *words_past_blanks(const char *text)
{
	return text + strspn(text, BLANKS);
}

int words_split(struct arena *a, const char *text, struct words *words)
{
	const char *end;

	for (; *text; text = words_past_blanks(end)) {
		end = words_blank(text);
		if (add_slice(a, words, text, end) < 0)
			return -1;
	}
	return 0;
}

/* Where the word at AT ends: at a blank outside quotes or at END. */
static const char *quoted_end(const char *at, const char *end, char escape)
{
	char quote = 0;

	for (; at < end; at++) {
		if (!quote && text_blank(at, end))
			return at;
		if (*at == escape && quote != '\'' && at + 1 < end)
			at++;
		else if (quote ? *at == quote : *at == '\'' || *at == '"')
			quote = quote ? 0 : *at;
	}
	return end;
}

/* Whether the last character of the word AT..END is an escape that escapes nothing. */
static bool ends_in_escape(const char *at, const char *end, char escape)
{
	size_t n = 0;

	while (end > at && end[-1] == escape) {
		end--;
		n++;
	}
	return n % 2;
}

int words_split_quoted(struct arena *a, const char *text, char escape, struct words *words)
{
	struct slice left = text_trim_left((struct slice){ text, text + strlen(text) });

	while (left.at < left.end) {
		const char *at = left.at, *end = quoted_end(at, left.end, escape);

		left = text_trim_left((struct slice){ end, left.end });
		if (end == left.end && ends_in_escape(at, end, escape))
			end--;
		if (end > at && add_slice(a, words, at, end) < 0)
			return -1;
	}
	return 0;
}

/* Copy the flag at AT without its quotes and escapes to *OUT, with a NUL behind it, or nowhere when
 * OUT is NULL. Returns where it ends.
 */
static const char *unquote_flag(const char *at, const char *end, char escape, char **out)
{
	char quote = 0, unused[1], *o = out ? *out : unused;

	for (; at < end && (quote || !text_blank(at, end)); at++) {
		if (*at == escape) {
			if (++at == end)
				break;
		} else if (quote ? *at == quote : *at == '\'' || *at == '"') {
			quote = quote ? 0 : *at;
			continue;
		}
		*o = *at;
		o += out != NULL;
	}
	*o++ = '\0';
	if (out)
		*out = o;
	return at;
}

const char *words_flag(const char *text, char escape, size_t n)
{
	struct slice left = text_trim_left((struct slice){ text, text + strlen(text) });

	while (n-- > 0) {
		left.at = unquote_flag(left.at, left.end, escape, NULL);
		left = text_trim_left(left);
	}
	return left.at;
}

const char *words_split_flags(struct arena *a, const char *text, char escape, struct words *flags)
{
	struct slice left = text_trim_left((struct slice){ text, text + strlen(text) });
	char *out = NULL;

	while (left.end - left.at >= 2 && memcmp(left.at, "--", 2) == 0) {
		const char *flag;

		if (!out)
			out = arena_text(a, left.at, left.end - left.at + 1);
		if (!out)
			return NULL;
		flag = out;
		left.at = unquote_flag(left.at, left.end, escape, &out);
		left = text_trim_left(left);
		if (strcmp(flag, "--") == 0)
			break;
		if (words_add(a, flags, flag) < 0)
			return NULL;
	}
	return left.at;
}

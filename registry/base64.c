#include "registry/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t size)
{
	const unsigned char *in = data;
	char *text = malloc((size + 2) / 3 * 4 + 1), *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
		                (left > 2 ? in[i + 2] : 0);

		*out++ = digits[bits >> 18];
		*out++ = digits[bits >> 12 & 63];
		*out++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[bits & 63] : '=';
	}
	*out = '\0';
	return text;
}

char *base64_decode(const char *text, size_t *size)
{
	size_t length = strlen(text), count = 0;
	char *data = malloc(length / 4 * 3 + 4), *out = data;
	uint32_t bits = 0;

	if (!data)
		return NULL;
	for (; *text && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (strchr("\r\n \t", *text))
			continue;
		if (!digit) {
			free(data);
			return NULL;
		}
		bits = bits << 6 | (uint32_t)(digit - digits);
		if (++count % 4 == 0) {
			*out++ = (char)(bits >> 16);
			*out++ = (char)(bits >> 8);
			*out++ = (char)bits;
		}
	}
	if (text[strspn(text, "=\r\n \t")] != '\0' || count % 4 == 1) {
		free(data);
		return NULL;
	}
	if (count % 4 >= 2)
		*out++ = (char)(count % 4 == 2 ? bits >> 4 : bits >> 10);
	if (count % 4 == 3)
		*out++ = (char)(bits >> 2);
	*out = '\0';
	*size = (size_t)(out - data);
	return data;
}

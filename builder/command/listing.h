/* Listings: rows of fields, printed as docker's commands print them.
 *
 * FORMAT is what --format was given, or NULL: "json" (a document per row), "table TEMPLATE" (aligned,
 * with headings), or a template for each row. In it "\t" and "\n" stand for what they name.
 */
#pragma once
#include <stdio.h>

#include "layers/json.h"

/* ROWS is an array of objects, HEADINGS an object with a heading for each of their fields, USUAL
 * the "table ..." for when FORMAT is NULL. */
int listing_print(const json_t *rows, const json_t *headings, const char *format,
                  const char *usual, FILE *out, struct error *e);

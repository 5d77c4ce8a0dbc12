/* Go templates, as far as --format uses them: over a JSON value.
 *
 *     {{.Config.Env}} {{json .Config}} {{.ID | upper}} {{index .Config.Labels "a.b"}}
 *     {{range .RepoTags}}{{println .}}{{end}} {{if .Os}}...{{else}}...{{end}} {{len .RepoTags}}
 *     {{join .Config.Cmd " "}} {{slice .Id 7 19}} {{- trimmed -}}
 *
 * Values print as Go's %v does; what is not there prints "<no value>".
 * Source: Go, package text/template; docker, "Format command and log output".
 */
#pragma once
#include <stdio.h>

#include "layers/json.h"

/* ERROR_INPUT says what of TEMPLATE is not understood. */
int template_write(const char *template, const json_t *value, FILE *out, struct error *e);

/* What -o, --push, --load, --annotation ask for, as values: no file is touched here.
 *
 *     -o DIR                          the root filesystem as a folder
 *     -o -                            the root filesystem as a tar, to standard output
 *     -o type=oci,dest=x.tar,name=a   CSV: a field with a comma in it stands in double quotes
 *
 * Source: BuildKit README, "Output"; buildx build, --output.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/compress.h"
#include "layers/error.h"

enum output_kind {
	OUTPUT_IMAGE,     /* named in the store */
	OUTPUT_REGISTRY,  /* the same and pushed */
	OUTPUT_OCI,
	OUTPUT_DOCKER,
	OUTPUT_LOCAL,
	OUTPUT_TAR,
	OUTPUT_CACHEONLY,
};

enum annotation_level { ANNOTATE_MANIFEST, ANNOTATE_MANIFEST_DESCRIPTOR, ANNOTATE_INDEX,
	                ANNOTATE_INDEX_DESCRIPTOR };

struct annotation {
	enum annotation_level level;
	char *platform;  /* "linux/arm64", or NULL for all */
	char *key, *value;
};

struct output_spec {
	enum output_kind kind;
	char *dest;              /* "-" is standard output; NULL when none is given */
	char **name;             /* as written */
	size_t name_count;
	bool names_from_build;   /* name=*: those of the build too */
	bool archive;            /* false: tar=false, a folder */
	bool push, push_by_digest, store;
	bool split, split_given; /* platform-split */
	enum compression compression;
	int level;               /* -1: the default */
	bool force_compression;  /* also of layers that came compressed in another way */
	bool oci_types;          /* false: Docker's media types */
	bool rewrite_timestamp;
	bool mirror;             /* mode=delete: what is not in the image goes away */
	int64_t epoch;           /* source-date-epoch, or -1 */
	struct annotation *annotation;
	size_t annotation_count;
};

/* The value of one -o. SPEC needs output_spec_release in every case. */
int output_spec_parse(const char *text, struct output_spec *spec, struct error *e);
void output_spec_release(struct output_spec *spec);

/* What an output is without a word said: an OCI image with gzip layers. */
void output_spec_init(struct output_spec *spec, enum output_kind kind);

/* "[level[platform],...:]key=value", the value of --annotation, added to SPEC. */
int output_spec_annotate(struct output_spec *spec, const char *text, struct error *e);

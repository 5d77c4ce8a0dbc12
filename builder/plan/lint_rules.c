#include "builder/plan/lint_rules.h"

#define PAGE(name) "https://docs.docker.com/go/dockerfile/rule/" name "/"

const struct rule_row lint_rules[] = {
	[STAGE_NAME_CASING] = {
		"StageNameCasing", PAGE("stage-name-casing"),
		"Stage names should be lowercase",
	},
	[FROM_AS_CASING] = {
		"FromAsCasing", PAGE("from-as-casing"),
		"The 'as' keyword should match the case of the 'from' keyword",
	},
	[NO_EMPTY_CONTINUATION] = {
		"NoEmptyContinuation", PAGE("no-empty-continuation"),
		"Empty continuation lines will become errors in a future release",
	},
	[CONSISTENT_INSTRUCTION_CASING] = {
		"ConsistentInstructionCasing", PAGE("consistent-instruction-casing"),
		"All commands within the Dockerfile should use the same casing (either upper or "
		"lower)",
	},
	[DUPLICATE_STAGE_NAME] = {
		"DuplicateStageName", PAGE("duplicate-stage-name"),
		"Stage names should be unique",
	},
	[RESERVED_STAGE_NAME] = {
		"ReservedStageName", PAGE("reserved-stage-name"),
		"Reserved words should not be used as stage names",
	},
	[JSON_ARGS_RECOMMENDED] = {
		"JSONArgsRecommended", PAGE("json-args-recommended"),
		"JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior "
		"related to OS signals",
	},
	[MAINTAINER_DEPRECATED] = {
		"MaintainerDeprecated", PAGE("maintainer-deprecated"),
		"The MAINTAINER instruction is deprecated, use a label instead to define an "
		"image author",
	},
	[UNDEFINED_ARG_IN_FROM] = {
		"UndefinedArgInFrom", PAGE("undefined-arg-in-from"),
		"FROM command must use declared ARGs",
	},
	[WORKDIR_RELATIVE_PATH] = {
		"WorkdirRelativePath", PAGE("workdir-relative-path"),
		"Relative workdir without an absolute workdir declared within the build can "
		"have unexpected results if the base image changes",
	},
	[UNDEFINED_VAR] = {
		"UndefinedVar", PAGE("undefined-var"),
		"Variables should be defined before their use",
	},
	[MULTIPLE_INSTRUCTIONS_DISALLOWED] = {
		"MultipleInstructionsDisallowed", PAGE("multiple-instructions-disallowed"),
		"Multiple instructions of the same type should not be used in the same stage",
	},
	[LEGACY_KEY_VALUE_FORMAT] = {
		"LegacyKeyValueFormat", PAGE("legacy-key-value-format"),
		"Legacy key/value format with whitespace separator should not be used",
	},
	[INVALID_BASE_IMAGE_PLATFORM] = {
		"InvalidBaseImagePlatform", "",
		"Base image platform does not match expected target platform",
	},
	[REDUNDANT_TARGET_PLATFORM] = {
		"RedundantTargetPlatform", PAGE("redundant-target-platform"),
		"Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is "
		"the default behavior",
	},
	[SECRETS_USED_IN_ARG_OR_ENV] = {
		"SecretsUsedInArgOrEnv", PAGE("secrets-used-in-arg-or-env"),
		"Sensitive data should not be used in the ARG or ENV commands",
	},
	[INVALID_DEFAULT_ARG_IN_FROM] = {
		"InvalidDefaultArgInFrom", PAGE("invalid-default-arg-in-from"),
		"Default value for global ARG results in an empty or invalid base image name",
	},
	[FROM_PLATFORM_FLAG_CONST_DISALLOWED] = {
		"FromPlatformFlagConstDisallowed", PAGE("from-platform-flag-const-disallowed"),
		"FROM --platform flag should not use a constant value",
	},
	[COPY_IGNORED_FILE] = {
		"CopyIgnoredFile", PAGE("copy-ignored-file"),
		"Attempting to Copy file that is excluded by .dockerignore",
	},
	[INVALID_DEFINITION_DESCRIPTION] = {
		"InvalidDefinitionDescription", PAGE("invalid-definition-description"),
		"Comment for build stage or argument should follow the format: `# <arg/stage "
		"name> <description>`. If this is not intended to be a description comment, add "
		"an empty line or comment between the instruction and the comment.",
		.experimental = true,
	},
	[EXPOSE_PROTO_CASING] = {
		"ExposeProtoCasing", PAGE("expose-proto-casing"),
		"Protocol in EXPOSE instruction should be lowercase",
	},
	[EXPOSE_INVALID_FORMAT] = {
		"ExposeInvalidFormat", PAGE("expose-invalid-format"),
		"IP address and host-port mapping should not be used in EXPOSE instruction. "
		"This will become an error in a future release",
	},
};

# cairn: make, make check, make asan, make demo, make fuzz, make install PREFIX=, make clean
#
# One archive per room; a test links only the rooms its own room may know, so a call in the
# wrong direction does not link. OUT= chooses where everything that is built goes.

OUT      ?= out
PREFIX   ?= /usr/local
CFLAGS   ?= -O2 -g
SANITIZE ?=
MAKEFLAGS += --jobs=$(shell nproc)

# Whoever hands a format on says so, or what his callers write would not be looked at (H302).
WARN     := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla \
            -Werror=format-security -Wmissing-format-attribute -Wno-missing-field-initializers
# At a fixed address, as the helper is: of a position-independent program the linked-in libraries have
# 22,000 pointers on 110 pages to relocate at each start, a third of the time of a build with nothing
# to do. Stack, heap and mappings stay where nobody knows, and the linker's tables are sealed.
FIXED    := -fno-pie
SEALED    = -no-pie -Wl,-z,relro,-z,now
OURS     := $(FIXED) -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -MMD -MP -pthread \
            -fno-strict-aliasing -ffunction-sections -fdata-sections -fstack-protector-strong $(WARN)
COMPILE   = $(CC) $(OURS) $(SANITIZE) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

# Everything is linked in: a build with nothing to do is over before a dynamic linker has resolved thirty
# libraries (6 ms) or the C library alone (1.5 ms), and the program runs where there is none, or another
# one. Debian builds libcurl for a dozen protocols; cairn speaks HTTP only and says so to libcurl, so
# what the others need (Kerberos, LDAP, RTMP, SSH) stays away: absent.ld gives those names to
# transfer_absent.
LIBRARIES = $(OUT)/absent.ld -Wl,-Bstatic -lcurl -lnghttp2 -lpsl -lidn2 -lunistring -lbrotlidec -lbrotlicommon \
            -lssl -lcrypto -ljansson -ldeflate -lbz2 -llzma -lz -lzstd
# What a test loads or preloads needs the C library as it is loaded, and so does a sanitizer.
LIBS      = $(LIBRARIES) -Wl,-Bdynamic -lpthread -ldl
# The linker warns of what the C library would load to look names up, which it is told not to
# (registry/transfer.c, builder/sandbox/user_namespace.c), and OpenSSL to have engines. One that cannot be
# told to be silent (before binutils 2.40) warns.
SILENT   := $(shell ld --help 2>/dev/null | grep -o -m 1 -e --no-warnings)
WHOLE     = $(if $(SANITIZE),$(LIBS),-static $(SILENT:%=-Wl,%) $(LIBRARIES))
LINK      = @echo "  LINK  $@"; mkdir -p $(@D); $(CC) $(SANITIZE) $(CFLAGS) $(LDFLAGS) $(SEALED) -pthread -Wl,--gc-sections \
            -Wl,--exclude-libs,ALL -o $@ $(filter %.o %.a,$^)

PACKAGES := gcc make pkg-config libssl-dev libcurl4-openssl-dev libnghttp2-dev libpsl-dev libidn2-dev \
            libunistring-dev libbrotli-dev libjansson-dev \
            zlib1g-dev libbz2-dev liblzma-dev libdeflate-dev libzstd-dev libseccomp-dev libcmocka-dev
TESTING  := clang libclang-rt-dev procps docker-registry busybox-static zstd xz-utils bzip2 python3 skopeo umoci podman runc \
            jq attr uidmap slirp4netns passt strace git apache2-utils openssl curl time

ROOMS    := parser layers registry builder
FLOORS_builder := $(addprefix builder/,plan build copy sandbox image progress command)
object    = $(patsubst %.c,$(OUT)/%.o,$(sort $(wildcard $(1:%=%/*.c))))
INSIDE   := $(call object,builder/inside)
FILTER   := $(call object,builder/filter)
PROGRAM  := $(if $(filter out,$(OUT)),cairn,$(OUT)/cairn)

all: $(PROGRAM)

$(PROGRAM): $(OUT)/builder/main.o $(OUT)/builder.a $(OUT)/registry.a $(OUT)/layers.a $(OUT)/parser.a
	$(LINK) $(WHOLE)

.SECONDEXPANSION:
$(ROOMS:%=$(OUT)/%.a): $(OUT)/%.a: $$(filter-out $(OUT)/builder/main.o,$$(call object,$$* $$(FLOORS_$$*)))
	@rm -f $@
	@echo "  AR    $@"
	@$(AR) rcs $@ $^

$(OUT)/%.o: %.c | packages
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(COMPILE)

$(OUT)/absent.ld: $(OUT)/packages.stamp
	@nm -u $$($(CC) -print-file-name=libcurl.a) 2>/dev/null | \
	 sed -nE 's/^ +U ((gss|GSS|ldap|ber|RTMP|libssh2)_.*)/PROVIDE(\1 = transfer_absent);/p' | sort -u >$@

# The helper that becomes a RUN's first process: a static program of its own without a C library,
# carried as bytes in helper.o.
$(OUT)/inside: $(INSIDE)
	@echo "  LINK  $@"
	@$(CC) -static -nostdlib -Wl,--gc-sections,--build-id=none,-z,noseparate-code,-z,max-page-size=4096 -s -o $@ \
	        $(filter %.o,$^)
$(INSIDE): override SANITIZE :=
$(INSIDE): OURS += -ffreestanding -fno-stack-protector -fno-tree-loop-distribute-patterns -fno-pic
$(OUT)/builder/sandbox/helper.o: OURS += -DHELPER='"$(OUT)/inside"'
$(OUT)/builder/sandbox/helper.o: $(OUT)/inside

# The system call filter of RUN, written by a program of its own and carried as bytes in seccomp.o.
$(FILTER) $(OUT)/filter: override SANITIZE :=
$(OUT)/filter: $(FILTER)
	$(LINK) -lseccomp
$(OUT)/filter.bpf: $(OUT)/filter
	@$< >$@.new && mv $@.new $@
$(OUT)/builder/sandbox/seccomp.o: OURS += -DFILTER='"$(OUT)/filter.bpf"'
$(OUT)/builder/sandbox/seccomp.o: $(OUT)/filter.bpf

# --- tests ------------------------------------------------------------------------------------

# cmocka hands every test a state that most do not need.
$(OUT)/tests/%.o: OURS += -Wno-unused-parameter

UNIT     := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(sort $(wildcard tests/unit/*.c)))
PARSER_A   := $(OUT)/parser.a
LAYERS_A   := $(OUT)/layers.a
REGISTRY_A := $(OUT)/registry.a $(OUT)/layers.a
BUILDER_A  := $(OUT)/builder.a $(OUT)/registry.a $(OUT)/layers.a $(OUT)/parser.a

$(OUT)/tests/unit/parser_%: $(OUT)/tests/unit/parser_%.o $(PARSER_A)
	$(LINK) -lcmocka
$(OUT)/tests/unit/layers_%: $(OUT)/tests/unit/layers_%.o $(LAYERS_A)
	$(LINK) $(LIBS) -lcmocka
$(OUT)/tests/unit/registry_%: $(OUT)/tests/unit/registry_%.o $(REGISTRY_A)
	$(LINK) $(LIBS) -lcmocka
$(OUT)/tests/unit/builder_%: $(OUT)/tests/unit/builder_%.o $(BUILDER_A)
	$(LINK) $(LIBS) -lcmocka

unit: $(UNIT)

# The layers room from a command line, for tests/layers/run.
TOOL     := $(OUT)/tests/layers/tool
$(TOOL): $(OUT)/tests/layers/tool.o $(LAYERS_A)
	$(LINK) $(LIBS)

# The registry room from a command line, for tests/registry/run.
CLIENT   := $(OUT)/tests/registry_client
$(CLIENT): $(OUT)/tests/registry/client.o $(REGISTRY_A)
	$(LINK) $(LIBS)

# What the parser makes of a Dockerfile, for tests/dockerfiles/run.
DUMP     := $(OUT)/tests/dockerfiles/dump
$(DUMP): $(OUT)/tests/dockerfiles/dump.o $(PARSER_A)
	$(LINK)

FUZZ     := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(sort $(wildcard tests/fuzz/*.c)))
$(OUT)/fuzz/%: tests/fuzz/%.c $(wildcard parser/*.c parser/*.h) | testing-packages
	@mkdir -p $(@D)
	clang $(filter-out -MMD -MP $(FIXED),$(OURS)) -g -O1 -fsanitize=fuzzer,address,undefined \
	        -fno-sanitize-recover=undefined -o $@ $(filter %.c,$^)

$(OUT)/fuzz/fuzz_layer: tests/fuzz/fuzz_layer.c $(wildcard layers/*.c layers/*.h) | testing-packages
	@mkdir -p $(@D)
	clang $(filter-out -MMD -MP $(FIXED),$(OURS)) -g -O1 -fsanitize=fuzzer,address,undefined \
	        -fno-sanitize-recover=undefined -o $@ $(filter %.c,$^) $(LIBS)

fuzz: $(FUZZ)

# Part of check, too.
fuzz-check: fuzz
	@OUT=$(abspath $(OUT)) tests/fuzz/run

# sandbox_run from a command line, for tests/sandbox/run.
DRIVE    := $(OUT)/tests/sandbox/drive
TALK     := $(OUT)/tests/sandbox/talk
$(DRIVE): $(OUT)/tests/sandbox/drive.o $(BUILDER_A)
	$(LINK) $(LIBS)
$(TALK) $(TALK).o: override SANITIZE :=
$(TALK): $(TALK).o
	$(LINK) -static

# Preloaded by tests/faults/run, to a program that can be told to.
LOADING  := $(OUT)/tests/faults/cairn
$(LOADING): $(OUT)/builder/main.o $(BUILDER_A)
	$(LINK) $(LIBS)
FAULTS   := $(patsubst %.c,$(OUT)/%.so,$(sort $(wildcard tests/faults/*.c)))
$(FAULTS): $(OUT)/%.so: %.c
	@mkdir -p $(@D)
	@$(CC) $(filter-out -MMD -MP,$(OURS)) $(CFLAGS) -shared -fPIC -o $@ $<

check: testing-packages $(PROGRAM) unit $(CLIENT) $(TOOL) $(DUMP) $(DRIVE) $(TALK) $(LOADING) $(FAULTS) fuzz
	@CAIRN=$(abspath $(PROGRAM)) OUT=$(abspath $(OUT)) tests/run

# Numbers that overflow end a test, too (H301).
asan:
	$(MAKE) OUT=$(OUT)/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
	        SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined" check

demo: demo-packages $(PROGRAM)
	@CAIRN=$(abspath $(PROGRAM)) samples/hello/demo

install: $(PROGRAM)
	install -D -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/cairn

clean:
	rm -rf $(OUT) cairn

# --- what the machine must have ----------------------------------------------------------------

# Asked once per tree: dpkg knows, apt-get brings what is missing.
packages: $(OUT)/packages.stamp $(OUT)/absent.ld
testing-packages: $(OUT)/testing-packages.stamp
demo-packages: $(OUT)/demo-packages.stamp
$(OUT)/packages.stamp: WANTED = $(PACKAGES)
$(OUT)/testing-packages.stamp: WANTED = $(TESTING)
$(OUT)/demo-packages.stamp: WANTED = busybox-static runc
$(OUT)/packages.stamp $(OUT)/testing-packages.stamp $(OUT)/demo-packages.stamp: Makefile
	@mkdir -p $(@D)
	@missing=$$(for p in $(WANTED); do \
	        dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
	@touch $@
# apt-get is run by one at a time.
$(OUT)/testing-packages.stamp $(OUT)/demo-packages.stamp: | $(OUT)/packages.stamp

# Objects of tests are kept.
.SECONDARY:
.PHONY: all unit fuzz fuzz-check check asan demo install clean packages testing-packages \
        demo-packages
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

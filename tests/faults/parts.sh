# What the suites of this folder share: a build with every kind of step, and its right outcome.
. ../lib.sh
export SOURCE_DATE_EPOCH=1000000000

# What is preloaded does not get along with a sanitizer, which has memory of its own and wants to come first;
# and it reaches only a program that loads the C library.
preloaded() {
	! grep -q __asan_init "$CAIRN" || { echo "skipped: not with a sanitizer"; summary; exit; }
	CAIRN=$OUT/tests/faults/cairn
}

make_context() {
	base "$work/context"
	seq 3000 >"$work/context/f"
	cat >"$work/context/Dockerfile" <<-'END'
		FROM scratch AS a
		COPY rootfs /
		COPY f /f
		RUN cat /f /f > /g
		FROM scratch
		COPY rootfs /
		COPY --from=a /g /h
		RUN cat /h > /i
	END
}

# build: to the store, and compressed to a file of its own.
build() {
	timeout 60 "$CAIRN" build --progress=plain "$@" -t localhost/app -o "type=oci,dest=$work/app.tar" \
		-o type=image "$work/context"
}

# What the last build wrote.
outcome() { sha256sum <"$work/app.tar"; }

# Built again it is what it was, and the store is whole.
is_good() {
	rm -f "$work/app.tar"
	build && [ "$(outcome)" = "$right" ] && "$CAIRN" fsck --deep
}

# With mounts of its own a suite works in memory: hundreds of builds need not wait for a disk.
[ -z "${ALONE:-}" ] || mount -t tmpfs -o size=1g,mode=0700 cairn-test "$work" || exit 1
make_context
check "the build that others are compared with" build
right=$(outcome)

# Calls that do less than they were asked for, or nothing and want to be asked again (H246), and copies
# that the kernel refuses (H282): the same bytes all the same, and nothing is taken for damaged.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh "$0"
fi
. ./parts.sh
preloaded
# Beside the usual: a file with holes, a large one, what fills a cache.
truncate -s 1M "$work/context/hollow"
seq 200000 >>"$work/context/hollow"
seq 400000 >"$work/context/large"
cat >>"$work/context/Dockerfile" <<-'END'
	COPY hollow large /
	RUN --mount=type=cache,id=full,from=a,target=/c cmp /c/g /i && wc -c /hollow /large >/n
END
check "a build of more" build
right=$(outcome)
printf '#!/bin/sh\nLD_PRELOAD=%s exec %s "$@"\n' "$OUT/tests/faults/short.so" "$CAIRN" >"$work/halves"
chmod +x "$work/halves"

# in_pieces [COPYING=NUMBER] [FLAG...]: from nothing, and with what that made.
in_pieces() (
	CAIRN=$work/halves
	case ${1:-} in COPYING=*) export "$1" && shift ;; esac
	rm -rf "$CAIRN_ROOT" "$work/app.tar"
	for time in first second; do
		build "$@" >"$work/log" 2>&1 && [ "$(outcome)" = "$right" ] || { cat "$work/log"; exit 1; }
		! grep -F "$CAIRN_ROOT" "$work/log" || exit 1
	done
	"$CAIRN" fsck --deep
)
check "calls that do half" in_pieces
check "... also where trees are copied" in_pieces --isolation copy
# EXDEV, EOPNOTSUPP; and nothing is copied.
for number in 18 95 0; do
	check "copies that fail with $number" in_pieces COPYING=$number --isolation copy
done
summary

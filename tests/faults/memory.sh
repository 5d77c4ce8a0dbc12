# Memory that runs out at any moment (H288): one error or a good outcome, never the end by a signal,
# and nothing is kept that a later command would believe. MEMORY_MOMENTS says how many are tried.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh "$0"
fi
. ./parts.sh
preloaded
cp -a "$CAIRN_ROOT" "$work/pristine"
rm -rf "$work"/pristine/trees/*
check "an image" "$CAIRN" save -o "$work/saved.tar" localhost/app

# without MOMENT COMMAND...: request number MOMENT gets no memory. Its status is that of the command.
without() {
	moment=$1
	shift
	env MEMORY_ENDS_AT="$moment" MEMORY_COUNT="$work/requests" LD_PRELOAD="$OUT/tests/faults/memory.so" \
		"$@" >"$work/memory.log" 2>&1
}

# at_any_moment MOMENTS START VERIFY COMMAND...: START, the command without memory, VERIFY; at so many
# moments.
at_any_moment() {
	moments=$((${MEMORY_MOMENTS:-$1})) start=$2 verify=$3
	shift 3
	$start
	without 0 "$@" || { cat "$work/memory.log"; return 1; }
	requests=$(cat "$work/requests") at=1
	while [ "$at" -le "$requests" ]; do
		$start
		without "$at" "$@"
		status=$?
		[ "$status" -le 1 ] || { echo "request $at: status $status"; cat "$work/memory.log"; return 1; }
		[ "$status" -eq 0 ] || grep -q . "$work/memory.log" || { echo "request $at: no error"; return 1; }
		$verify || { echo "request $at of $requests, status $status:"; cat "$work/memory.log"; return 1; }
		at=$((at + requests / moments + 1))
	done
}

nothing_there() { rm -rf "$CAIRN_ROOT" "$work/app.tar"; }
all_there() {
	rm -rf "$CAIRN_ROOT"
	cp -al "$work/pristine" "$CAIRN_ROOT"
}
# No wrong bytes came out, and none come out of what was kept.
is_built() {
	[ "$status" -ne 0 ] || [ -e "$work/app.tar" ] || return 1
	[ ! -e "$work/app.tar" ] || [ "$(outcome)" = "$right" ] || { echo "wrong bytes"; return 1; }
	rm -f "$work/app.tar"
	build && [ "$(outcome)" = "$right" ]
}
is_saved() {
	"$CAIRN" save -o "$work/again.tar" localhost/app && cmp "$work/again.tar" "$work/saved.tar"
}
is_whole() { "$CAIRN" fsck; }
is_loaded() { [ "$status" -ne 0 ] || is_saved; }

# A small build goes through most of it, many times a second.
mkdir "$work/small"
printf 'FROM scratch AS a\nCOPY <<X /f\ntext\nX\nFROM scratch\nCOPY --from=a /f /g\nLABEL l=1\n' >"$work/small/Dockerfile"
small() { "$CAIRN" build -q -t localhost/small -o "type=oci,dest=$work/app.tar" -o type=image "$work/small"; }
check "a small build" small
mv "$work/app.tar" "$work/small.tar"
is_small() {
	[ "$status" -ne 0 ] || [ -e "$work/app.tar" ] || return 1
	[ ! -e "$work/app.tar" ] || cmp "$work/app.tar" "$work/small.tar" || return 1
	small && cmp "$work/app.tar" "$work/small.tar"
}
check "... at any moment" at_any_moment 70 nothing_there is_small "$CAIRN" build -t localhost/small \
	-o "type=oci,dest=$work/app.tar" -o type=image "$work/small"
check "a build" at_any_moment 7 nothing_there is_built "$CAIRN" build --progress=plain -t localhost/app \
	-o "type=oci,dest=$work/app.tar" -o type=image "$work/context"
check "a prune removes nothing that is needed" at_any_moment 99 all_there is_whole "$CAIRN" prune -af
check "a prune of images neither" at_any_moment 99 all_there is_whole "$CAIRN" image prune -f
check "a load" at_any_moment 8 nothing_there is_loaded "$CAIRN" load -i "$work/saved.tar"
all_there
check "a save" at_any_moment 8 true is_saved "$CAIRN" save -o "$work/half.tar" localhost/app
check "a list" at_any_moment 40 true true "$CAIRN" images
summary

# A clock that is wrong, or set while cairn works (H256): caches hold, nothing waits for the past to come
# back, no age is negative.
. ./parts.sh
preloaded
unset SOURCE_DATE_EPOCH
year=31536000
# at OFFSET JUMP COMMAND...: under such a clock.
at() {
	offset=$1 jump=$2
	shift 2
	env CLOCK_OFFSET="$offset" CLOCK_JUMP="$jump" LD_PRELOAD="$OUT/tests/faults/clock.so" timeout 30 "$@"
}
cached() {
	at "$1" 0 "$CAIRN" build --progress=plain "$work/context" >"$work/clock.log" 2>&1 &&
		[ "$(grep -c CACHED "$work/clock.log")" = 6 ] || { cat "$work/clock.log"; return 1; }
}
no_odd_age() {
	at "$1" 0 "$CAIRN" images >"$work/clock.log" && cat "$work/clock.log" && ! grep -E -- '-[0-9]|N/A' "$work/clock.log"
}
# Since 1970 it is so long.
now=$(date +%s)
rm -rf "$CAIRN_ROOT"
check "a build" "$CAIRN" build -t localhost/app "$work/context"
for offset in -$year $year -$((now - 5)); do
	check "the cache holds at $offset" cached "$offset"
	check "no age is odd at $offset" no_odd_age "$offset"
done
for jump in -$year $year -$((now - 5)); do
	check "a jump of $jump within a build" at 0 "$jump" "$CAIRN" build --no-cache --run-timeout 20s \
		-t localhost/jump "$work/context"
done
check "a failed step of the future is kept" sh -c '! CLOCK_OFFSET='$year' LD_PRELOAD="$OUT/tests/faults/clock.so" \
	"$CAIRN" build --on-fail=keep --build-context c="$1" - <<-X
	FROM localhost/app
	RUN exit 3
	X' - "$work/context"
check "... and goes with all" sh -c '"$CAIRN" prune -af && [ -z "$(ls "$CAIRN_ROOT/failed")" ]'
check "a store from the future is pruned" at -$year 0 "$CAIRN" prune -af
check "... and builds" build
summary

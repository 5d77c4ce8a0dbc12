# Many builds at once on one store, and prunes and pulls beside them: none disturbs another (H247,
# H248). ROUNDS asks for more of them.
. ../lib.sh

builds=8 rounds=${ROUNDS:-4}
base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir "$work/context"
cat >"$work/context/Dockerfile" <<'END'
FROM localhost/base AS common
ARG ROUND
RUN echo "$ROUND" > /round
RUN echo x > /x
FROM common
ARG BUILD
RUN --mount=type=cache,target=/cache,id=shared-$ROUND echo "$BUILD" > "/cache/$BUILD"
RUN --mount=type=bind,from=common,target=/common test "$(cat /common/round)" = "$ROUND"
RUN cat /round /x > /all && echo "$BUILD" >> /all
END

one() {
	"$CAIRN" build -q --build-arg ROUND="$1" --build-arg BUILD="$2" -t "localhost/b$2" \
		-o type=tar,dest="$work/$2.tar" "$work/context" >"$work/out.$2" 2>&1 &&
		tar xOf "$work/$2.tar" all >"$work/all.$2" &&
		printf '%s\nx\n%s\n' "$1" "$2" | cmp - "$work/all.$2" >>"$work/out.$2" 2>&1
}
# H250: two builds come to the same steps in another order.
stage() { printf 'FROM localhost/base AS %s\nRUN usleep 50000; echo %s >/f\nRUN usleep 50000; echo %s >>/f\n' "$1" "$1" "$1"; }
crosswise() {
	pids=
	for order in 'one two' 'two one'; do
		set -- $order
		{ stage "$1"; stage "$2"; printf 'FROM scratch\nCOPY --from=%s /f /1\nCOPY --from=%s /f /2\n' "$1" "$2"; } \
			>"$work/context/Dockerfile.$1"
		timeout 60 "$CAIRN" build -q --jobs 1 -f "$work/context/Dockerfile.$1" "$work/context" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || return 1
	done
}
prune_until_done() {
	until [ -e "$work/done" ]; do
		"$CAIRN" image prune -f
		"$CAIRN" prune -f
	done >"$work/prune.log" 2>&1
}

# Each pull is of an image that is not there, and what it brings is whole.
port=$((20000 + ($$ + 7777) % 20000))
pull_until_done() {
	pulls=0
	until [ -e "$work/done" ]; do
		"$CAIRN" pull -q "localhost:$port/pulled" && "$CAIRN" save -o "$work/pulled.tar" "localhost:$port/pulled" &&
			"$CAIRN" rmi "localhost:$port/pulled" || { echo failed >>"$work/pulls"; break; }
		pulls=$((pulls + 1))
	done >"$work/pull.log" 2>&1
	echo "$pulls done" >>"$work/pulls"
}
pulled_well() {
	cat "$work/pull.log" "$work/pulls"
	grep -qx '[1-9][0-9]* done' "$work/pulls" && ! grep -q failed "$work/pulls"
}

round() {
	pids='' bad=0
	for i in $(seq "$builds"); do
		one "$1" "$i" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || bad=$((bad + 1))
	done
	[ "$bad" -eq 0 ] || { cat "$work"/out.*; return 1; }
}
not_mounted() { ! grep -F "$work" /proc/self/mountinfo; }

for i in $(seq "$rounds"); do
	check "$builds builds at once, round $i" round "$i"
done
check "two builds come to the same steps crosswise" crosswise
check "docker-registry starts" registry "$port"
printf 'FROM localhost/base\nRUN echo pulled >/pulled\n' >"$work/context/Dockerfile.pulled"
check "an image to pull" "$CAIRN" build -q --push -f "$work/context/Dockerfile.pulled" -t "localhost:$port/pulled" "$work/context"
prune_until_done &
pruner=$!
pull_until_done &
puller=$!
for i in $(seq "$rounds"); do
	check "$builds builds at once beside prunes, round $i" round "pruned-$i"
done
touch "$work/done"
wait "$pruner"
wait "$puller"
check "pulls beside builds and prunes" pulled_well
check "nothing stays mounted" not_mounted
check "a prune with nobody else at work" "$CAIRN" prune -af
check "leaves the images whole" round last
check "no blob is torn" sh -c 'cd "$CAIRN_ROOT/blobs/sha256" && for b in *; do
	[ "$(sha256sum <"$b" | cut -d" " -f1)" = "$b" ] || exit 1; done'
"$CAIRN" image prune -af >"$work/null"
"$CAIRN" prune -af >"$work/null"
check "prunes of everything leave nothing" says "" sh -c 'cd "$CAIRN_ROOT" &&
	ls trees mounts steps images blobs/sha256 | grep -v ":$" | grep .'
summary

# kill -9 at any time (H242), then the same build again: it succeeds, and the store holds no torn blob.
# Mounts of our own, shared as on a machine with systemd: those of others are not counted.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh -c 'mount --make-rshared / && exec sh "$0"' "$0"
fi
. ../lib.sh

moments=${MOMENTS:-50}
base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir -p "$work/context/files"
for i in $(seq 300); do seq "$i" $((i + 200)) >"$work/context/files/f$i"; done
cat >"$work/context/Dockerfile" <<'END'
FROM localhost/base AS a
COPY files /files
RUN cat /files/* > /all
FROM localhost/base
RUN echo start > /start
COPY --from=a /all /all
RUN wc -l /all > /count
END

whole() {
	for blob in "$CAIRN_ROOT"/blobs/sha256/*; do
		[ "$(sha256sum <"$blob" | cut -d' ' -f1)" = "$(basename "$blob")" ] || { echo "torn: $blob"; return 1; }
	done
}
not_mounted() { ! grep -F "$work" /proc/self/mountinfo; }

# How long an undisturbed build takes sets the range of the moments.
begin=$(date +%s%N)
check "an undisturbed build" "$CAIRN" build -q --no-cache -t localhost/killed "$work/context"
length=$(($(date +%s%N) - begin))
torn=0 unbuilt=0
for i in $(seq "$moments"); do
	"$CAIRN" build -q --no-cache -t localhost/killed "$work/context" >"$work/out" 2>&1 &
	pid=$!
	/bin/busybox usleep $((length / 1000 * i / moments))
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	"$CAIRN" build -q -t localhost/killed "$work/context" >"$work/out" 2>&1 || { unbuilt=$((unbuilt + 1)); cat "$work/out"; }
	[ $((i % 10)) -ne 0 ] || whole || torn=$((torn + 1))
done
check "all $moments builds after a kill succeed" [ "$unbuilt" -eq 0 ]
check "no blob is torn" [ "$torn" -eq 0 ]
check "nothing stays mounted" not_mounted
check "nothing of a dead process stays in tmp" sh -c "! ls '$CAIRN_ROOT/tmp' | grep -E '^[0-9]+\.[0-9]+$'"
summary

# Ctrl-C, signals and kills at any time: all ends, nothing is left, and the next build goes on.
image "$config"
mkfifo "$work/told"

# start DOCKERFILE [FLAG...]: a build beside us that can be interrupted as from a keyboard; $building.
start() {
	file=$work/Dockerfile.$1
	shift
	: >"$work/started.log" # at once: what the build before has said is not waited for
	env --default-signal=INT,TERM,HUP $as "$CAIRN" build --progress=plain "$@" -f "$file" \
		--build-context "base=oci-layout://$work/layout" "$ctx" >"$work/started.log" 2>&1 &
	building=$!
}

# ended STATUS: it ended so, soon after the asking (a busy machine is given five seconds), and
# nothing of it is left.
ended() {
	begin=$(date +%s%N)
	wait "$building"
	status=$?
	took=$((($(date +%s%N) - begin) / 1000000))
	[ "$status" -eq "$1" ] && [ "$took" -lt 5000 ] || {
		echo "status $status, wanted $1, after $took ms"
		tail -n 5 "$work/started.log"
		return 1
	}
	unharmed
}

printf 'FROM base\nRUN --mount=type=bind,target=/c --mount=type=cache,target=/d --mount=type=tmpfs,target=/t \\
	(trap "" INT TERM HUP; setsid sleep 31 & sleep 32) & echo under way; trap "" INT TERM HUP; sleep 33; sleep 34\n' \
	>"$work/Dockerfile.long"
for signal in INT TERM HUP; do
	start long
	check "a long command before SIG$signal" wait_until grep -q ' under way' "$work/started.log"
	kill -$signal $building
	case $signal in INT) status=130 ;; TERM) status=143 ;; *) status=129 ;; esac
	check "it ends with $status, and all of it" ended $status
done
start long
check 'a long command' wait_until grep -q ' under way' "$work/started.log"
kill -INT $building
kill -INT $building 2>/dev/null
kill -INT $building 2>/dev/null
check 'ends by three interrupts as by one' ended 130
start long
check 'a long command' wait_until grep -q ' under way' "$work/started.log"
kill -KILL $building
wait $building 2>/dev/null
check 'of a killed builder is gone' wait_until unharmed
start long
wait_until grep -q ' under way' "$work/started.log"
kill -STOP $building
kill -CONT $building
kill -INT $building
check 'one that was stopped meanwhile ends, too' ended 130

# Waiting for somebody else's step, and for somebody who does not answer.
start long
first=$building
check 'a long command' wait_until grep -q ' under way' "$work/started.log"
mv "$work/started.log" "$work/first.log"
start long
wait_until grep -q '^#2 DONE' "$work/started.log"
kill -INT $building
wait $building
check 'a second build that waits for it can be interrupted' [ $? -eq 130 ]
check 'which the first does not notice' kill -0 $first
building=$first
kill -TERM $first
check 'until it is told, too' ended 143
python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True)
held = []
while True:
    held.append(s.accept()); print("asked", flush=True)' >"$work/told" &
started="$started $!"
exec 8<"$work/told"
read -r port <&8
printf 'FROM scratch\nADD http://127.0.0.1:%s/x /\n' "$port" >"$work/Dockerfile.silent"
printf 'FROM 127.0.0.1:%s/x\n' "$port" >"$work/Dockerfile.mute"
# H250.
printf 'FROM base\nRUN echo beside >/beside\n' >"$work/Dockerfile.beside"
beside() {
	$as timeout 20 "$CAIRN" build -q -f "$work/Dockerfile.beside" \
		--build-context "base=oci-layout://$work/layout" "$ctx"
}
for place in silent mute; do
	start $place
	read -r _ <&8
	check "another build does not wait for that server ($place)" beside
	refuses 'nor does a prune, which says why it cannot be' 'another cairn is at work' $as timeout 20 "$CAIRN" prune -f
	kill -INT $building
	check "a server that does not answer ($place)" ended 130
done
printf 'FROM scratch\nCOPY Dockerfile.mute /\n' >"$work/Dockerfile.pushed"
echo x >"$ctx/Dockerfile.mute"
start pushed --push -t "127.0.0.1:$port/x"
read -r _ <&8
kill -INT $building
check 'a registry that does not take an image' ended 130
exec 8<&-

# What takes long without waiting for anybody: hashing (H273), and compressing.
head -c 200M /dev/urandom >"$ctx/large"
printf 'FROM scratch\nCOPY large /\n' >"$work/Dockerfile.large"
is_read() { ls -l "/proc/$building/fd" | grep -q "$ctx/large"; }
start large -o "type=oci,dest=$work/large.tar"
check 'a large file is read' wait_until is_read
kill -INT $building
check 'which an interrupt ends' ended 130
start large
wait $building
start large -o "type=oci,dest=$work/large.tar"
check 'a large layer is compressed' wait_until grep -q ' exporting' "$work/started.log"
kill -INT $building
check 'which an interrupt ends, too' ended 130
check 'and nothing is written' test ! -e "$work/large.tar"
rm "$ctx/large"

# H224: at any moment.
printf 'FROM base AS a\nCOPY . /c\nRUN cat /c/* >/all 2>/dev/null; sh -c "true; true" & (setsid true &)\nFROM base\nCOPY --from=a /all /all\nRUN wc -c /all >/n\n' \
	>"$work/Dockerfile.short"
seq 50000 >"$ctx/numbers"
begin=$(date +%s%N)
start short --no-cache -t localhost/short
wait $building
length=$((($(date +%s%N) - begin) / 1000))
good=true
for i in $(seq 24); do
	case $((i % 4)) in 0) signal=INT status=130 ;; 1) signal=TERM status=143 ;; 2) signal=HUP status=129 ;; *) signal=KILL status=137 ;; esac
	start short --no-cache -t localhost/short
	/bin/busybox usleep $((length * i / 24))
	kill -$signal $building 2>/dev/null
	wait $building 2>/dev/null
	got=$?
	[ $got -eq $status ] || [ $got -eq 0 ] || { echo "SIG$signal gave $got"; tail -n 3 "$work/started.log"; good=false; }
	wait_until unharmed || good=false
done >"$work/moments"
check 'a signal at any moment leaves nothing' sh -c "cat '$work/moments'; $good"
start short -t localhost/short
check 'and the next build succeeds' ended 0
# H291.
start short --no-cache
kill -STOP $building
is_stopped() { grep -q '^State:.T' "/proc/$building/status"; }
check 'a build is stopped' wait_until is_stopped
kill -CONT $building
check 'and goes on when it is told to' ended 0
check 'nothing of dead processes is left in the store' sh -c "! ls '$CAIRN_ROOT/tmp' | grep -E '^[0-9]+\.[0-9]+\$'"

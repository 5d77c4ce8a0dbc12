# What a machine shares with a command, and places that look like others.
image "$config"

# H053: control groups cannot be written to, whoever asks.
shows 'control groups are read only' 'refused' <<'END'
FROM base AS t
RUN echo refused >/out; find /sys/fs/cgroup -type d -exec sh -c 'mkdir "$0/cairn-x" 2>/dev/null && echo made >/out' {} \; ; true
END

mkfifo "$work/up"
# H054: sockets without a place in the file system belong to a network.
python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX); s.bind("\0cairn-hostile"); s.listen(); print("up", flush=True); s.accept()' >"$work/up" &
started="$started $!"
read -r _ <"$work/up"
shows 'a network of its own hides the sockets of this machine' 0 <<'END'
FROM base AS t
RUN --network=none grep -c cairn-hostile /proc/net/unix >/out || true
END

# H203: what a secret is decides nothing.
printf 'FROM base\nRUN --mount=type=secret,id=k test -s /run/secrets/k\n' >"$work/Dockerfile.keyed"
for value in first-of-two-values second-of-two-values; do
	VALUE=$value plain keyed --secret id=k,env=VALUE >"$ctx.log" 2>&1
done
check 'another value of a secret runs nothing again (H203)' grep -q '^#[0-9]* CACHED' "$ctx.log"

# H205: secrets that are none.
mkdir -p "$work/folder"
truncate -s 600M "$work/huge"
ln -sf /no/such "$work/dangling"
for secret in 'id:no such file' 'id=:id is missing' "id=x,src=$work/none:No such file" "id=x,src=$work/folder:is a folder" \
	"id=x,src=$work/huge:is larger than" "id=x,src=$work/dangling:No such file" 'id=x,env=NO_SUCH_THING:is not set' \
	'src=x:id is missing' 'id=x,colour=red:unexpected key'; do
	refuses "--secret ${secret%%:*}" "--secret.*(${secret#*:}|must be a key=value)" plain keyed --secret "${secret%%:*}"
done

# H232: a user namespace in which every id is itself is not the first one.
if [ -z "$as" ]; then
	printf 'FROM base AS t\nRUN exit 7\n' >"$work/Dockerfile.exit"
	mkfifo "$work/mapped"
	unshare -U -m sh -c 'read -r _ <"$1"; shift; exec "$@"' - "$work/mapped" "$CAIRN" --root "$work/namespace" build --progress=plain \
		--build-context "base=oci-layout://$work/layout" -f "$work/Dockerfile.exit" "$ctx" >"$ctx.log" 2>&1 &
	inner=$!
	wait_until sh -c "[ \$(readlink /proc/$inner/ns/user) != \$(readlink /proc/$$/ns/user) ]"
	for map in uid gid; do echo '0 0 4294967295' >/proc/$inner/${map}_map; done
	echo go >"$work/mapped"
	wait $inner
	check 'where all ids are themselves a RUN runs (H232)' grep -q 'exit code: 7' "$ctx.log"
	rm -rf "$work/namespace"
fi

# H035: what a step made is used where all it could see is the same, and never for an image that only says
# that it was made so.
image '{"Env":["PATH=/bin","A=1"],"Labels":{"l":"1"}}'
printf 'FROM base AS t\nRUN echo $A >/out\nFROM scratch\nCOPY --from=t /out /out\n' >"$work/shown"
shows 'a variable of the base' 1 <"$work/shown"
image '{"Env":["PATH=/bin","A=2"],"Labels":{"l":"1"}}'
shows 'another value of it runs the step again' 2 <"$work/shown"
image '{"Env":["PATH=/bin","A=2"],"Labels":{"l":"2"}}'
build --target t -o "type=oci,dest=$work/label.tar" <"$work/shown"
check 'another label does not' grep -q '^#[0-9]* CACHED' "$ctx.log"
check 'and is the one that the image has' sh -c 'tar -xOf "$0" | grep -aq "\"l\":\"2\""' "$work/label.tar"
image "$config"

# H226, H258: what died is swept away, but not through a mount that somebody has put there, of the same file
# system, too. What a sweep of somebody who was killed has left goes with the next one.
if [ -z "$as" ]; then
	mkdir -p "$CAIRN_ROOT/tmp/4194304.0/folder/mounted" "$CAIRN_ROOT/tmp/4194305.0"
	mount --bind "$work/victim" "$CAIRN_ROOT/tmp/4194304.0/folder/mounted"
	mount --bind "$work/victim" "$CAIRN_ROOT/tmp/4194305.0"
	"$CAIRN" prune -f >"$ctx.log" 2>&1
	check 'mounts in folders that are swept are not entered' [ -e "$work/victim/file" ]
	for place in $(awk '$4 ~ "/victim$" { print $5 }' /proc/self/mountinfo); do # wherever they were moved to
		umount "$place"
	done
	"$CAIRN" prune -f >"$ctx.log" 2>&1
	check 'the folders go when they are gone' sh -c \
		'! find "$0/tmp" -name mounted -o -name ".gone.*" -o -name "419430*" | grep .' "$CAIRN_ROOT"
fi
unharmed_by 'other places'

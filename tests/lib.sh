# What the shell suites share. A suite sources this, calls `check` for each sentence, and ends with
# `summary`. $CAIRN is the program; each suite works in a folder of its own with a store of its own.
: "${CAIRN:?name the program under test}"
passed=0 failed=0
work=$(mktemp -d "${TMPDIR:-/tmp}/cairn-test.XXXXXX")
export CAIRN_ROOT="$work/store"
started=

# Everything that was started ends with the suite, by its id.
finish() {
	for pid in $started; do
		kill "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	umount "$work" 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# check SENTENCE COMMAND...: the command succeeds.
check() {
	sentence=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $sentence"
		sed 's/^/    /' "$work/check.log" | tail -n 20
	fi
}

# refuses SENTENCE PATTERN COMMAND...: it fails, with a status of its own and a line that matches.
refuses() {
	sentence=$1 pattern=$2
	shift 2
	"$@" >"$work/check.log" 2>&1
	status=$?
	if [ "$status" -gt 0 ] && [ "$status" -lt 126 ] && grep -Eqi -- "$pattern" "$work/check.log"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $sentence (status $status, wanted a line like: $pattern)"
		sed 's/^/    /' "$work/check.log" | tail -n 20
	fi
}

# says TEXT COMMAND...: its output, both of them, is TEXT; for check.
says() {
	wanted=$1
	shift
	got=$("$@" 2>&1)
	[ "$got" = "$wanted" ] || {
		printf 'got: %s\nnot: %s\n' "$got" "$wanted"
		return 1
	}
}

# The last line. A store that a suite has used is as it should be.
summary() {
	[ ! -d "$CAIRN_ROOT" ] || check "nothing in the store is damaged" "$CAIRN" fsck --deep
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}

# A root filesystem of busybox and three files, as a context with a Dockerfile: `base FOLDER`.
base() {
	mkdir -p "$1/rootfs/bin" "$1/rootfs/etc" "$1/rootfs/tmp"
	cp /bin/busybox "$1/rootfs/bin/busybox"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$1/rootfs/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n' >"$1/rootfs/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\n' >"$1/rootfs/etc/group"
	printf 'FROM scratch\nCOPY rootfs /\nCMD ["sh"]\n' >"$1/Dockerfile"
}

# wait_until COMMAND...: an event, at most 20 seconds away.
wait_until() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || return 1
		/bin/busybox usleep 100000
	done
}

# registry PORT [EXTRA-CONFIG]: Debian's docker-registry on loopback; its url is localhost:PORT.
registry() {
	printf 'version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: %s}\nhttp:\n  addr: 127.0.0.1:%s\n%s\n' \
		"$work/registry-$1" "$1" "${2:-}" >"$work/registry-$1.yml"
	docker-registry serve "$work/registry-$1.yml" >"$work/registry-$1.log" 2>&1 &
	started="$started $!"
	wait_until curl -ks -o "$work/null" "http://127.0.0.1:$1/v2/"
}

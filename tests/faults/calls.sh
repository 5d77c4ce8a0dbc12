# System calls that fail, or are the last of their process: an error or a good image, never half a
# one, and the next build is good.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh "$0"
fi
. ./parts.sh

if ! strace -qq -e trace=none true 2>/dev/null; then
	echo "skipped: strace may not trace here"
	summary
	exit
fi

# with FAULT [FILE]: the build under it, from nothing; only calls on FILE. What it says is kept; it may fail.
# Calls are counted by thread: one performs all steps, so that a number means the same each time.
with() {
	rm -rf "$CAIRN_ROOT" "$work/app.tar"
	# Leaks cannot be looked for under strace.
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/strace.log" -e "trace=${1%%:*}" -e "inject=$1" ${2:+-P "$2"} \
		"$CAIRN" build --progress=plain --jobs 1 -t localhost/app -o "type=oci,dest=$work/app.tar" -o type=image "$work/context" \
		>"$work/fault.log" 2>&1
	status=$?
	[ "$status" -ne 0 ] || [ -e "$work/app.tar" ] || { echo "no output"; return 1; }
	[ ! -e "$work/app.tar" ] || [ "$(outcome)" = "$right" ] || { echo "wrong bytes"; return 1; }
	[ "$status" -ge 128 ] || [ "$status" -eq 0 ] || grep -q ERROR "$work/fault.log" ||
		{ cat "$work/fault.log"; return 1; }
}
# The fault must have come: a build may make a call less often than its number.
survives() {
	with "$1" || return
	grep -Eq 'INJECTED|killed by SIGKILL' "$work/strace.log" || { echo "it has not come"; return 1; }
	is_good
}
# It must notice: success would be a lie.
fails() { with "$1" "${3:-}" && [ "$status" -ne 0 ] && grep -Eq "$2" "$work/fault.log" && is_good; }

# H241: and it is not asked again, for the kernel would say that all is well.
keeps_nothing() {
	with "$1" && [ "$status" -ne 0 ] && ! find "$CAIRN_ROOT" -type f | grep -E "/(blobs|tables|steps|images)/"
}
check "syncing fails" fails 'syncfs:error=EIO:when=1' 'sync .*: Input/output error'
check "... and what was not synced is gone" keeps_nothing 'syncfs:error=EIO:when=1'
check "syncing the names fails" fails 'syncfs:error=EIO:when=2' 'Input/output error'
# H244: wherever it is.
for when in 1 4 12 40; do
	check "no room for write $when" survives \
		"write,pwrite64,copy_file_range,sendfile,ftruncate:error=ENOSPC:when=$when"
done
# H242, H243: also between what is made and its record, in the middle of the last names, and before that
# of the image.
for when in 1 20 37 52 66; do
	check "killed at rename $when" survives "renameat,renameat2,rename:signal=KILL:when=$when"
done
for fault in mkdir,mkdirat:8 write,pwrite64:30 unlink,unlinkat:12 move_mount:9 fsync:1 syncfs:1; do
	check "killed at ${fault##*,}" survives "${fault%:*}:signal=KILL:when=${fault##*:}"
done
for when in 20 40 60; do
	check "read $when fails" survives "read,pread64:error=EIO:when=$when"
done
# H284.
check "a file of the context is gone with its server" fails read,pread64:error=ESTALE 'read f: Stale file handle' "$work/context/f"
check "... or its folder" fails getdents64:error=EIO 'rootfs.*: Input/output error' "$work/context/rootfs"
for when in 1 8; do
	check "rename $when is refused" survives "renameat,renameat2,rename:error=EACCES:when=$when"
done

# H231: filters of containers, and old kernels, that lack a call. What is missing is found out before
# anything is made with it. Nobody waits for a loop.
lacks() (
	ulimit -t 60
	with "$1:error=$2" && [ "$status" -eq 0 ] && [ -e "$work/app.tar" ] || { cat "$work/fault.log"; exit 1; }
)
for fault in openat2:ENOSYS fsopen:EPERM move_mount:EPERM mount_setattr:ENOSYS; do
	call=${fault%:*}
	check "without $call another way is taken" lacks "$call" "${fault#*:}"
	check "... and that is said" grep -q "^WARNING: a RUN is not kept apart here.*: the system call $call: " "$work/fault.log"
done
for call in faccessat2 close_range; do
	check "without $call all is as it was" lacks $call EPERM
	check "... and nothing is said" sh -c '! grep WARNING "$0"' "$work/fault.log"
done

# H307, H308: an error has the number of the call that failed, whatever was called since, and nothing is
# closed twice, on whatever way out. In a build that takes a moment; the loader's own calls come first.
printf 'FROM scratch AS a\nCOPY f /a\nFROM scratch\nCOPY --from=a /a /b\nCOPY <<X /c\nhello\nX\n' >"$work/context/small"
tells_its_number() {
	at=$2
	while :; do
		rm -rf "$CAIRN_ROOT"
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/strace.log" -e "trace=close,$1" \
			-e "inject=$1:error=EHOSTDOWN:when=$at" "$CAIRN" build -q -f "$work/context/small" -t localhost/small \
			-o "type=oci,dest=$work/small.tar" -o type=image "$work/context" >"$work/fault.log" 2>&1
		status=$?
		# A sanitizer has more libraries to load.
		[ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && grep -q 'ERROR: .*Host is down' "$work/fault.log"; } ||
			grep -q '^[^ ]*: error while loading shared libraries' "$work/fault.log" ||
			{ echo "at $at, status $status:"; cat "$work/fault.log"; return 1; }
		! grep 'close(.*EBADF' "$work/strace.log" || { echo "at $at"; return 1; }
		grep -q INJECTED "$work/strace.log" || break
		at=$((at + $3))
	done
	[ "$at" -gt "$2" ] || { echo "$1 is never called"; return 1; }
}
check "what cannot be opened is told as it failed" tells_its_number openat,openat2 11 31
check "... made or named" tells_its_number mkdirat,renameat 1 11
check "... written" tells_its_number write 1 9
check "... read or locked" tells_its_number read,getdents64,flock 4 9
check "... read from the store" tells_its_number pread64 7 2

# H305: a command that cannot become who it should be is not run.
printf 'FROM localhost/app\nUSER app\nRUN echo "it ran $((1 + 1))"\n' >"$work/context/user"
does_not_run() {
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/strace.log" -e "trace=${1%%:*}" -e "inject=$1" \
		"$CAIRN" build --progress=plain --no-cache -f "$work/context/user" "$work/context" >"$work/fault.log" 2>&1
	status=$?
	[ "$status" -eq 1 ] && grep -q "ERROR: .*$2" "$work/fault.log" && ! grep -q 'it ran 2' "$work/fault.log" ||
		{ cat "$work/fault.log"; return 1; }
}
check "an image to run in" build
for fault in 'setresuid:error=EAGAIN=set the user: Resource temporarily' 'setresgid:error=EPERM=set the group: ' \
	'setgroups:error=EPERM=set the groups: ' 'capset:error=EPERM=set capabilities: ' 'seccomp:error=EINVAL=system call filter: ' \
	'prctl:error=EPERM:when=4=limit capabilities: ' 'setsid:error=EPERM=start a session: '; do
	check "no command is run without ${fault%%:*}" does_not_run "${fault%=*}" "${fault##*=}"
done

# What cannot be read may refer to anything: a prune removes nothing then. It ends with the fault.
build >/dev/null 2>&1
cp -al "$CAIRN_ROOT" "$work/pristine"
prune_keeps_images() {
	for when in $(seq "$2" "$3" 499); do
		rm -rf "$CAIRN_ROOT"
		cp -al "$work/pristine" "$CAIRN_ROOT"
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/strace.log" -e "trace=${1%%:*}" \
			-e "inject=$1:when=$when" "$CAIRN" prune -af
		status=$?
		"$CAIRN" fsck || { echo "at $when, with status $status"; return 1; }
		grep -q INJECTED "$work/strace.log" || return 0
	done
	return 1
}
check "folders cannot be listed" prune_keeps_images getdents64:error=EIO 1 3
check "no descriptor is to be had" prune_keeps_images openat:error=EMFILE 9 5
summary

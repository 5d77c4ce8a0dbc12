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

# with FAULT: the build under it, from nothing. What it says is kept; it may fail.
with() {
	rm -rf "$CAIRN_ROOT" "$work/app.tar"
	# Leaks cannot be looked for under strace.
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o "$work/strace.log" -e "trace=${1%%:*}" -e "inject=$1" "$CAIRN" build --progress=plain \
		-t localhost/app -o "type=oci,dest=$work/app.tar" -o type=image "$work/context" \
		>"$work/fault.log" 2>&1
	status=$?
	[ "$status" -ne 0 ] || [ -e "$work/app.tar" ] || { echo "no output"; return 1; }
	[ ! -e "$work/app.tar" ] || [ "$(outcome)" = "$right" ] || { echo "wrong bytes"; return 1; }
	[ "$status" -ge 128 ] || [ "$status" -eq 0 ] || grep -q ERROR "$work/fault.log" ||
		{ cat "$work/fault.log"; return 1; }
}
survives() { with "$1" && is_good; }
# It must notice: success would be a lie.
fails() { with "$1" && [ "$status" -ne 0 ] && grep -Eq "$2" "$work/fault.log" && is_good; }

# H241: and it is not asked again, for the kernel would say that all is well.
keeps_nothing() {
	with "$1" && [ "$status" -ne 0 ] && ! find "$CAIRN_ROOT" -type f | grep -E "/(blobs|tables|steps|images)/"
}
check "syncing fails" fails 'syncfs:error=EIO:when=1' 'sync .*: Input/output error'
check "... and what was not synced is gone" keeps_nothing 'syncfs:error=EIO:when=1'
check "syncing the names fails" fails 'syncfs:error=EIO:when=2' 'Input/output error'
for when in 1 4 12 40; do
	check "no room for write $when" survives \
		"write,pwrite64,copy_file_range,sendfile,ftruncate:error=ENOSPC:when=$when"
done
for when in 1 3 6 10 20; do
	check "killed at rename $when" survives "renameat,renameat2,rename:signal=KILL:when=$when"
done
for when in 20 60 150; do
	check "read $when fails" survives "read,pread64:error=EIO:when=$when"
done
for when in 1 8; do
	check "killed at mkdir $when" survives "mkdirat,mkdir:signal=KILL:when=$when"
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

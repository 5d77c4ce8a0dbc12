# Disks that are too small (H244): an error that names the place, nothing half there, and once there is room
# the same build succeeds.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh "$0"
fi
. ./parts.sh

if ! mkdir "$work/disk" || ! mount -t tmpfs -o size=1m cairn-disk "$work/disk"; then
	echo "skipped: nothing can be mounted here"
	summary
	exit
fi
export CAIRN_ROOT="$work/disk/store"

# has_no_room OPTIONS: on such a disk the build fails, and says where and why.
has_no_room() {
	umount "$work/disk"
	mount -t tmpfs -o "$1" cairn-disk "$work/disk" || return 1
	rm -f "$work/app.tar"
	build >"$work/full.log" 2>&1 && { echo "it fits"; return 1; }
	[ ! -e "$work/app.tar" ] || { echo "an output of a failed build"; return 1; }
	grep 'ERROR: failed' "$work/full.log" | grep -F "$work/disk/store" |
		grep -E 'No space left on device|almost full' || { cat "$work/full.log"; return 1; }
}
recovers() {
	mount -o remount,size=100m,nr_inodes=100k "$work/disk" && is_good
}
for size in 16k 1m 3m 5m; do
	check "a disk of $size is full" has_no_room "size=$size"
	check "... and goes on with more room" recovers
done
for inodes in 30 60; do
	check "a disk for $inodes files is full" has_no_room "size=100m,nr_inodes=$inodes"
	check "... and it is files that it lacks (H245)" grep -Eq 'takes -?[0-9]+ more files|and -?[0-9]+ files\)' "$work/full.log"
	check "... and goes on with more of them" recovers
done

# An image that is there stays there.
check "a first image" build -t localhost/first
echo more >"$work/context/f2"
printf 'COPY f2 /\nRUN dd if=/dev/zero of=/zeros bs=1M count=40; cp /zeros /two\n' >>"$work/context/Dockerfile"
mount -o remount,size=10m "$work/disk"
refuses "the next one does not fit" 'No space left|almost full' "$CAIRN" build -t localhost/next "$work/context"
check "... the first is whole" "$CAIRN" save -o "$work/first.tar" localhost/first

# Where overlays are refused, as on another overlay (H267), and there is no room for copies, it ends all the
# same.
mount -o remount,size=100m "$work/disk"
mkdir "$work/disk/lower" "$work/disk/upper" "$work/disk/work" "$work/merged"
if mount -t overlay -o "lowerdir=$work/disk/lower,upperdir=$work/disk/upper,workdir=$work/disk/work" overlay \
	"$work/merged" 2>/dev/null; then
	export CAIRN_ROOT="$work/merged/store"
	make_context
	check "a build in copies" build
	printf 'FROM localhost/app\nRUN echo more\n' >"$work/context/Dockerfile"
	mount -o remount,size=$(($(df -k --output=used "$work/disk" | tail -n 1) + 1100))k "$work/disk"
	refuses "copies have no room" 'No space left|almost full' \
		timeout -s KILL 30 "$CAIRN" build --progress=plain "$work/context"
	umount "$work/merged"
fi
umount "$work/disk"
export CAIRN_ROOT="$work/store"
summary

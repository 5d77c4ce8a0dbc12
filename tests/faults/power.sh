# The power fails (H240): what was reported done is there, and the rest does no harm. The file system is shut
# down as by a loss of power (EXT4_IOC_SHUTDOWN), without its journal or without its data.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh "$0"
fi
. ./parts.sh

truncate -s 96M "$work/disk.img"
mkdir "$work/disk"
if ! mkfs.ext4 -q "$work/disk.img" || ! mount -o loop "$work/disk.img" "$work/disk" 2>/dev/null; then
	echo "skipped: no loop device can be mounted here"
	summary
	exit
fi
export CAIRN_ROOT="$work/disk/store"

# power_fails FLAG: 1 journal written and data lost, 2 neither written.
power_fails() {
	python3 -c "import fcntl, os, struct
fcntl.ioctl(os.open('$work/disk', os.O_RDONLY), 0x8004587d, struct.pack('I', $1))" || return 1
	umount -l "$work/disk"
	wait_until mount -o loop "$work/disk.img" "$work/disk"
}
is_there() {
	"$CAIRN" save -o "$work/saved.tar" localhost/app && [ "$(sha256sum <"$work/saved.tar")" = "$saved" ] &&
		"$CAIRN" fsck --deep
}

check "a build on the disk" is_good
check "its image" "$CAIRN" save -o "$work/saved.tar" localhost/app
saved=$(sha256sum <"$work/saved.tar")
for flag in 1 2; do
	rm -rf "$CAIRN_ROOT"
	check "a new build" is_good
	check "power fails the moment after (flag $flag)" power_fails "$flag"
	check "... the image is there" is_there
	check "... and so is the cache" is_good
done

# At any moment of a build.
begin=$(date +%s%N)
check "a build without the cache" build --no-cache
length=$((($(date +%s%N) - begin) / 1000))
for moment in 1 2 3 4 5 6 7 8; do
	build --no-cache >/dev/null 2>&1 &
	pid=$!
	/bin/busybox usleep $((length * moment / 8))
	check "power fails in the middle ($moment)" power_fails $((moment % 2 + 1))
	kill -9 "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	check "... the image of before is there" is_there
	check "... and the next build is good" is_good
done
umount -l "$work/disk"
export CAIRN_ROOT="$work/store"
summary

# Full disks, missing folders, closed descriptors: one clear error, nothing half written.
. ../lib.sh

base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir -p "$work/big" "$work/small"
printf 'FROM scratch\nCOPY big /big\n' >"$work/big/Dockerfile"
dd if=/dev/urandom of="$work/big/big" bs=1M count=24 2>/dev/null

mount -t tmpfs -o size=8m,mode=700 tmpfs "$work/small" && trap 'umount "$work/small"; finish' EXIT
refuses "a full disk is named" 'the disk is almost full|no space left' env CAIRN_ROOT="$work/small/store" "$CAIRN" build -q "$work/big"
check "and leaves no blob" sh -c "! find '$work/small/store/blobs' -type f | grep ."
printf 'FROM scratch\nCOPY Dockerfile /\n' >"$work/big/Dockerfile.small"
check "the store is of use afterwards" env CAIRN_ROOT="$work/small/store" \
	"$CAIRN" build -q -f "$work/big/Dockerfile.small" "$work/big"

check "closed standard descriptors" sh -c "exec 0<&- 1>&- 2>&-; '$CAIRN' build -q '$work/base'"
check "a build prints its id only" sh -c "'$CAIRN' build -q '$work/base' | grep -Ex 'sha256:[0-9a-f]{64}'"
refuses "output to a full device" 'no space left|write' sh -c "'$CAIRN' build -q -o type=tar,dest=/dev/full '$work/base'"
summary

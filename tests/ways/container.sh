# In a container as Docker makes it by default: no namespaces, no mounts, on an overlay. Then without a
# seccomp profile, where a user namespace can be had, and as an ordinary user, where nothing can.
cp -a "$work/base" "$work/shared/context"
context=$work/shared/context

contained docker 0 sh -c "cairn build --progress=plain --iidfile /id $context; cat /id" >"$work/log"
check 'in a container, the same image as outside' equal "$root" "$(tail -n 1 "$work/log")"
check 'that a RUN is not kept apart is told in one line' equal \
	'WARNING: a RUN is not kept apart here, build only what you trust: namespaces are refused: Operation not permitted' \
	"$(grep WARNING "$work/log" | sed 's/ (.*//')"
contained none 0 sh -c "cairn build --progress=plain --iidfile /id $context; cat /id" >"$work/log"
check 'with a user namespace, too' equal "$root" "$(tail -n 1 "$work/log")"
check 'that each RUN copies its files' grep -q '^WARNING: each RUN copies its files first.*--root' "$work/log"
check 'and that /proc is the container'\''s' grep -q '^WARNING: a RUN sees the processes beside it' "$work/log"
contained none 0 sh -c "mkdir /dev/shm/x; cairn --root /dev/shm/x build --progress=plain $context" >"$work/log"
check 'on another file system it need not copy' sh -c '! grep "RUN copies" "$1" && grep "exporting" "$1"' - "$work/log"

printf 'FROM scratch\nCOPY rootfs /\n' >"$work/shared/context/files"
contained docker 1000 sh -c "cairn build --progress=plain -f $context/files $context; cairn build --progress=plain $context" >"$work/log"
check 'a user without namespaces copies files' grep -q '^#[0-9]* exporting' "$work/log"
check 'and hears why there is no RUN' grep -q '^ERROR: .*RUN: .*no user namespace is to be had here' "$work/log"

# In a chroot, whose "/" is no mount point.
cp -a "$work/lower" "$work/jail"
cp -a "$work/base" "$work/jail/context"
unshare -m sh -c 'for dir in proc dev usr lib lib64; do
		[ ! -d /$dir ] || { mkdir -p "$0/$dir" && mount --rbind /$dir "$0/$dir"; }
	done
	chroot "$0" /bin/sh -c "CAIRN_ROOT=/images cairn build --progress=plain --iidfile /id /context; cat /id"' \
	"$work/jail" >"$work/log" 2>&1
check 'in a chroot, the same image' equal "$root" "$(tail -n 1 "$work/log")"
check 'and it is told why a RUN is not kept apart' equal \
	'WARNING: a RUN is not kept apart here, build only what you trust: sandbox: cairn runs in a chroot, whose / is no mount point' \
	"$(grep WARNING "$work/log")"

# The file systems a command sees: /dev, /proc, /sys, mounts.
before=$(cut -d ' ' -f 4- /proc/self/mountinfo | sort)
sees '/dev has the usual nodes' \
	'full 1:7 666 0 null 1:3 666 0 random 1:8 666 0 tty 5:0 666 0 urandom 1:9 666 0 zero 1:5 666 0 ' \
	-- sh -c 'cd /dev; for n in full null random tty urandom zero; do stat -c "%n %t:%T %a %u" $n; done | tr "\n" " "'
sees 'and nothing else' 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ' \
	-- sh -c 'ls /dev | sort | tr "\n" " "'
sees 'links to the descriptors' '/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 pts/ptmx' \
	-- sh -c 'cd /dev; echo $(readlink fd) $(readlink stdin) $(readlink stdout) $(readlink stderr) $(readlink ptmx)'
sees 'the nodes work, also for an ordinary user' '7 refused ok' --uid 1000 --gid 1000 -- sh -c \
	'echo gone >/dev/null; n=$(head -c 7 /dev/zero | wc -c); { echo x >/dev/full; } 2>/dev/null || f=refused
	exec 3<>/dev/ptmx && echo $n $f ok'
sees 'terminals have a folder of their own' 'mode=620 ptmxmode=666 gid=5' -- sh -c \
	'o=$(awk "\$2 == \"/dev/pts\" { print \$4 }" /proc/mounts); for w in mode=620 ptmxmode=666 gid=5; do
	case ,$o, in *,$w,*) echo $w;; esac; done | tr "\n" " " | sed "s/ $//"'
sees '/dev/shm is 64 MiB for all' '65536 1777' -- sh -c 'echo $(df -k /dev/shm | awk "END { print \$2 }") $(stat -c %a /dev/shm)'
sees 'or what was asked for' '2048' --shm 2097152 -- sh -c 'df -k /dev/shm | awk "END { print \$2 }"'
sees 'devices can be made but not opened' 'b c refused refused' -- sh -c \
	'mknod /b b 7 0; mknod /c c 1 3; mknod /dev/x c 1 3; echo $(stat -c %F /b | cut -c 1) $(stat -c %F /c | cut -c 1) \
	$( (: </b) 2>/dev/null && echo opened || echo refused) $( (: </dev/x) 2>/dev/null && echo opened || echo refused)'
sees 'masked files of /proc and /sys tell nothing' '' -- sh -c \
	'for f in kcore keys timer_list latency_stats sched_debug timer_stats; do n=$(head -c 64 /proc/$f 2>/dev/null | wc -c); [ $n = 0 ] || echo $f; done
	for d in /proc/acpi /proc/scsi /proc/asound /sys/firmware /sys/devices/virtual/powercap; do n=$(ls $d 2>/dev/null | wc -l); [ $n = 0 ] || echo $d; done'
sees 'settings of the kernel are read-only' '' -- sh -c \
	'for f in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness /proc/sysrq-trigger /proc/irq/default_smp_affinity; do
	[ ! -e $f ] || { : >>$f; } 2>/dev/null && echo $f; done; :'
sees '/sys is read-only' 'sysfs ro refused' -- sh -c \
	'echo $(awk "\$2 == \"/sys\" { print \$3, substr(\$4, 1, 2) }" /proc/mounts) $(mkdir /sys/fs/cgroup/mine 2>/dev/null && echo made || echo refused)'
# H259: whatever this machine has for a default, which is not shown.
[ -n "$way" ] || sees 'overlayfs follows no folder elsewhere and keeps no part of a file' 'redirect_dir=nofollow' -- sh -c \
	'o=$(awk "\$2 == \"/\" { print \$4 }" /proc/mounts | tr , "\n"); echo "$o" | grep redirect_dir
	echo "$o" | grep -e metacopy=on -e index=on
	cd /sys/module/overlay/parameters && for p in metacopy index; do grep -q N $p || echo "$o" | grep -q $p=off || echo $p; done; :'
sees 'nothing can be mounted, and no namespace entered' '' -- sh -c 'mkdir /m
	try() { "$@" 2>/dev/null && echo "$*"; }
	try mount -t tmpfs none /m; try mount -o bind /etc /m; try mount -t proc none /m; try umount /proc/sys
	try mount -o remount,rw /proc/sys; try unshare -m true; try unshare -U true; try nsenter -t 1 -m true; :'
sees 'no mount of the host is left in sight' '/ /dev /dev/full /dev/mqueue /dev/null /dev/pts /dev/random /dev/shm /dev/tty /dev/urandom /dev/zero /etc/hosts /etc/resolv.conf /proc /sys ' \
	-- sh -c 'awk "{ print \$2 }" /proc/mounts | grep -v -e ^/proc/ -e ^/sys/ | sort | tr "\n" " "'
sees 'the first process cannot be looked into' 'refused' -- sh -c 'readlink /proc/1/exe || readlink /proc/1/root || cat /proc/1/environ 2>/dev/null || echo refused'
sees 'no network but lo' 'lo' --no-network -- ls /sys/class/net
sees 'and lo is up' 'up' --no-network -- sh -c 'ip addr show lo | grep -q "127.0.0.1" && echo up'
sees '/etc/hosts and /etc/resolv.conf' '127.0.0.1 nameserver 644 ro' -- sh -c \
	'echo $(cut -f 1 /etc/hosts) $(cut -d " " -f 1 /etc/resolv.conf) $(stat -c %a /etc/hosts) $(awk "\$2 == \"/etc/hosts\" { print substr(\$4, 1, 2) }" /proc/mounts)'
sees 'an insecure step may mount, and sees all' 'mounted 1' --insecure -- sh -c \
	'mkdir /m && mount -t tmpfs none /m && mknod /c c 1 3 && : </c && echo mounted $(grep -c "^Seccomp:.0" /proc/self/status)'

mkdir -p "$work/source/sub" "$work/cache"
echo given >"$work/source/sub/file"
sees 'a bind mount shows its source' 'given' --bind "$work/source/sub" /b -- cat /b/file
sees 'read-only' 'refused' --bind "$work/source/sub" /b -- sh -c 'echo x 2>/dev/null >/b/file || echo refused'
sees 'of one file' 'given' --bind "$work/source/sub/file" /f -- cat /f
sees 'writable when asked for' '' --bind-rw "$work/cache" /var/cache/x -- sh -c 'echo kept >/var/cache/x/file'
check 'and it stays there' equal kept "$(cat "$work/cache/file")"
sees 'an image' 'busybox' --image /bin /other -- sh -c 'ls /other/busybox | xargs -n 1 basename'
sees 'of which nothing can be changed' 'refused' --image /bin /other -- sh -c 'rm /other/busybox 2>/dev/null || echo refused'
sees 'unless the change is thrown away' 'gone' --image-rw / /other -- sh -c 'rm /other/bin/busybox && ls /other/bin/busybox 2>/dev/null || echo gone'
check 'thrown away it is' [ -f "$store/base/bin/busybox" ]
sees 'an empty directory in memory of a size' '1024 1777' --tmpfs /t 1048576 -- sh -c 'echo $(df -k /t | awk "END { print \$2 }") $(stat -c %a /t)'
sees 'a secret, for its owner only' 'hidden 400 refused' --file /run/secrets/s 0400 hidden -- sh -c \
	'echo $(cat /run/secrets/s) $(stat -c %a /run/secrets/s) $( (: >/run/secrets/s) 2>/dev/null || echo refused)'
sees 'a script' 'ran' --file /dev/pipes/EOF 0755 '#!/bin/sh
echo ran' -- /dev/pipes/EOF
sees 'mounts in one another, in whatever order' 'deep given' \
	--file /m/inner/deep 0444 deep --tmpfs /m/inner 0 --bind-rw "$work/cache" /m -- sh -c 'echo $(cat /m/inner/deep) given'
rm -rf "$work/cache" && mkdir "$work/cache"
sees 'of two mounts on one target the later one' 'two' --file /f 0444 one --file /f 0444 two -- cat /f
for target in / /proc /proc/self/attr /sys/kernel; do
	run --tmpfs $target 0 -- true >/dev/null
	check "a mount on $target is refused" grep -q '^input:' "$work/end"
done
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("up", flush=True)
while True:
    c = s.accept()[0]; c.sendall(b"re:" + c.recv(100)); c.close()' "$work/agent$way" >"$work/fifo" &
started="$started $!"
read -r _ <"$work/fifo"
sees 'an agent answers through a socket of the user'\''s own' 're:hello 600 1000' \
	--uid 1000 --gid 1000 --agent "$work/agent$way" /run/agent.0 -- sh -c \
	'echo $(talk to /run/agent.0 hello) $(stat -c "%a %u" /run/agent.0)'
check 'nothing is mounted on the host afterwards' \
	equal "$before" "$(cut -d ' ' -f 4- /proc/self/mountinfo | sort)"

# Without namespaces: what stands in for mounts, and that nobody and nothing is left.
way=--chroot
sees '/dev has nodes that work' '1:3 7 refused' -- sh -c 'echo gone >/dev/null
	{ echo x >/dev/full; } 2>/dev/null || echo $(stat -c %t:%T /dev/null) $(head -c 7 /dev/zero | wc -c) refused'
sees '/proc and /sys are empty' '0 0' -- sh -c 'echo $(ls /proc | wc -l) $(ls /sys | wc -l)'
sees '/etc/hosts and /etc/resolv.conf' '127.0.0.1 nameserver 644' -- sh -c \
	'echo $(cut -f 1 /etc/hosts) $(cut -d " " -f 1 /etc/resolv.conf) $(stat -c %a /etc/hosts)'
sees 'a working directory is made and owned by the user' '/new/dir 1000 1000 755' \
	--uid 1000 --gid 1000 --cwd /new/dir -- sh -c 'echo $(pwd) $(stat -c "%u %g %a" .)'
sees 'a user, a group and supplementary groups' '1000 50 50 77' \
	--uid 1000 --gid 50 --group 77 -- sh -c 'echo $(id -u) $(id -g) $(id -G)'
sees 'an image, of which a part' 'busybox' --image /bin /other -- sh -c 'ls /other/busybox | xargs -n 1 basename'
sees 'a secret, with its owner and mode' 'hidden 400 1000' --uid 1000 --gid 1000 --file /run/secrets/s 0400 hidden -- \
	sh -c 'echo $(cat /run/secrets/s) $(stat -c "%a %u" /run/secrets/s)'
sees 'in the place of another file' 'mine' --file /etc/passwd 0444 mine -- cat /etc/passwd
check 'which is back afterwards, unchanged' equal '. ' "$(upper)"
sees 'mounts in one another, in whatever order' 'deep busybox' \
	--file /m/inner/deep 0444 deep --tmpfs /m/inner 0 --image /bin /m -- sh -c 'echo $(cat /m/inner/deep) $(ls /m | grep -x busybox)'
check 'leave nothing behind' equal '. ' "$(upper)"
ends 'a command that removes what leads to a mount' 'exit 0 signal 0 ' --tmpfs /a/b/c 0 -- rm -r /a
check 'leaves nothing of it, either' equal '. ' "$(upper)"
for what in --no-network --insecure; do
	run $what -- true >/dev/null
	check "$what is refused" grep -q '^error: .* needs a namespace' "$work/end"
done

rm -rf "$store/cache" && mkdir -p "$store/cache/old" && chmod 1777 "$store/cache"
sees 'a cache lends what it has' 'old 1777' --bind-rw "$store/cache" /var/cache/x -- sh -c \
	'cd /var/cache/x; echo $(ls) $(stat -c %a .); echo new >new; rmdir old'
sees 'and gets what became of it' 'new 1777 ' --bind-rw "$store/cache" /var/cache/x -- sh -c 'cd /var/cache/x; echo $(ls) $(stat -c %a .) ""'
run --bind-rw "$store/cache" /c -- sh -c 'mkdir /c/dir && mv /c /elsewhere; exit 1' >/dev/null
check 'and has it back, also when the command fails, wherever it is' equal 'dir new ' "$(ls "$store/cache" | tr '\n' ' ')"
run --bind-rw "$store/cache" /c --bind-rw "$store/cache" /d -- true >/dev/null
check 'in two places at once it cannot be' grep -q 'in two places' "$work/end"
run --parallel 8 --bind-rw "$store/cache" /c -- sh -c 'n=$(cat /c/count 2>/dev/null || echo 0); echo $((n + 1)) >/c/count' >/dev/null
check 'who wants it at the same time waits' equal 8 "$(cat "$store/cache/count")"

ends 'an exit status' 'exit 42 signal 0 ' -- sh -c 'exit 42'
ends 'a signal' 'exit 139 signal 11 ' -- sh -c 'kill -SEGV $$'
ends 'a command that is not in PATH' \
	'exit 127 signal 0 no-such-tool: executable file not found in $PATH' -- no-such-tool
gone() {
	! grep -sl "^$1" /proc/[0-9]*/cmdline
}
leaves 'what outlives the command is killed before the end is told' '. ./started ' \
	-- sh -c '(trap "" HUP TERM INT; setsid sh -c "(sleep 311 & touch /started; exec sleep 312)") & until [ -e /started ]; do :; done'
check 'whoever its parent was' gone 'sleep.31[12]'
ends 'cancelled from another thread' 'error: cancelled' --cancel -- sh -c '(setsid sleep 313 &); echo running; sleep 313'
check 'a cancelled run leaves no process' gone sleep.313
"$OUT/tests/sandbox/drive" "$store" --chroot -- sh -c '(setsid sleep 314 &); echo up; exec sleep 314' >"$work/fifo" 2>/dev/null &
driver=$!
read -r _ <"$work/fifo"
kill -KILL $driver
wait $driver 2>/dev/null
check 'a killed builder takes its runs along' wait_until gone sleep.314
way=

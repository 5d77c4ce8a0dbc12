# The process: identity, environment, descriptors, signals, its end.
sees 'arguments arrive as they are' '[a b][][$X][*]' -- sh -c 'for a; do printf "[%s]" "$a"; done' sh 'a b' '' '$X' '*'
sees 'the environment is what was given and nothing else' 'A=b PATH=/bin ' \
	--env A=b -- sh -c 'tr "\0" "\n" </proc/$$/environ | sort | tr "\n" " "'
sees 'the command is a child of the first process, which is ours' '2 1' -- sh -c 'echo $$ $PPID'
sees 'no process of the host is visible' '1 2' -- sh -c 'set -- $(ls /proc | grep "^[0-9]"); echo $1 $2'
sees 'a user, a group and supplementary groups' '1000 50 50 77' \
	--uid 1000 --gid 50 --group 77 -- sh -c 'echo $(id -u) $(id -g) $(id -G)'
sees 'Docker'\''s capabilities, and none to inherit' \
	'CapInh:0000000000000000 CapPrm:00000000a80425fb CapEff:00000000a80425fb CapBnd:00000000a80425fb CapAmb:0000000000000000 ' \
	-- sh -c 'grep ^Cap /proc/self/status | tr -d "\t" | tr "\n" " "'
sees 'an ordinary user has no capabilities in effect' \
	'CapInh:0000000000000000 CapPrm:0000000000000000 CapEff:0000000000000000 CapBnd:00000000a80425fb CapAmb:0000000000000000 ' \
	--uid 1000 --gid 1000 -- sh -c 'grep ^Cap /proc/self/status | tr -d "\t" | tr "\n" " "'
sees 'a system call filter, and setuid programs still work' 'NoNewPrivs:0 Seccomp:2 ' \
	-- sh -c 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\t" | tr "\n" " "'
lower suid 'mkdir bin; cp ../base/bin/talk bin/suid; chown 7:7 bin/suid; chmod 4755 bin/suid'
sees 'a setuid program gets its owner' '7' --lower suid --lower base --uid 1000 --gid 1000 -- suid euid
sees 'a system call nobody knows does not exist' 'Function not implemented' -- talk call 9999
sees 'a forbidden one is not permitted' 'Operation not permitted' -- talk call mount
sees 'umask is 0022' '0022' -- sh -c umask
got=$(trap '' CHLD PIPE INT TERM; run -- sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status | tr -d "\t" | tr "\n" " "')
check 'signals that the caller ignores are not ignored' \
	equal 'SigBlk:0000000000000000 SigIgn:0000000000000000 ' "$got"
ends 'the end is seen by a caller that ignores SIGCHLD' 'exit 7 signal 0 ' -- sh -c 'exit 7'
(trap '' CHLD; run -- sh -c 'exit 7') >/dev/null
check 'and its status too' equal 'exit 7 signal 0 ' "$(cat "$work/end")"
sees 'standard input is empty' '0' -- wc -c
sees 'no terminal' 'none' -- sh -c '(: </dev/tty) 2>/dev/null && echo terminal || echo none'
sees 'a session of its own' '2 2' -- sh -c 'set -- $(cat /proc/$$/stat); echo $5 $6'
got=$(exec 3</ 4</etc 5</proc 6</ 7</ 8</; run -- ls -l /proc/self/fd | awk '/->/ { print $9 }' | tr '\n' ' ')
check 'no descriptor of the caller arrives' equal '0 1 2 ' "$got"
for fd in 3 4 5 6 7 8 9 10; do
	(exec 8</; run --cwd /proc/self/fd/$fd -- true) >/dev/null
	check "a working directory that is descriptor $fd is refused" grep -q '^[ei].*: sandbox: ' "$work/end"
done
ends 'a command is looked up in all of PATH' 'exit 3 signal 0 ' --path PATH=/none:/sbin:/bin -- sh -c 'exit 3'
got=$(run --uid 1000 --gid 1000 -- sh -c 'echo out >/dev/stdout; echo err >/dev/stderr' | cat)
check 'a user may open /dev/stdout' equal "$(printf 'out\nerr')" "$got"
sees 'the host name' 'buildkitsandbox' -- hostname
sees 'a limit' '123' --nofile 123 -- sh -c 'ulimit -n'
sees 'a working directory is made and owned by the user' '/new/dir 1000 1000 755' \
	--uid 1000 --gid 1000 --cwd /new/dir -- sh -c 'echo $(pwd) $(stat -c "%u %g %a" .)'
check 'and stays in the layer' equal '. ./new ./new/dir ' "$(upper)"
lower closed 'mkdir -m 700 closed'
sees 'a working directory that the user may not enter' '1000' \
	--lower closed --lower base --uid 1000 --gid 1000 --cwd /closed -- id -u
ends 'an exit status' 'exit 42 signal 0 ' -- sh -c 'exit 42'
ends 'a signal' 'exit 139 signal 11 ' -- sh -c 'kill -SEGV $$'
ends 'SIGKILL' 'exit 137 signal 9 ' -- sh -c 'kill -KILL $$'
ends 'a command that is not in PATH' \
	'exit 127 signal 0 no-such-tool: executable file not found in $PATH' -- no-such-tool
ends 'a path that is not there' 'exit 127 signal 0 /no/tool: no such file or directory' -- /no/tool
lower odd 'echo true >plain; printf "#!/no/such\n" >script; chmod 755 script; mkdir dir
	printf "#!/bin/sh\r\n" >dos; chmod 755 dos; : >empty; chmod 755 empty; echo hello >text; chmod 755 text
	printf "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0" >foreign; chmod 755 foreign'
odd() {
	sentence=$1 expected=$2
	shift 2
	ends "$sentence" "$expected" --lower odd --lower base -- "$@"
}
odd 'a file that is not executable' 'exit 126 signal 0 /plain: permission denied' /plain
odd 'a script without its interpreter' \
	'exit 126 signal 0 /script: its interpreter does not exist: /no/such' /script
odd 'a script with DOS line ends' \
	"exit 126 signal 0 /dos: its interpreter does not exist: /bin/sh$(printf '\r') (the line ends in a carriage return)" /dos
odd 'a directory' 'exit 126 signal 0 /dir: permission denied: is a directory' /dir
odd 'an empty file' 'exit 126 signal 0 /empty: exec format error: the file is empty' /empty
odd 'a text' 'exit 126 signal 0 /text: exec format error: neither a program nor a script with #!' /text
[ "$(uname -m)" = x86_64 ] &&
	odd 'a program for another machine' 'exit 126 signal 0 /foreign: exec format error: a program for arm64' /foreign
rm -rf "$store/odd"

ends 'orphans are reaped' 'exit 0 signal 0 ' -- sh -c 'i=0; while [ $i -lt 200 ]; do (true &); i=$((i+1)); done
	while grep -q "^State:.Z" /proc/[0-9]*/status 2>/dev/null; do :; done'
leaves 'what outlives the command is killed before the end is told' '. ./started ' \
	-- sh -c '(trap "" HUP TERM INT; setsid sh -c "touch /started; exec sleep 300") & until [ -e /started ]; do :; done'
check 'and nothing of it is left on the host' sh -c '! grep -sl "^sleep.300" /proc/[0-9]*/cmdline'
ends 'cancelled from another thread' 'error: cancelled' \
	--cancel -- sh -c '(setsid sleep 301 &) ; echo running; sleep 301'
check 'a cancelled run leaves no process' sh -c '! grep -sl "^sleep.301" /proc/[0-9]*/cmdline'
"$OUT/tests/sandbox/drive" "$store" -- sh -c 'echo up; exec sleep 302' >"$work/fifo" 2>/dev/null &
driver=$!
read -r _ <"$work/fifo"
kill -KILL $driver
wait $driver 2>/dev/null
check 'a killed builder takes its runs along (H306)' \
	wait_until sh -c '! grep -sl "^sleep.302" /proc/[0-9]*/cmdline'
sees 'output is not held open by what is left behind' 'done' -- sh -c 'sleep 300 & echo done'
run --parallel 32 --times 2 -- sh -c 'echo $$ >/mine && test "$(cat /mine)" = 2' >/dev/null
check '32 runs at once, twice (H304)' equal "$(yes 'exit 0 signal 0 ' | head -64)" "$(cat "$work/end")"

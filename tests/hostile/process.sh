# What a command is given, what it may do, and that all of it ends with the step.
image "$config"

# H207, H208, H225: who starts us may have made a mess.
shows 'a thousand descriptors stay outside' '0 1 2' <<'END'
FROM base AS t
RUN echo $(ls /proc/self/fd | head -n 3) >/out
END
printf 'FROM base\nRUN set -- $(ls /proc/self/fd); echo "open: $*"\n' >"$work/Dockerfile.fds"
python3 - "$CAIRN" "$work" "$ctx" >"$ctx.log" 2>&1 <<'END'
import os, subprocess, sys
cairn, work, ctx = sys.argv[1:]
fds = [os.open("/", os.O_RDONLY) for i in range(1000)]
for fd in fds:
    os.set_inheritable(fd, True)
sys.exit(subprocess.call([cairn, "build", "--progress=plain", "--build-context", "base=oci-layout://" + work + "/layout",
                          "-f", work + "/Dockerfile.fds", ctx], close_fds=False))
END
check 'no descriptor of the caller is open in a command' grep -q 'open: 0 1 2 3$' "$ctx.log"
printf 'FROM base AS t\nRUN exit 7\n' >"$work/Dockerfile.exit"
refuses 'the status of a command is seen by who ignores SIGCHLD' 'exit code: 7' \
	env --ignore-signal=CHLD,PIPE,TERM --block-signal=CHLD,INT,TERM,USR1 \
	$as "$CAIRN" build --progress=plain --build-context "base=oci-layout://$work/layout" -f "$work/Dockerfile.exit" "$ctx"
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
	(eval "plain exit >'$work/null' 2>&1 $closed")
	check "with $closed it fails as well" [ $? -eq 1 ]
done
# H033: no folder for temporary files is asked for, whatever the caller names.
for place in '' relative /no/such /proc "$work/victim"; do
	(cd "$work/tmp" && TMPDIR=$place plain exit >"$ctx.log" 2>&1)
	check "with TMPDIR=$place as well" grep -q 'exit code: 7$' "$ctx.log"
done
check 'and nothing is left there' sh -c '! ls -A "$0" | grep .' "$work/tmp"
check 'and no log is in a file of the store' sh -c "! grep -rlaF 'exit code: 7' '$CAIRN_ROOT'"
unharmed_by 'a messy start'

# H209, H210: input and terminals.
shows 'a command reads nothing' '0 1' <<'END'
FROM base AS t
RUN n=$(cat | wc -c); read -r x; echo $n $? >/out
END
printf 'FROM base\nRUN --mount=type=cache,target=/none talk push x 2>&1; (: </dev/tty) 2>&1; tty || :\n' >"$work/Dockerfile.tty"
python3 - "$CAIRN" "$work" "$ctx" >"$ctx.log" 2>&1 <<'END'
import os, pty, sys
cairn, work, ctx = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(cairn, [cairn, "build", "--progress=plain", "--build-context", "base=oci-layout://" + work + "/layout",
                     "-f", work + "/Dockerfile.tty", ctx])
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    sys.stdout.write(data.decode())
os.waitpid(pid, 0)
END
check 'a build at a terminal ends' grep -q 'writing image' "$ctx.log"
check 'a command has none to type into (H210)' equal 'not a tty' \
	"$(grep -o 'not a tty' "$ctx.log" | sort -u)"
check 'nothing was typed' sh -c "! grep -q 'pushed' '$ctx.log'"

# H031: what needs consent.
for flag in --security=insecure --network=host; do
	fails "RUN $flag without consent" 'not allowed|entitlement' <<-END
		FROM base
		RUN $flag id
	END
done
for flag in --security=INSECURE --security=x --security= --network=HOST --network=bridge --network= --device=/dev/kvm; do
	fails "RUN $flag" 'security|network|device' --allow security.insecure --allow network.host <<-END
		FROM base
		RUN $flag id
	END
done
fails 'consent in the Dockerfile is none' 'not allowed|entitlement' <<'END'
# syntax=docker/dockerfile:1-labs
FROM base
ARG BUILDKIT_ALLOW=security.insecure
RUN --security=insecure id
END

# H055, H211, H212, H213, H214, H219: the kernel.
shows 'what no command may do' '' <<'END'
FROM base AS t
RUN try() { "$@" >/dev/null 2>&1 && echo "$*"; }; may() { (: >>$1) 2>/dev/null && echo $1; }; { \
    try mount -t tmpfs none /tmp; try mount --bind /etc /tmp; try umount /proc; try umount /dev/shm; try hostname evil; \
    try unshare -m true; try unshare -U true; try chroot / mount -t proc none /proc; try swapoff -a; try insmod /x; \
    try dmesg; try ip link set lo down; try mknod /tmp/x p x; \
    may /proc/sysrq-trigger; may /proc/sys/kernel/core_pattern; may /proc/sys/vm/overcommit_memory; \
    may /proc/irq/default_smp_affinity; may /proc/bus/x; may /proc/acpi/wakeup; may /sys/fs/cgroup/cgroup.procs; \
    may /sys/kernel/uevent_helper; may /sys/power/state; may /proc/fs/x; \
    for d in /sys/fs/cgroup /sys/fs/cgroup/*; do try mkdir $d/evil; may $d/release_agent; may $d/notify_on_release; done; \
    mknod /tmp/disk b 8 0 && try dd if=/tmp/disk of=/dev/null count=1; rm -f /tmp/disk; \
    for n in 250 248 249 321 298 304 323; do talk call $n | grep -v -e 'not permitted' -e 'not implemented'; done; \
    talk call 9999 | grep -v 'not implemented'; } >/out 2>/dev/null; true
END
for call in 334 439 437; do # rseq, faccessat2, openat2: C libraries ask and fall back
	shows "system call $call exists or does not: it is not forbidden" '' <<-END
		FROM base AS t
		RUN talk call $call | grep 'not permitted' >/out; true
	END
done

# H218: no network.
shows 'RUN --network=none has none' 'lo refused' <<'END'
FROM base AS t
RUN --network=none echo $(ls /sys/class/net) $(wget -q -T 1 -O - http://127.0.0.1:1/ 2>/dev/null || echo refused) >/out
END
unharmed_by 'the kernel'

# H220, H221, H222, H237: survivors, orphans, floods.
printf '#!/bin/sh\ni=0; while [ $i -lt 500 ]; do (true &) ; i=$((i+1)); done; echo started >/started\n' >"$ctx/orphans"
shows 'what is left running is gone before its files are looked at' 'same' <<'END'
FROM base AS a
RUN (trap '' TERM HUP INT; setsid sh -c 'while :; do echo x >>/f; done') & (setsid sleep 1000 &) ; until [ -s /f ]; do :; done
FROM base AS t
COPY --from=a /f /1
COPY --from=a /f /2
RUN cmp /1 /2 && echo same >/out
END
shows 'hundreds of orphans' 'started' <<'END'
FROM base AS t
COPY --chmod=755 orphans /
RUN /orphans && cp /started /out
END
shared=$(wc -l </proc/sysvipc/shm)
shows 'shared memory of System V goes with its step' '' <<'END'
FROM base AS t
RUN talk share; talk share; touch /out
END
check 'and is none of the host' [ "$(wc -l </proc/sysvipc/shm)" -eq "$shared" ]
printf 'FROM base\nRUN yes 0123456789abcdef | head -c 20000000; head -c 10000000 /dev/zero; printf "half"; exit 3\n' >"$work/Dockerfile.flood"
python3 - "$CAIRN" "$work" "$ctx" >"$ctx.log" <<'END'
import resource, subprocess, sys
cairn, work, ctx = sys.argv[1:]
p = subprocess.run([cairn, "build", "--progress=plain", "--build-context", "base=oci-layout://" + work + "/layout",
                    "-f", work + "/Dockerfile.flood", ctx], capture_output=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
# A sanitizer has a memory of its own.
limit = 1024 if b"__asan_init" in open(cairn, "rb").read() else 64
print(p.returncode, "small" if peak < limit << 10 else peak, "clipped" if len(p.stderr) < 8 << 20 else len(p.stderr),
      p.stderr.count(b"half") > 1)
END
check 'thirty megabytes of output (H239)' equal '1 small clipped True' "$(cat "$ctx.log")"
unharmed_by 'survivors and floods'

# H223: ends, with the message of each.
ends() {
	fails "$1 ends with $2" "did not complete successfully: exit code: $2${4:-}\$" <<-END
		FROM base
		RUN $3
	END
}
ends 'SIGSEGV' 139 'kill -SEGV $$'
ends 'SIGKILL' 137 'kill -KILL $$'
ends 'a status of 255' 255 'exit 255'
ends 'no such command' 127 '["no-such-tool"]' '.*not found.*'
ends 'a file that is no program' 126 '["/etc/passwd"]' '.*permission denied.*'

# H235: nothing of the caller's own settings.
printf 'FROM base AS t\nRUN echo "is: $(umask) $(ulimit -c) $(cat /proc/self/oom_score_adj) $(hostname) [$TZ] $(cut -d " " -f 19 /proc/self/stat) $(pwd)"\n' \
	>"$work/Dockerfile.settings"
plain settings >"$ctx.log" 2>&1
check 'umask and host name are fixed' grep -q 'is: 0022 .* buildkitsandbox \[\] .* /$' "$ctx.log"
cp "$ctx.log" "$work/settings.log"
(umask 077; export TZ=Asia/Tokyo; cd /usr; plain settings --no-cache >"$ctx.log" 2>&1)
check 'whatever those of the caller are' equal "$(grep -o 'is: .*' "$work/settings.log" | tail -n 1)" \
	"$(grep -o 'is: .*' "$ctx.log" | tail -n 1)"
printf 'FROM base AS t\nRUN echo "is: $(ulimit -Sn) $(ulimit -Hn)"\n' >"$work/Dockerfile.files"
for soft in 64 4096; do
	(ulimit -Sn $soft; ulimit -Hn 5000; plain files --no-cache >"$ctx.log" 2>&1)
	check "open files are as usual, whether the caller has $soft" grep -q 'is: 1024 5000$' "$ctx.log"
done
shows 'limits, memory to share, a name and hosts are what is asked for' '70 80 7 2048 me.test 192.0.2.9 2001:db8::9' \
	--ulimit nofile=70:80 --ulimit cpu=7 --shm-size 2m --hostname me.test \
	--add-host four:192.0.2.9 --add-host 'six=[2001:db8::9]' <<'END'
FROM base AS t
RUN echo $(ulimit -Sn) $(ulimit -Hn) $(ulimit -t) $(df -k /dev/shm | awk 'END { print $2 }') $(hostname) \
    $(awk '$2 == "four" || $2 == "six" { print $1 }' /etc/hosts) >/out
END
for wrong in 'nofile=999999999999:limit "nofile", which is above'; do
	fails "--ulimit ${wrong%%:*}" "${wrong#*:}" --ulimit "${wrong%%:*}" <<-'END'
		FROM base
		RUN true
	END
done
for name in 'a b' "$(printf 'a\n192.0.2.1 b')" "$(printf %065d 0)" a/b; do
	fails 'a host name that is none' 'invalid host name for a RUN' --hostname "$name" <<-'END'
		FROM base
		RUN true
	END
done

# H234: where a command's variables come from.
variables() {
	sentence=$1 expected=$2
	shift 2
	{ cat; printf 'RUN env | grep -vE "^(PWD|SHLVL)=" | sort >/out\n'; } |
		shows "$sentence" "$(echo "$expected" | tr ' ' '\n')" "$@"
}
image '{}'
usual=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
variables 'an image that sets none' "HOME=/root $usual" <<'END'
FROM base AS t
END
variables 'a path of its own, and one that is empty, stay' 'A= HOME=/ PATH=/bin' <<'END'
FROM base AS t
ENV PATH=/bin HOME=/ A=
END
variables 'the last of ENV and ARG counts' "A=arg B=env C=given E=default HOME=/root $usual" \
	--build-arg C=given --build-arg UNUSED=x --build-arg D=x <<'END'
FROM base AS t
ENV A=env
ARG A=arg
ARG B=arg
ENV B=env
ARG C=default
ARG E=default
ARG F
END
variables 'proxies are for all, in both letters' \
	"HOME=/root HTTP_PROXY=http://p N=1 NO_PROXY=x $usual http_proxy=http://p no_proxy=x" \
	--build-arg http_proxy=http://p --build-arg NO_PROXY=x <<'END'
FROM base AS t
ENV N=1
END
build --target t --build-arg http_proxy=http://p -o "type=oci,dest=$work/proxied.tar" <"$work/shown"
check 'and stay out of the image' sh -c 'mkdir "$0" && tar -C "$0" -xf "$0.tar" && cd "$0/blobs/sha256" &&
	grep -l "\"history\"" * >../config && grep -q N=1 "$(cat ../config)" && ! grep -i proxy= "$(cat ../config)"' "$work/proxied"
image "$config"

# H239: what is printed cannot speak to a terminal.
printf 'FROM base\nRUN printf "\\033]0;title\\007 a\\rb \\033[2J half"; printf "\\377\\376\\n"\n' >"$work/Dockerfile.ansi"
plain ansi >"$ctx.log" 2>&1
check 'escape sequences are not passed on' sh -c "! tr -d '\n\t -~\302-\364\200-\277' <'$ctx.log' | grep -aq ."

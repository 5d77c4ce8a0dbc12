# --memory, --cpus, --pids-limit and their like: control groups.

# groups: those of the build that was started here; others may be at work on this machine.
groups() { find /sys/fs/cgroup -type d -name "cairn.$building.*" 2>/dev/null; }
no_groups() { ! groups | grep .; }

# swept: a build does that once what was killed has ended.
swept() {
	build --cpuset-cpus 0 --cpus 0.5 -m 64m
	no_groups
}

# setting V1 V2: what is written in that file of the group of the build that is under way.
setting() { cat $(groups | sed "s|\$|/$1|") $(groups | sed "s|\$|/$2|") 2>/dev/null | head -n 1; }

# Whoever may make groups tries them; the others are told (below).
if find /sys/fs/cgroup -name cgroup.procs -path '*memory*' -writable 2>/dev/null | grep -q . ||
	grep -qw memory /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
	file 'RUN dd if=/dev/zero of=/dev/null bs=90M count=1; exit 3\n'
	check "a RUN has no more memory than it is given" fails --memory 20m
	check "... and that is said" logs 'did not complete successfully: cannot allocate memory$'
	check "... enough is enough" fails --memory 1g
	check "... and that is its own failure" logs 'exit code: 3$'
	file 'RUN i=0; while [ $i -lt 60 ]; do usleep 9000000 & i=$((i+1)); done; echo all\n'
	check "a RUN has no more processes than it is given" fails --pids-limit 30
	check "... and finds out" logs "can't fork"
	check "... enough is enough" build --pids-limit 100
	file 'RUN echo $(nproc) processor; while true; do usleep 100000; done\n'
	"$CAIRN" build --progress=plain --cpuset-cpus 0 --cpus 0.5 -c 512 -m 64m "$ctx" >"$work/log" 2>&1 &
	building=$!
	check "a RUN has its processors" wait_until logs '^#[0-9]+ [0-9.]+ 1 processor$'
	check "... half of one" sh -c 'case $1 in 50000 | "50000 100000") ;; *) echo "$1"; exit 1 ;; esac' - \
		"$(setting cpu.cfs_quota_us cpu.max)"
	check "... a weight" sh -c 'case $1 in 512 | 20) ;; *) echo "$1"; exit 1 ;; esac' - "$(setting cpu.shares cpu.weight)"
	check "... and memory" [ "$(setting memory.limit_in_bytes memory.max)" = $((64 << 20)) ]
	kill -KILL $building
	wait $building 2>/dev/null
	file 'RUN exit 4\n'
	check "the groups of a killed build are removed by a later one" wait_until swept
	check "a group may be named" sh -c '"$0" build --progress=plain --cgroup-parent cairn-test -m 64m "$1" 2>&1 | grep "exit code: 4"' "$CAIRN" "$ctx"
	check "... where they are then" sh -c 'find /sys/fs/cgroup -type d -name cairn-test | grep .'
	find /sys/fs/cgroup -type d -name cairn-test -exec rmdir {} +
fi
file 'RUN echo built\n'
unshare -m sh -c 'mount -t tmpfs tmpfs /sys/fs/cgroup && exec "$@"' - \
	"$CAIRN" build --progress=plain --no-cache -m 64m "$ctx" >"$work/log" 2>&1
check "without groups a RUN runs" logs 'DONE'
check "... and that is said" logs 'the limits of memory, processors and processes are not kept here: '
if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	unshare -m sh -c 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"' - \
		"$CAIRN" build --progress=plain --no-cache -m 64m "$ctx" >"$work/log" 2>&1
	check "... with the reason" logs 'not kept here: there is no controller "memory" in /sys/fs/cgroup'
	check "... and all the same" logs 'DONE'
fi
refuses "memory has a unit that is one" '--memory: invalid size: .20x' "$CAIRN" build -m 20x "$ctx"
refuses "a little is too little" '--memory 5m: the minimum is 6MB' "$CAIRN" build -m 5m "$ctx"
refuses "swap is more than memory" '--memory-swap 10m: memory and swap' "$CAIRN" build -m 20m --memory-swap 10m "$ctx"
refuses "processors are a number" '--cpus: invalid number: 1e3' "$CAIRN" build --cpus 1e3 "$ctx"
refuses "... and not two" 'cannot be used together' "$CAIRN" build --cpus 1 --cpu-quota 5000 "$ctx"
refuses "processes are a number" '--pids-limit: invalid number: -2' "$CAIRN" build --pids-limit -2 "$ctx"
refuses "processors have no names" '--cpuset-cpus: invalid value: 0;1' "$CAIRN" build --cpuset-cpus '0;1' "$ctx"
refuses "a group does not lead elsewhere" '--cgroup-parent: invalid value: /../x' "$CAIRN" build --cgroup-parent /../x "$ctx"
refuses "... nor has lines" '--cgroup-parent: invalid value' "$CAIRN" build --cgroup-parent 'a
b' "$ctx"

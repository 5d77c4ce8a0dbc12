# An ordinary user: root in a user namespace, with one id or with subordinate ones.
user=$work/user
mkdir -p "$user" && cp -a "$store/base" "$user/base" && chown -hR 65534:65534 "$user" && chmod 755 "$work"
cp "$OUT/tests/sandbox/drive" "$user/drive"
way=

# As nobody; in a mount namespace of its own, so that /etc/subuid can be ours.
ordinary() {
	ids=$1
	shift
	unshare -m sh -c 'printf "%s" "$0" >"$1/ids"
		mount --bind "$1/ids" /etc/subuid && mount --bind "$1/ids" /etc/subgid
		store=$1; shift; cd /
		exec setpriv --reuid 65534 --regid 65534 --clear-groups "$store/drive" "$store" "$@"' \
		"$ids" "$user" "$@" 2>&1 9>"$work/end" </dev/null
}

as_user() {
	sentence=$1 expected=$2 ids=$3
	shift 3
	got=$(ordinary "$ids" "$@")
	check "$sentence" equal "$expected" "$got"
}

subids='nobody:200000:65536
'
for ids in '' "$subids"; do
	as_user 'an ordinary user is root inside' '0 0' "$ids" -- sh -c 'echo $(id -u) $(id -g)'
	check 'what it makes is its own' equal '. ' "$(cd "$user/upper" && find . | tr '\n' ' ')"
	as_user 'the nodes of /dev work' '7 1:3' "$ids" -- sh -c \
		'echo gone >/dev/null; echo $(head -c 7 /dev/zero | wc -c) $(stat -c %t:%T /dev/null)'
	as_user 'masks hold' '0 0' "$ids" -- sh -c 'echo $(head -c 9 /proc/keys | wc -c) $(ls /sys/firmware | wc -l)'
	as_user '/sys is read-only' refused "$ids" -- sh -c 'mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused'
	as_user 'nothing can be mounted' refused "$ids" -- sh -c 'mount -t tmpfs none /tmp 2>/dev/null || echo refused'
	as_user 'no network' lo "$ids" --no-network -- ls /sys/class/net
	as_user 'files in memory' hidden "$ids" --file /run/secrets/s 0400 hidden -- cat /run/secrets/s
	as_user 'deleting' '' "$ids" -- rm /etc/passwd
	check 'makes a whiteout' equal 'character special file' "$(stat -c %F "$user/upper/etc/passwd")"
	as_user 'a copied tree' 0 "$ids" --copy -- id -u
	chown -hR 65534:65534 "$user/base"
done
as_user 'subordinate ids are users of their own' '1000 1000 50' "$subids" --uid 1000 --gid 1000 --group 50 \
	--cwd /tmp/new -- sh -c 'touch /tmp/new/f; stat -c "%u %g" /tmp/new/f | tr "\n" " "; id -G | cut -d " " -f 2'
check 'on the disk, too' equal 200999 "$(stat -c %u "$user/upper/tmp/new/f")"
rm -rf "$user/upper"
ordinary '' -- true >/dev/null
check 'with one id only, it says so' grep -q 'no ids for this user in /etc/subuid' "$work/end"

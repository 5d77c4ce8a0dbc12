# Networks of a RUN: this machine's, none, and one that pasta or slirp4netns makes.
mkdir -p "$work/net"
printf 'FROM base\nARG WHERE=127.0.0.1\nARG PORT\nRUN cut -d: -f1 /proc/net/dev; echo "got $(busybox nc -w 5 $WHERE $PORT </dev/null 2>&1)"; cat /etc/resolv.conf /etc/hosts\n' \
	>"$work/net/Dockerfile"
chmod -R a+rX "$work/net" "$work/base"
mkfifo "$work/port"
PORT_FILE=$work/port python3 -c 'import socket, os
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
open(os.environ["PORT_FILE"], "w").write("%d\n" % s.getsockname()[1])
while True:
    c = s.accept()[0]; c.sendall(b"the host"); c.close()' &
started="$started $!"
read -r port <"$work/port"

# network WORD [FLAG...]: a build with that network, as $user; what its RUN says is in $work/log.
network() {
	mode=$1
	shift
	set -- "$work/shared/cairn" build --progress=plain --no-cache --network="$mode" --build-arg PORT="$port" \
		--build-context "base=$work/base/rootfs" "$@" "$work/net"
	[ "$user" = root ] && { "$@" >"$work/log" 2>&1; return; }
	runuser -u "$user" -- env -i HOME="$work/$user" PATH="$PATH" "$@" >"$work/log" 2>&1
}
saw() { grep -Eq "^#[0-9]+ [0-9.]+ +$1" "$work/log"; }

user=root
network default
check 'by default a RUN has the network of this machine' saw 'got the host$'
network none
check 'with none it reaches nobody' saw 'got .*(refused|unreachable)'
check '... and has no other interface' sh -c '[ "$(grep -cE " (lo|[a-z]+[0-9]+)$" "$1")" -eq 1 ]' - "$work/log"
network default --add-host gate:host-gateway --build-arg WHERE=gate
check 'the gateway of a shared network is this machine' saw 'got the host$'
network slirp4netns
check 'with slirp4netns it has an interface' saw 'tap0$'
check '... does not reach what listens on this machine only' saw 'got .*refused'
check '... asks its name server' saw 'nameserver 10.0.2.3$'
network slirp4netns --add-host gate:host-gateway --build-arg WHERE=gate
check '... unless it is given the gateway' saw 'got the host$'
network pasta
check '... who else' grep -q '^ERROR: .*pasta is for ordinary users: take --network=slirp4netns as root' "$work/log"
for program in pasta slirp4netns; do
	refuses "without $program that is said at once" "--network=$program: there is no program $program here \(Debian and Ubuntu have it in the package" \
		env PATH=/no/such "$CAIRN" build --network=$program "$work/net"
done
refuses 'other networks are not known' 'network mode "bridge" not supported: use default, none, host, pasta or slirp4netns' \
	"$CAIRN" build --network=bridge "$work/net"
refuses 'pasta has no gateway' 'there is no gateway with --network=pasta' \
	"$CAIRN" build --network=pasta --add-host gate:host-gateway "$work/net"

# Ordinary users need the device, which not every machine lets them have.
if mknod -m 666 "$work/tun" c 10 200 && (: <>"$work/tun") 2>/dev/null; then
	mount --bind "$work/tun" /dev/net/tun
	for user in $many $one; do
		network slirp4netns
		check 'an ordinary user has slirp4netns, too' saw 'tap0$'
		check '... which keeps apart' saw 'got .*refused'
		network pasta
		check '... and pasta' saw 'nameserver 169.254.1.1$'
		check '... which keeps apart, too' saw 'got .*refused'
	done
	umount /dev/net/tun
	network slirp4netns
	check 'who may not have the device hears why' grep -q '^ERROR: .*slirp4netns cannot give this RUN a network: .*tun' "$work/log"
fi
check 'no program is left' sh -c '! grep -lE "^(slirp4netns|pasta)" /proc/[0-9]*/comm'

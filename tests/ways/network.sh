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

# H229: a stub resolver on loopback, as of systemd, is asked through the network of a RUN's own.
# Where no server can be, others stand in, and that is said. In a network where port 53 is ours.
printf 'nameserver 127.0.0.53\nsearch lan\n' >"$work/resolv.stub"
printf 'nameserver 2001:db8::53\n' >"$work/resolv.six"
printf 'FROM base\nRUN cat /etc/resolv.conf; busybox nslookup -type=a web.test || true\n' >"$work/net/names"
printf 'FROM base\nRUN cat /etc/resolv.conf\n' >"$work/net/servers"
cat >"$work/names.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
if os.fork():
    os._exit(0)  # ready
s.settimeout(20)
q, who = s.recvfrom(512)
end = q.index(b"\0", 12) + 5
s.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", who)
END
unshare -n -m sh -c 'busybox ip link set lo up && python3 "$1/names.py" || exit
	build() { "$1/shared/cairn" build --progress=plain --no-cache --network=slirp4netns \
		--build-context "base=$1/base/rootfs" -f "$1/net/$2" "$1/net"; }
	mount --bind "$1/resolv.stub" /etc/resolv.conf && build "$1" names >"$1/stub.log" 2>&1
	mount --bind "$1/resolv.six" /etc/resolv.conf && build "$1" servers >"$1/six.log" 2>&1' - "$work"
cp "$work/stub.log" "$work/log"
check 'a stub resolver on loopback is asked through slirp4netns' saw 'Address: 192.0.2.7$'
check '... and the rest of its file is kept' saw 'search lan$'
cp "$work/six.log" "$work/log"
check 'where only IPv6 servers are, public ones are asked' saw 'nameserver 8.8.8.8$'
check '... and that is said' grep -q '^#[0-9]* /etc/resolv.conf names no server with an IPv4 address: this RUN asks' "$work/log"

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

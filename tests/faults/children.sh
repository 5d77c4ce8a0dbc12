# Children made while threads work make system calls only until they are other programs; a process forks
# only while it has one thread (H303).
. ./parts.sh
preloaded
mkdir "$work/helpers"
printf '#!/bin/sh\nexec cat >"${0%%/*}/asked"\n' >"$work/helpers/docker-credential-none"
chmod 755 "$work/helpers/docker-credential-none"
echo '{"credsStore":"none"}' >"$work/helpers/config.json"

# only KINDS COMMAND...: it succeeds, and makes children of these kinds, without a complaint.
only() {
	kinds=$1
	shift
	: >"$work/children.log"
	env CHILDREN_LOG="$work/children.log" LD_PRELOAD="$OUT/tests/faults/children.so" "$@" &&
		says "$kinds" sort -u "$work/children.log"
}
rm -rf "$CAIRN_ROOT"
check "commands, beside threads" only clone "$CAIRN" build --no-cache --jobs 4 -t localhost/app "$work/context"
mkdir "$work/home"
chmod 755 "$work" && chown 65534 "$work/home" "$work/children.log"
printf 'FROM base\nRUN true\n' >"$work/user"
check "those of an ordinary user, who needs a process to be mapped" only "$(printf 'clone\nfork')" \
	env -u CAIRN_ROOT HOME="$work/home" setpriv --reuid=65534 --regid=65534 --clear-groups \
	"$CAIRN" build -q --build-context "base=$work/context/rootfs" -f "$work/user" "$work/context"
check "programs that keep passwords" only "" \
	env DOCKER_CONFIG="$work/helpers" PATH="$work/helpers:$PATH" "$CAIRN" logout localhost:1
check "... which were started" test -e "$work/helpers/asked"
summary

# What a build leaves to be removed, another one removes while it waits for a command.
. ../lib.sh

base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir "$work/context"
printf 'FROM localhost/base\nRUN true\n' >"$work/context/Dockerfile"
check "a build" "$CAIRN" build -q -t localhost/app "$work/context"
check "and again" "$CAIRN" build -q --no-cache -t localhost/app "$work/context"
waste() { ls -d "$CAIRN_ROOT"/tmp/*/waste/*; }
check "leave a little" waste

cat >"$work/context/Dockerfile" <<'END'
FROM localhost/base
RUN --mount=type=cache,target=/told until [ -e /told/on ]; do sleep 0.1; done
END
"$CAIRN" build -q "$work/context" >"$work/log" 2>&1 &
building=$!
nothing_left() { ! waste; }
check "which is removed while a command runs" wait_until nothing_left
go_on() { set -- "$CAIRN_ROOT"/mounts/*/ && touch "$1/on"; }
check "the command" wait_until go_on
check "ends well" wait "$building"
check "and collection removes it, too" "$CAIRN" prune -f
check "all of it" nothing_left
summary

# --on-fail=keep, cairn debug, --on-fail=shell: a failed step is entered.

# kept: the newest failed step's name.
kept() { sed -n 's/^The failed step is kept. To enter it: cairn .*debug.* \([0-9a-f]*\)$/\1/p' "$work/log"; }

# inside WORD...: the command in the failed step, which gets its secret.
inside() { "$CAIRN" debug $how --secret id=k,env=PATIENCE_K "$id" "$@" </dev/null 2>/dev/null; }

# user EXPECT SEND...: a user who is at a terminal, and types that to $typed; seen is in $work/log.
user() { TERM=vt100 python3 "$here/terminal.py" "$CAIRN" $typed -- "$@" >"$work/log" 2>&1; }

# tidy: nothing under way is left in the store, nobody is left, nothing is mounted.
tidy() {
	! ls "$CAIRN_ROOT/tmp" | grep -E '^[0-9]+\.[0-9]+$' || return 1
	no_process 'sleep.4[1][01]' || return 1
	! grep "$CAIRN_ROOT" /proc/self/mountinfo
}

export PATIENCE_K=correct-horse-battery
echo of the context >"$ctx/file"
file 'ENV A=b\nWORKDIR /w\nRUN chmod 1777 /tmp && mkdir /gone\nUSER app\nRUN --mount=type=secret,id=k,uid=1000 --mount=type=secret,id=k,env=K \\
	--mount=type=cache,target=/kept,uid=1000 --mount=type=tmpfs,target=/t --mount=type=bind,target=/ctx \\
	--network=none echo made >/tmp/made; echo cached >/kept/cached; echo "back\\\\\\\\slash\\t"; exit 7\n'
for way in overlay userns copy chroot; do
	how="--isolation $way"
	[ $way != chroot ] || sed -i 's/--network=none//' "$ctx/Dockerfile"
	check "a failed step is kept ($way)" fails $how --secret id=k,env=PATIENCE_K --on-fail=keep
	id=$(kept)
	check "... it has the files that the command left" says made inside cat /tmp/made
	check "... its environment" says 'b correct-horse-battery /home/app' inside sh -c 'echo $A $K $HOME'
	check "... its user and folder" says '1000 1000 /w' inside sh -c 'echo $(id -u) $(id -G) $(pwd)'
	check "... its secrets" says $PATIENCE_K inside cat /run/secrets/k
	check "... its caches" says cached inside cat /kept/cached
	check "... its context" says 'of the context' inside cat /ctx/file
	check "... the end of a command is told" sh -c '"$@"; [ $? -eq 9 ]' - "$CAIRN" debug $how "$id" sh -c 'exit 9'
	check "... what it changes is forgotten" inside sh -c 'rm /tmp/made && touch /tmp/new'
	check "... each time" says '/tmp/made' inside sh -c 'echo /tmp/*'
	check "... it can be removed" "$CAIRN" debug --rm "$id"
	check "... and is gone" sh -c '! ls "$0/failed" | grep .' "$CAIRN_ROOT"
done
check "nothing is left of it" tidy
check "no secret was written" nowhere $PATIENCE_K

file 'RUN echo made >/made; exit 5\n'
how=
check "without the flag nothing is kept" fails
check "... nor said" silent 'failed step'
refuses "what happens to a failed step is one of three" '--on-fail often: use error, keep or shell' \
	"$CAIRN" build --on-fail often "$ctx"
refuses "a shell needs a terminal" '--on-fail=shell needs a terminal, and there is none here: --on-fail=keep' \
	setsid "$CAIRN" build --on-fail=shell "$ctx"
check "a failed step is kept" fails --on-fail keep
id=$(kept)
refuses "... to enter it needs a terminal, too" "name a command, as in \"cairn debug $id ls -l\"" "$CAIRN" debug "$id"
refuses "... what is not kept is not there" 'no failed step is kept as 0123456789ab' "$CAIRN" debug 0123456789ab true
refuses "... whatever its name" 'no failed step is kept as \.\./tmp' "$CAIRN" debug ../tmp true
refuses "... a command may not be there" '/no/such: no such file' "$CAIRN" debug "$id" /no/such
check "... it is listed" sh -c '"$0" debug | grep -E "^$1 +.* ago +exit code: 5 +\[2/2\] RUN echo made"' "$CAIRN" "$id"
check "... a prune leaves it" "$CAIRN" prune -f
check "... whole" says made inside cat /made
check "a prune of all takes it" "$CAIRN" prune -af
check "... away" sh -c '! ls "$0/failed" | grep .' "$CAIRN_ROOT"
"$CAIRN" build -q -t localhost/base "$work/base" >/dev/null
file 'RUN false\nRUN true\n'
check "... and what a day ago was kept goes without all" fails --on-fail keep
sed -i 's/^when .*/when 1600000000/' "$CAIRN_ROOT/failed/$(kept)/record"
check "... goes" "$CAIRN" prune -f
check "... it has gone" sh -c '! ls "$0/failed" | grep .' "$CAIRN_ROOT"

"$CAIRN" build -q -t localhost/base "$work/base" >/dev/null
file 'RUN chmod 1777 /tmp\nUSER app\nRUN --mount=type=tmpfs,target=/t echo made >/tmp/made; exit 5\n'
for way in overlay userns copy chroot; do
	typed="build --isolation $way --on-fail=shell $ctx"
	check "a failed step has a shell ($way)" user '$ ' 'stty size; cat /tmp/made; id -un; echo $TERM; sh -c "echo slee""ps; exec sleep 410"\n' \
		'sleeps' '^C' '$ ' 'echo typed >/dev/tty; (trap "" HUP; sleep 411) & exit 3\n'
	check "... of the size of the user's" logs '^33 99$'
	check "... with what the command left" logs '^made$'
	check "... as its user" logs '^app$'
	check "... on the same kind of terminal" logs '^vt100$'
	check "... that is its own" logs '^typed$'
	check "... and the build has failed, the terminal is the user's again" logs '^status 1, terminal as before$'
	check "... nothing is left of it" tidy
	check "... nothing is kept" sh -c '! ls "$0/failed" | grep .' "$CAIRN_ROOT"
done
build --on-fail keep
id=$(kept)
typed="debug $id"
check "a kept step has a shell" user '$ ' 'exit 6\n'
check "... with a status" logs '^status 6, terminal as before$'
typed="debug $id head -c 100000 /dev/zero"
check "what is long comes whole" sh -c '[ "$("$@" | wc -c)" -eq 100000 ]' - "$CAIRN" $typed

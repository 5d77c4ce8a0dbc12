# --run-retry, --run-timeout, --run-idle-timeout.

# A command that fails twice, counting in a cache mount, which outlives the tries.
file 'RUN --mount=type=cache,target=/c test ! -e /trace && touch /trace && echo x >>/c/n && test $(wc -l </c/n) -ge 3\n'
check "a RUN that fails twice succeeds at the third try" build --run-retry 2 --iidfile "$work/id"
check "... and says which try it is" logs '^#[0-9]+ exit code: 1; attempt 2 of 3$'
check "... each time" logs '^#[0-9]+ exit code: 1; attempt 3 of 3$'
cp "$work/id" "$work/id-retried"
check "how often it is tried is not in the key" build --run-retry 5 --run-timeout 1h --run-idle-timeout 1h
check "... so it was cached" logs '^#[0-9]+ CACHED'
file 'RUN echo said; exit 3\n'
check "all tries may fail" fails --run-retry 2
check "... and the last end is told" logs 'ERROR: .*"/bin/sh -c echo said; exit 3" did not complete successfully: exit code: 3$'
check "... after three" sh -c '[ "$(grep -c "said$" "$0")" -ge 3 ]' "$work/log"
check "without the flag there is one" sh -c '! "$CAIRN" build --progress=plain "$0" 2>&1 | grep attempt' "$ctx"
file 'RUN ["/no/such/program"]\n'
check "what cannot be started is not tried again" fails --run-retry 3
check "... and that is told" silent 'attempt'
file 'FROM nothing.invalid/x\n'
refuses "a number of tries is one" '--run-retry: invalid number: often' "$CAIRN" build --run-retry often "$ctx"
refuses "a time has a unit" '--run-timeout: time: missing unit in duration "5"' "$CAIRN" build --run-timeout 5 "$ctx"
refuses "a time does not go backwards" '--run-idle-timeout: -1s is less than' "$CAIRN" build --run-idle-timeout=-1s "$ctx"

for way in overlay copy; do
	file 'RUN echo begin; sh -c "sleep 401; true" & (sleep 402; true) & sleep 403; true\n'
	check "a RUN that takes too long is ended ($way)" fails --isolation $way --run-timeout 300ms
	check "... which limit it was is told" logs 'ERROR: failed.* still running after 300ms \(--run-timeout\)$'
	check "... what it was doing is shown" logs '^#[0-9]+ [0-9.]+ +[0-9]+ +[0-9]+ S +sleep 403$'
	check "... with parents before children" awk '
		$5 ~ /^[A-Z]$/ && $3 + 0 > 0 { n++; if ($4 != 1 && !seen[$4]) wrong = 1; seen[$3] = 1 }
		END { exit wrong || n != 6 }' "$work/log"
	check "... and nothing else of the machine" silent 'cairn-run|  1 +0 '
	check "... and nothing is left of it" no_process 'sleep.40[123]'
done
file 'RUN for i in 1 2 3 4 5 6; do echo $i; usleep 150000; done; sleep 404\n'
check "a RUN that says nothing is ended" fails --run-idle-timeout 500ms
check "... but not while it speaks" logs '^#[0-9]+ [0-9.]+ 6$'
check "... which limit it was is told" logs 'ERROR: failed.* nothing printed for 500ms \(--run-idle-timeout\)$'
file 'RUN --mount=type=cache,target=/c test -e /c/seen || { touch /c/seen; sleep 405; }\n'
check "a RUN that hung is tried again" build --run-timeout 400ms --run-retry 1
check "... and says why" logs 'still running after 400ms \(--run-timeout\); attempt 2 of 2'

# A secret on a command line.
file 'RUN --mount=type=secret,id=k,env=K sh -c "sleep 406; true" "$K"; true\n'
export PATIENCE_K=correct-horse-battery
check "a secret is an argument of a process that is shown" fails --secret id=k,env=PATIENCE_K --run-timeout 300ms
check "... and not seen" silent "$PATIENCE_K"
check "... but as asterisks" logs 'sh -c sleep 406; true \*\*\*$'

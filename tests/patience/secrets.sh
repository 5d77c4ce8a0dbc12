# Secrets: in no layer, cache record, log or list of processes.
export PATIENCE_T=tr0ub4dor-and-3
secret="--secret id=t,env=PATIENCE_T"

file 'RUN --mount=type=secret,id=t --mount=type=secret,id=t,env=T test "$(cat /run/secrets/t)" = "$T" && echo "[$T]" && cat /run/secrets/t && touch /made\n'
check "a RUN uses a secret" build $secret
check "... its output does not show it" logs '^#[0-9]+ [0-9.]+ \[\*\*\*\]$'
check "... nor does anything else" silent "$PATIENCE_T"
check "... and the store has it nowhere" nowhere "$PATIENCE_T"
check "... its layer was searched" logs '\[internal\] search layers for secrets'
check "a cached layer" build $secret
check "... is not searched again" silent 'search layers'
check "... but for another secret" build --secret id=t,src="$work/base/Dockerfile"
check "... it is" logs 'search layers'
check "... the first one still is known" sh -c \
	'"$CAIRN" build --progress=plain '"$secret"' "$0" 2>&1 | grep -c "search layers" | grep -qx 0' "$ctx"
check "what stands for them is one line each" sh -c 'sed "/^$/d; /^CRC-32 /d" "$0"/searched/[0-9a-f]* | sort | uniq -c | awk "{ n++; if (length(\$2) != 64) exit 1 } END { exit n != 2 }"' "$CAIRN_ROOT"

file 'RUN --mount=type=secret,id=t,env=T mkdir -p /etc/app && echo "password=$T" >/etc/app/conf\n'
check "a secret in a layer fails the build" fails $secret -t localhost/leaky -o "type=oci,dest=$work/leaky.tar" --iidfile "$work/leaky.id"
check "... naming file and layer" logs 'ERROR: failed.*secret "t" is in file /etc/app/conf of layer sha256:[0-9a-f]{64}, made by \[2/2\] RUN'
check "... and the line" logs '^ *2 \| >>> RUN'
check "... without saying it" silent "$PATIENCE_T"
check "... before anything is written" sh -c '! [ -e "$0.tar" ] && ! [ -e "$0.id" ]' "$work/leaky"
check "the same from the cache" fails $secret -t localhost/leaky
check "... before anything is named" sh -c '! "$CAIRN" images | grep leaky'
check "--allow-secret-leak lets it pass" build $secret --allow-secret-leak -t localhost/leaky

printf 'FROM localhost/leaky\nRUN --mount=type=secret,id=t touch /x\n' >"$ctx/Dockerfile"
check "what a base image has is not this build's" build $secret
file 'RUN --mount=type=secret,id=t,env=T echo "$T" >/in-a-stage && echo x >/out\nFROM localhost/base\nCOPY --from=0 /out /out\n'
check "what a stage leaves behind is not in the image" build $secret
file 'COPY token /srv/token\nRUN --mount=type=secret,id=t true\n'
printf '%s\n' "$PATIENCE_T" >"$ctx/token"
check "a file of the context may be the secret" fails --secret id=t,src="$ctx/token"
check "... and is named" logs 'is in file /srv/token of layer .* made by \[2/3\] COPY token'
file 'COPY token /srv/token\nRUN true\n'
check "a secret that no step uses is not searched for" build $secret
file 'RUN --mount=type=secret,id=t,env=T touch "/tmp/$T"\n'
check "a secret in a name" fails $secret
check "... is told without it" logs 'is in the name of /tmp/\*\*\* of layer'
file 'ARG A\nENV B=$A\nRUN --mount=type=secret,id=t true\n'
check "a secret in the config" fails $secret --build-arg "A=$PATIENCE_T"
check "... is told" logs 'secret "t" is in the image.s config: in an ENV, ARG'
file 'RUN --mount=type=secret,id=pin,env=P echo "$P" >/pin\n'
export PATIENCE_PIN=1234567
check "a secret of seven bytes is not searched for" build --secret id=pin,env=PATIENCE_PIN
check "... which is told" logs '^WARNING: secret "pin" has 7 bytes: too few'
file 'RUN --mount=type=secret,id=t,env=T echo ready && exec sleep 407\n'
"$CAIRN" build --progress=plain $secret "$ctx" >"$work/log" 2>&1 &
pid=$!
check "while a RUN has a secret" wait_until grep -q ready "$work/log"
check "... it is on no command line" no_process "$PATIENCE_T"
kill $pid
wait $pid
file 'RUN --mount=type=secret,id=t,env=T head -c 700000 /dev/zero >/large && echo "$T" >>/large\n'
check "a secret at the end of a large file" fails $secret
check "... is found" logs 'file /large of layer'
rm -f "$ctx/token"

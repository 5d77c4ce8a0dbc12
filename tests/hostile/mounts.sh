# Mounts that are asked for where they must not be, and commands that move their places around.
image "$config"
empty_layer=sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef

# H005, H012: targets and options.
for target in / /proc /proc/self/attr /sys /sys/fs/cgroup; do
	fails "a mount on $target" 'mount' <<-END
		FROM base
		RUN --mount=type=tmpfs,target=$target true
	END
done
for options in type=bind,bind-propagation=rshared,target=/m type=bind,target=/m,relabel=shared \
	type=tmpfs,target=/m,lowerdir=/ type=tmpfs,target=/m,size=1k:1 type=overlay,target=/m \
	type=cache,target=/m,mode=9 type=cache,target=/m,uid=-1 type=cache,target=/m,uid=4294967296 \
	type=tmpfs,target=/m,mode=7 type=bind,target=; do
	fails "RUN --mount=$options" 'line 2|Dockerfile:2' <<-END
		FROM base
		RUN --mount=$options true
	END
done
shows 'a target with commas, colons and backslashes is a name' '/m:a,b\c' <<'END'
FROM base AS t
RUN --mount=type=tmpfs,\"target=/m:a,b\\\\c\" awk '$2 ~ "^/m" { print $2 }' /proc/mounts | sed 's/.134/\\/' >/out
END
unharmed_by 'targets and options'

# race FOLDER RUN: the folder of a cache is exchanged for a link while RUN is built, which may fail.
race() {
	folder=$1
	printf 'FROM base\nRUN --mount=type=cache,id=race,target=/c mkdir -p /c/%s && ln -sfn %s /c/l; \
		timeout 20 talk exchange /c/%s /c/l /c/stop\n' "$folder" "$2" "$folder" |
		ctx=$work/racer build --no-cache &
	racer=$!
	for i in 1 2 3 4 5 6 7 8; do
		printf 'FROM base\nRUN %s echo $(ls -A /m)\n' "$3" | build --no-cache
		! grep -q '^#[0-9]* [0-9.]* .*\(ptmx\|usr\)' "$ctx.log" || echo "$ctx.log"
	done >"$work/escaped"
	printf 'FROM base\nRUN --mount=type=cache,id=race,target=/c touch /c/stop\n' | build --no-cache
	wait "$racer"
	printf 'FROM base\nRUN --mount=type=cache,id=race,target=/c rm -rf /c/*\n' | build --no-cache
	cat "$work/escaped"
	[ ! -s "$work/escaped" ] && unharmed
}

# H007, H008, H009: a place is moved while something is mounted there, or from there.
check 'mounts whose places are exchanged for a link stay inside' race a "$work/victim" \
	"$(for i in 1 2 3 4; do echo "--mount=type=cache,id=race,target=/c --mount=type=tmpfs,target=/c/a/b/$i --mount=type=tmpfs,target=/c/a/$i/d --mount=type=cache,id=o,target=/c/a/x/y/$i"; done | tr '\n' ' ')"
check 'a cache whose source is exchanged for a link stays one' race sub / --mount=type=cache,id=race,source=sub,target=/m
shows 'a source with dots stays in the cache' 'ok' <<END
FROM base AS t
RUN --mount=type=cache,id=dots,source=../../../../../..$work,target=/m [ ! -e /m/victim ] && echo ok >/out
END
unharmed_by 'sources of caches'

# H010, H227, H228: stubs.
shows 'a folder with a mount that is moved away for a link' 'moved' <<END
FROM base AS t
RUN --mount=type=tmpfs,target=/t/x mv /t /t2 && ln -s $work/victim /t && echo moved >/out
END
shows 'also when the command may unmount' 'moved' --allow security.insecure <<END
FROM base AS t
RUN --security=insecure --mount=type=tmpfs,target=/t/x umount -l /t/x && rm -rf /t && ln -s $work/victim /t && echo moved >/out
END
shows 'stubs leave nothing, in new folders nor in old ones' '' <<'END'
FROM base AS a
RUN mkdir -p /old/dir && touch -d 2001-02-03 /old/dir /old
FROM a AS b
RUN --mount=type=cache,id=e,target=/old/dir/new/c --mount=type=tmpfs,target=/new/t --mount=type=cache,id=e,target=/old/dir/c true
FROM base AS t
RUN --mount=type=bind,from=b,target=/b find /b/new /b/old -newermt 2001-02-04 >/out 2>/dev/null; true
END
build -o type=oci,dest="$work/o.tar" <<'END'
FROM base
RUN --mount=type=cache,id=e,target=/etc/new/c --mount=type=tmpfs,target=/new/t --mount=type=bind,target=/etc/x true
END
check 'and an empty layer' sh -c "tar xOf '$work/o.tar' | grep -aq '$empty_layer'"

# H011: ids are not paths.
for id in ../../etc /etc .. . a/b "$(printf %0300d 0)" '$HOME'; do
	shows "the cache of id $(echo "$id" | cut -c 1-20)" 'kept' <<-END
		FROM base AS t
		RUN --mount=type=cache,id=$id,target=/c ls -A /c >/out; [ ! -e /c/passwd ] && echo kept >/c/mark
		RUN --mount=type=cache,id=$id,target=/c cp /c/mark /out
	END
done
check 'is in the room for caches' sh -c \
	"ls -A '$CAIRN_ROOT' | grep -Evx '$rooms' || true | grep -q . && exit 1; ! ls '$CAIRN_ROOT/mounts' | grep -Evx '[0-9a-f]{64}(\..*)?'"
unharmed_by 'stubs and ids'

# H015: what is written to a bind is thrown away.
echo content >"$ctx/kept"
shows 'a bind of the context can be written to' 'gone made' <<'END'
FROM base AS t
RUN --mount=type=bind,target=/c,rw rm /c/kept && touch /c/new && echo $(ls /c/kept 2>/dev/null || echo gone) made >/out
END
check 'and it keeps its files' sh -c "[ -e '$ctx/kept' ] && [ ! -e '$ctx/new' ]"
shows 'one of a stage, too' 'one' <<'END'
FROM base AS s
RUN echo one >/f
FROM base AS a
RUN --mount=type=bind,from=s,target=/s,rw echo two >/s/f && rm /s/bin/sh && touch /a
FROM base AS t
COPY --from=a /a /a
COPY --from=s /f /out
RUN --mount=type=bind,from=s,target=/s [ -e /s/bin/sh ]
END
shows 'a bind without rw is read-only' 'refused' <<'END'
FROM base AS t
RUN --mount=type=bind,target=/c touch /c/x 2>/dev/null || echo refused >/out
END
unharmed_by 'binds'

# H236: caches.
shows 'a locked cache has one user at a time' '' <<END
$(for i in 1 2 3 4; do
	echo "FROM base AS s$i"
	echo "RUN --mount=type=cache,id=locked,sharing=locked,target=/c mkdir /c/mine && for i in 1 2 3 4 5 6 7 8 9; do echo $i >>/c/log; done && rmdir /c/mine"
done)
FROM base AS t
COPY --from=s1 /bin/sh /1
COPY --from=s2 /bin/sh /2
COPY --from=s3 /bin/sh /3
COPY --from=s4 /bin/sh /4
RUN --mount=type=cache,id=locked,target=/c uniq -c /c/log | awk '\$1 != 9' >/out
END
shows 'a private one is never seen by two' '' <<END
$(for i in 1 2 3; do
	echo "FROM base AS s$i"
	echo "RUN --mount=type=cache,id=private,sharing=private,target=/c mkdir /c/mine && usleep 20000 && rmdir /c/mine"
done)
FROM base AS t
COPY --from=s1 /bin/sh /1
COPY --from=s2 /bin/sh /2
COPY --from=s3 /bin/sh /3
RUN --mount=type=cache,id=private,target=/c ls -A /c >/out
END
shows 'a cache has the owner and mode that were asked for' '77 78 1770' <<'END'
FROM base AS t
RUN --mount=type=cache,id=owned,target=/c,uid=77,gid=78,mode=1770 stat -c '%u %g %a' /c >/out
END
shows 'another owner has another cache under the same id' '77
0 0 755
root' <<'END'
FROM base AS t
RUN --mount=type=cache,id=two,target=/c touch /c/root
RUN --mount=type=cache,id=two,target=/c,uid=77 stat -c %u /c >/out; ls -A /c >>/out
RUN --mount=type=cache,id=two,target=/c,uid=0,mode=755 stat -c '%u %g %a' /c >>/out; ls -A /c >>/out
END
for text in one two; do
	shows "a cache begins with what from= has now ($text)" $text <<END
FROM base AS s
COPY <<F /seed/f
$text
F
FROM base AS t
RUN --mount=type=cache,id=seeded,from=s,source=/seed,target=/c cp /c/f /out
END
done
mkdir -p "$work/seed/in" && echo text >"$work/seed/in/f" && echo in/g >"$work/seed/.dockerignore" && echo >"$work/seed/in/g"
shows 'also when that is a folder' 'f 0 0' --build-context "seed=$work/seed" <<'END'
FROM base AS t
RUN --mount=type=cache,id=seeded,from=seed,source=in,target=/c cd /c && for f in *; do stat -c '%n %u %g' $f; done >/out
END
fails 'what from= does not have' '"/none": not found' <<'END'
FROM base
RUN --mount=type=cache,id=seeded,from=base,source=/none,target=/c true
END
unharmed_by 'caches'

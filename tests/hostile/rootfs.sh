# Images whose files are traps, and what is mounted over them.
echo secret-of-the-host >"$work/host-file"

# H001: descriptors of ours as working directories.
image "$config"
inside=true
for fd in 3 4 5 6 7 8 9 10 11 12; do
	build -o "$work/out" \
		4</ 5</etc 6</proc 7<"$work" 8</ 9</ <<-END
		FROM base AS t
		WORKDIR /proc/self/fd/$fd
		RUN cat ../host-file host-file 2>/dev/null; pwd -P; ls
		FROM scratch
		COPY --from=t /bin/sh /sh
	END
	! grep -q 'secret-of-the-host\|^#[0-9]* [0-9.]* /tmp' "$ctx.log" || inside=false
done
check 'a working directory of /proc/self/fd leads to no descriptor of ours' $inside
for dir in /proc/self/fd/7 /proc/self/cwd /proc/1/root/etc; do
	layer "ln -s $dir w"
	image "{\"WorkingDir\":\"/w\",\"Env\":[\"PATH=/bin\"]}" "$work/layer"
	build -o "$work/out" 7<"$work" <<-END
		FROM base AS t
		RUN cat ../host-file host-file; ls
	END
	check "nor does the image's own working directory, a link to $dir" \
		sh -c "! grep -q secret-of-the-host '$ctx.log'"
done
unharmed_by 'descriptors and links of /proc'

# H002: our own program.
layer 'mkdir bin; ln -s /proc/self/exe bin/sh'
image "$config" "$work/layer"
fails 'a shell that is ourselves' 'exit code' <<'END'
FROM base AS t
RUN echo hello >/out
END
image "$config"
fails 'our own program as the command' 'exit code: 1' <<'END'
FROM base
RUN ["/proc/self/exe"]
END
shows 'no program of the host can be opened for writing' '' <<'END'
FROM base AS t
RUN for p in /proc/[0-9]*; do \
      [ "$p" = /proc/$$ ] || ! (: >>$p/exe) || echo $p >>/out; done 2>/dev/null; touch /out
END

# H003, H004, H006: /dev.
layer 'mkdir dev; ln -s /proc/sys/kernel/core_pattern dev/null; ln -s /tmp/x dev/console; mkdir -p dev/pts; ln -s '"$work"'/victim/file dev/pts/0; ln -s '"$work"'/victim/ptmx dev/ptmx'
image "$config" "$work/layer"
shows 'devices of the image are not used' '1:3 no' <<'END'
FROM base AS t
RUN : >/dev/null; for f in /proc/kcore /proc/keys /proc/timer_list /proc/sysrq-trigger; do \
      (: >>$f) 2>/dev/null; done; \
    echo $(stat -c %t:%T /dev/null) $(ls /dev/console 2>/dev/null || echo no) >/out
END
layer 'rm -rf dev; ln -s '"$work"'/victim dev'
image "$config" "$work/layer"
shows 'a /dev that leads out is a place in the image' 'no' <<'END'
FROM base AS t
RUN : >/dev/null; ls /host-file /dev/file >/out 2>/dev/null || echo no >/out
END
layer 'ln -s ../../../../../../../..'"$work"'/victim dev'
image "$config" "$work/layer"
shows 'also with many dots' 'no' <<'END'
FROM base AS t
RUN ls /dev/file >/out 2>/dev/null || echo no >/out
END

# H005: /proc and /sys.
layer 'ln -s '"$work"'/victim proc'
image "$config" "$work/layer"
shows 'a /proc that leads out is a place in the image' 'proc' <<'END'
FROM base AS t
RUN echo $(awk '$2 ~ /victim$/ { print $3 }' /proc/mounts) >/out
END
layer 'ln -s '"$work"'/victim sys'
image "$config" "$work/layer"
shows 'and so is a /sys' 'sysfs' <<'END'
FROM base AS t
RUN echo $(awk '$2 ~ /victim$/ { print $3 }' /proc/mounts) >/out
END
layer 'echo x >proc'
image "$config" "$work/layer"
fails 'a /proc that is a file' 'not a directory: /proc' <<'END'
FROM base
RUN true
END
layer 'mkdir -p proc/self/attr proc/sys/kernel; echo 0 >proc/self/attr/exec; echo fake >proc/sys/kernel/core_pattern'
image "$config" "$work/layer"
shows 'a /proc full of files is covered' '' <<'END'
FROM base AS t
RUN grep -l fake /proc/sys/kernel/core_pattern >/out; true
END
shows 'a VOLUME there is of no consequence' 'ok' <<'END'
FROM base AS t
VOLUME /proc /sys /dev/shm
RUN [ -e /proc/self/stat ] && echo ok >/out
END

# H013, H216: sources that are links.
layer 'ln -s / whole; ln -s ../../../../.. up; ln -s whole twice; ln -s loop loop; ln -s '"$work"'/victim gone'
image "$config" "$work/layer"
for link in whole up twice; do
	shows "a bind of the image's $link is the image's root" 'busybox yes' <<-END
		FROM base AS t
		RUN --mount=type=bind,from=base,source=/$link,target=/m echo \$(ls /m/bin/busybox | xargs basename) \
			\$([ -e /m/host-file -o -e /m$work ] || echo yes) >/out
	END
	shows "COPY of the image's $link is of the image" 'busybox' <<-END
		FROM base AS t
		COPY --from=base /$link/bin/busybox /copied/
		RUN ls /copied >/out
	END
done
fails 'a bind of a link in a circle' 'too many levels|symbolic link' <<'END'
FROM base
RUN --mount=type=bind,from=base,source=/loop,target=/m ls /m
END
fails 'COPY through one' 'too many levels|symbolic link' <<'END'
FROM base
COPY --from=base /loop/x /
END
fails 'a bind of a link that leads out' 'not found' <<'END'
FROM base
RUN --mount=type=bind,from=base,source=/gone,target=/m ls /m
END
ln -sfn "$work/victim" "$ctx/out"
ln -sfn / "$ctx/top"
fails 'a bind of a link of the context that leads out' 'not found|no such file' <<'END'
FROM base
RUN --mount=type=bind,source=out,target=/m ls /m
END
fails 'COPY through it' 'not found|no such file' <<'END'
FROM base
COPY out/file /
END
shows 'the root of a context is its own' 'Dockerfile' <<'END'
FROM base AS t
RUN --mount=type=bind,source=top,target=/m ls /m | grep Dockerfile >/out
END
rm "$ctx/out" "$ctx/top"

# H014, H227: the files we put into /etc, /run and /dev/shm, wherever they lead.
layer 'mkdir etc run dev; for f in resolv.conf hosts hostname mtab passwd group; do ln -s '"$work"'/victim/$f etc/$f; done
	ln -s '"$work"'/victim run/secrets; ln -s '"$work"'/victim dev/shm
	mkdir -p ./'"$work"'/victim; touch ./'"$work"'/victim/hosts'
image "$config" "$work/layer"
echo hidden >"$work/secret"
shows 'links at every path that we fill lead nowhere else' 'localhost nameserver 7' --secret "id=s,src=$work/secret" <<'END'
FROM base AS t
RUN --mount=type=secret,id=s echo $(awk 'NR == 1 { print $2 }' /etc/hosts) \
    $(awk '/^nameserver/ { print $1; exit }' /etc/resolv.conf) $(wc -c </run/secrets/s) >/out
END
image "$config"
shows 'what is mounted on an image without them leaves no file' '' <<'END'
FROM base AS b
RUN --mount=type=cache,target=/a/b --mount=type=tmpfs,target=/c/d --mount=type=secret,id=none true
FROM base AS t
RUN --mount=type=bind,from=b,target=/b ls -d /b/a /b/c /b/run /b/etc/hosts /b/etc/resolv.conf >/out 2>/dev/null; true
END
shows 'a command may replace and delete them, as far as it gets' 'kept' <<'END'
FROM base AS t
RUN rm -f /etc/resolv.conf /etc/hosts 2>/dev/null; echo x >/x; mv /x /etc/hosts 2>/dev/null; echo kept >/out
END

# H020: programs of the image are never ours to run.
layer 'mkdir -p usr/bin etc; for p in xz unpigz gzip zstd tar git newuidmap getent; do
	printf "#!/bin/sh\necho ran >>'"$work"'/victim/file\n" >usr/bin/$p; chmod 755 usr/bin/$p; done
	echo "passwd: evil" >etc/nsswitch.conf; mkdir -p lib/x86_64-linux-gnu; echo x >lib/x86_64-linux-gnu/libnss_evil.so.2'
image "$config" "$work/layer"
(cd "$work/victim" && tar cJf "$ctx/x.tar.xz" file)
shows 'helpers of the image unpack nothing' 'untouched 1000' <<'END'
FROM base AS t
ADD --chown=app:app x.tar.xz /x/
USER app
RUN cat /x/file >/tmp/f; id -u >>/tmp/f
USER root
RUN echo $(cat /tmp/f) >/out
END

# H021: /etc/passwd and /etc/group.
passwd() {
	sentence=$1 make=$2 pattern=$3
	layer "mkdir etc; $make"
	image "$config" "$work/layer"
	fails "$sentence" "$pattern" <<-'END'
		FROM base
		USER app
		RUN true
	END
}
passwd 'an /etc/passwd that is a link to a device' 'ln -s /dev/zero etc/passwd' 'user app|passwd'
passwd 'a pipe' 'mkfifo etc/passwd' 'passwd'
passwd 'a folder' 'mkdir etc/passwd' 'passwd'
passwd 'of 5 MiB' 'dd if=/dev/zero of=etc/passwd bs=1024 count=5000 2>/dev/null' 'passwd'
passwd 'that leads out' "printf 'app:x:0:0::/:/bin/sh\n' >$work/host-passwd; ln -s $work/host-passwd etc/passwd" 'user app|passwd'
layer 'mkdir etc; printf "root:x:0:0:root:/root:/bin/sh\nbad\napp:x:77:78::/home/app:/bin/sh" >etc/passwd'
image "$config" "$work/layer"
shows 'one with a bad line and no last newline' '77 78' <<'END'
FROM base AS t
USER app
RUN echo $(id -u) $(id -g) >/tmp/out
USER root
RUN cp /tmp/out /out
END

# H056, H057, H066: WORKDIR and VOLUME.
layer 'mkdir real; ln -s '"$work"'/victim w; ln -s ../../real in; ln -s loop loop; ln -s /none/dir dangling'
image '{"Env":["PATH=/bin"],"Volumes":{"/../../etc":{},"..":{},"/proc":{},"w/../..":{}}}' "$work/layer"
shows 'a WORKDIR through links is made inside' "$work/victim/new /real/new /none/dir/x" <<'END'
FROM base AS t
USER app
WORKDIR /w/new
RUN pwd -P >/tmp/a
WORKDIR /in/new
RUN pwd -P >/tmp/b
WORKDIR /dangling/x
RUN pwd -P >/tmp/c
USER root
RUN echo $(cat /tmp/a /tmp/b /tmp/c) >/out
END
fails 'a WORKDIR in a circle' 'too many levels|symbolic link' <<'END'
FROM base
WORKDIR /loop/x
RUN true
END

# H269: nothing is left out of a layer but what we mounted.
image "$config"
shows 'a layer has everything that is no mount of ours' 'f f f f f f' <<'END'
FROM base AS a
RUN mkdir -p /var/run /mnt /run /kaniko /workspace; for d in var/run mnt tmp run kaniko workspace; do touch /$d/f; done; touch /dev/f /dev/shm/f
FROM base AS t
RUN --mount=type=bind,from=a,target=/a cd /a && echo $(for d in var/run mnt tmp run kaniko workspace dev dev/shm; do ls $d 2>/dev/null; done) >/out
END

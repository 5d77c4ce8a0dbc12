# Who a command is.
layer 'mkdir etc; printf "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n123:x:5:6::/:/bin/sh\nbig:x:99999999999:7::/:/bin/sh\nneg:x:-1:7::/:/bin/sh\n" >etc/passwd
	printf "root:x:0:\napp:x:1000:\none:x:2001:app\ntwo:x:2002:root,app\nnone:x:2003:\n" >etc/group'
image "$config" "$work/layer"
printf 'content\n' >"$ctx/file"

# H017, H018: groups and capabilities.
id_of() {
	shows "USER $1" "$2" <<-END
		FROM base AS t
		USER $1
		RUN echo \$(id -u) \$(id -g) \$(id -G | tr ' ' '\n' | sort -n) >/tmp/id
		USER 0
		RUN cp /tmp/id /out
	END
}
id_of root '0 0 0 2002'
id_of app '1000 1000 1000 2001 2002'
id_of app:none '1000 2003 2003'
id_of app:50 '1000 50 50'
id_of 1000 '1000 1000 1000 2001 2002'
id_of 4242 '4242 0 0'
if [ -z "$as" ]; then
	id_of 4294967294:4294967294 '4294967294 4294967294 4294967294'
else
	fails 'a user beyond those that an ordinary user may have' 'sandbox: .*4294967294, which is not one of the ids of this user namespace' <<-END
		FROM base
		USER 4294967294:4294967294
		RUN id
	END
fi
id_of 123 '123 0 0'
id_of :1 '0 1 1'
printf 'FROM base AS t\nUSER app\nRUN id -G | grep -w 4242 || :\n' >"$work/groups"
check 'a group of the caller does not come along' sh -c \
	'setpriv --groups 0,4242 "$CAIRN" --root "$1/roots" build --progress=plain --build-context "base=oci-layout://$1/layout" -f "$1/groups" "$0" >"$1/groups.log" 2>&1 &&
	! grep "^#[0-9]* [0-9.]* " "$1/groups.log"' \
	"$ctx" "$work"
shows 'no capability is inheritable or ambient' 'CapAmb:0 CapBnd:a80425fb CapEff:a80425fb CapInh:0 CapPrm:a80425fb' <<'END'
FROM base AS t
RUN echo $(awk '/^Cap/ { sub(/^0*/, "", $2); print $1 ($2 ? $2 : 0) }' /proc/self/status | sort) >/out
END
shows 'a user has none in effect' 'CapAmb:0 CapEff:0 CapInh:0 CapPrm:0' <<'END'
FROM base AS t
USER app
RUN echo $(awk '/^Cap[AEIP]/ { sub(/^0*/, "", $2); print $1 ($2 ? $2 : 0) }' /proc/self/status | sort) >/tmp/caps
USER 0
RUN cp /tmp/caps /out
END
unharmed_by 'users and groups'

# H022: numbers that are none.
for user in 4294967295 4294967296 2147483648000 -1 0x0 1e3 nobody-here app:nobody-here 1000:999999999999 '1000:-1'; do
	fails "USER $user" 'user|group|uid|gid|Dockerfile:2' <<-END
		FROM base
		USER $user
		RUN id -u
	END
done
for user in big neg; do
	fails "a user whose number is none: $user" 'user|passwd' <<-END
		FROM base
		USER $user
		RUN id -u
	END
done
for owner in 4294967295 4294967296 -1 0x0 1e3 nobody-here :nobody 1000:999999999999; do
	fails "COPY --chown=$owner" 'user|group|uid|gid|chown|Dockerfile:2' <<-END
		FROM base
		COPY --chown=$owner file /
	END
done
unharmed_by 'numbers'

# H233: homes.
home_of() {
	shows "HOME of USER $1" "$2" <<-END
		FROM base AS t
		${3:-}
		USER $1
		RUN echo \$HOME >/tmp/home
		USER 0
		RUN cp /tmp/home /out
	END
}
home_of root /root
home_of app /home/app
home_of 4242 /
home_of app /mine 'ENV HOME=/mine'
home_of app /home/app 'ENV HOME='
image '{"Env":["PATH=/bin"],"User":"app"}' "$work/layer"
shows 'the user of the image' '1000 1000' <<'END'
FROM base AS b
RUN echo $(id -u) $(id -g) >/tmp/id
FROM b AS t
USER 0
RUN cp /tmp/id /out
END
image '{"Env":["PATH=/bin"],"User":"4294967296"}' "$work/layer"
fails 'a user of the image that is no number' 'user|4294967296' <<'END'
FROM base
RUN id -u
END
layer 'mkdir etc; touch etc/.wh.passwd etc/.wh.group'
image "$config" "$work/layer"
shows 'no /etc/passwd at all' '0 0 / 77 0 /' <<'END'
FROM base AS t
RUN echo $(id -u) $(id -g) $HOME >/tmp/id; chmod 666 /tmp/id
USER 77
RUN echo $(id -u) $(id -g) $HOME >>/tmp/id
USER 0
RUN echo $(cat /tmp/id) >/out
END
fails 'and a name then' 'app' <<'END'
FROM base
USER app
RUN true
END

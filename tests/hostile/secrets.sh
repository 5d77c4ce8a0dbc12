# What must not be found anywhere afterwards.
image "$config"
value=correct-horse-battery-staple
printf '%s' "$value" >"$work/secret"

# nowhere VALUE: not in the store, nor in what the build said.
nowhere() {
	! grep -rlaF -e "$1" "$CAIRN_ROOT" "$ctx.log" "$work/out"
}

# H202: as files and as variables, in new folders, for others.
shows 'a secret is where and whose it was asked to be' '400 0 0 440 77 78 28 28' --secret "id=s,src=$work/secret" <<'END'
FROM base AS t
RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/new/dir/s,mode=0440,uid=77,gid=78 \
    --mount=type=secret,id=s,env=TOKEN --mount=type=secret,id=none,required=false \
    echo $(stat -c '%a %u %g' /run/secrets/s /new/dir/s) ${#TOKEN} $(wc -c </new/dir/s) >/out
RUN [ ! -e /run ] && [ ! -e /new ] && [ -z "$TOKEN" ]
END
check 'and nowhere afterwards' nowhere "$value"
printf 'another value' >"$work/other-secret"
shows 'a step with a secret is found in the cache whatever it is' '1' --secret "id=s,src=$work/secret" <<'END'
FROM base AS t
RUN --mount=type=secret,id=s echo 1 >/out
END
shows 'so that nothing of it is in a key' '1' --secret "id=s,src=$work/other-secret" <"$work/shown"
check 'which the build says' grep -q '^#[0-9]* CACHED' "$ctx.log"
fails 'a secret that is missing' 'secret absent: not found' <<'END'
FROM base
RUN --mount=type=secret,id=absent,required=true true
END

# H204: nobody sees it in the list of processes meanwhile.
mkfifo "$work/ready"
printf 'FROM base\nRUN --mount=type=secret,id=s --mount=type=secret,id=s,env=TOKEN --mount=type=cache,target=/c \\
	echo running; until [ -e /c/go ]; do usleep 10000; done\n' >"$work/Dockerfile.waits"
TOKEN=$value $as "$CAIRN" build --progress=plain --secret "id=s,env=TOKEN" -f "$work/Dockerfile.waits" \
	--build-context "base=oci-layout://$work/layout" "$ctx" >"$work/waits.log" 2>&1 &
waiting=$!
check 'a command with a secret runs' wait_until grep -q ' running' "$work/waits.log"
check 'and no command line tells' sh -c "! cat /proc/[0-9]*/cmdline | grep -aF -f '$work/secret'"
for cache in "$CAIRN_ROOT"/mounts/*/; do
	touch "$cache/go"
done
wait $waiting
check 'it ends well' grep -q '^#[0-9]* DONE' "$work/waits.log"

# H016: what the caller has in his environment is his.
printf 'FROM base AS t\nRUN env; cat /proc/1/environ /proc/self/environ 2>/dev/null | tr "\\0" "\\n"; true\n' >"$work/Dockerfile.env"
sh -c 'export AWS_SECRET_ACCESS_KEY=$0 DOCKER_AUTH_CONFIG=$0 REGISTRY_AUTH_FILE=$0 LD_LIBRARY_PATH=$0 SSH_AUTH_SOCK=$0 LANG=$0
	shift; exec '"$as"' "$@"' "$value" x "$CAIRN" build --progress=plain -f "$work/Dockerfile.env" --no-cache \
	--build-context "base=oci-layout://$work/layout" "$ctx" >"$ctx.log" 2>&1
check 'the environment of the caller does not come along' nowhere "$value"
check 'what a command has is what Docker gives' equal 'HOME=/root PATH=/bin ' \
	"$(grep -oE '[0-9.]+ (HOME|PATH|[A-Z_]+)=.*' "$ctx.log" | cut -d ' ' -f 2- | grep -v -e ^PWD= -e ^SHLVL= -e ^HOSTNAME= | sort -u | tr '\n' ' ')"

# H206: an agent is there in the step that asks for it only.
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("up", flush=True)
while True:
    c = s.accept()[0]; c.sendall(b"re:" + c.recv(100)); c.close()' "$work/agent" >"$work/ready" &
started="$started $!"
read -r _ <"$work/ready"
chmod 666 "$work/agent"
shows 'an agent answers the step that asks for it, and no other' 're:hello none' --ssh "default=$work/agent" <<'END'
FROM base AS t
RUN --mount=type=ssh echo $(talk to $SSH_AUTH_SOCK hello) >/out && stat -c %a $SSH_AUTH_SOCK >/mode
RUN [ -z "$SSH_AUTH_SOCK" ] && [ "$(cat /mode)" = 600 ] && [ ! -e /run ] && echo $(cat /out) none >/out
END

# H034: passwords in addresses. An excerpt of the Dockerfile is the user's own text.
python3 -c 'import http.server
class Absent(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") == "Basic dXNlcjpjb3JyZWN0LWhvcnNlLWJhdHRlcnktc3RhcGxl":
            self.send_response(200)
            self.send_header("Content-Length", "3")
            self.end_headers()
            self.wfile.write(b"ok\n")
        else:
            self.send_error(404)
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Absent)
print(server.server_port, flush=True)
server.serve_forever()' >"$work/ready" &
started="$started $!"
read -r port <"$work/ready"
shows 'a password in an address is for the server' ok <<END
FROM base AS t
ADD http://user:$value@127.0.0.1:$port/out /out
END
grep -v '^ *[0-9]* | ' "$ctx.log" >"$work/told"
mv "$work/told" "$ctx.log"
check 'and not for those who get the image or its log' nowhere "$value"
for url in "http://user:wrong$value@127.0.0.1:$port/x" "http://$value@127.0.0.1:$port/x" \
	"https://user:$value@127.0.0.1:1/x.git"; do
	fails 'ADD of what is not there' "127\.0\.0\.1:($port|1)/x" <<-END
		FROM base
		ADD $url /x
	END
	grep -v '^ *[0-9]* | ' "$ctx.log" >"$work/told"
	mv "$work/told" "$ctx.log"
	check 'tells nobody the password in its address' nowhere "$value"
done
for context in "http://user:$value@127.0.0.1:$port/x.tar" "https://$value@127.0.0.1:1/x.git"; do
	$as "$CAIRN" build --progress=plain "$context" >"$ctx.log" 2>&1
	check 'nor does a context' nowhere "$value"
	printf 'FROM scratch\nCOPY --from=c / /\n' | build --build-context "c=$context"
	check 'nor one with a name' nowhere "$value"
done
unharmed_by 'secrets'

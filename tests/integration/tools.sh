# What is written here is accepted by skopeo, umoci, podman, runc and docker-registry, and what they
# write serves as a base.
. ../lib.sh

port=$((20000 + $$ % 20000))
insecure="--src-tls-verify=false --dest-tls-verify=false"
base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir -p "$work/app"
printf 'hello\n' >"$work/app/greeting"
cat >"$work/app/Dockerfile" <<'END'
FROM localhost/base
COPY greeting /greeting
RUN rm /bin/wget && mkdir /srv && chown app:app /srv && echo made > /srv/made
LABEL kind=test
USER app
CMD ["cat", "/greeting"]
END
policy='{"default":[{"type":"insecureAcceptAnything"}]}'
printf '%s' "$policy" >"$work/policy.json"

check "an OCI archive" "$CAIRN" build -q -o "type=oci,dest=$work/app.tar" "$work/app"
check "skopeo reads it" sh -c "skopeo inspect 'oci-archive:$work/app.tar' | jq -e '.Labels.kind == \"test\"'"
check "skopeo copies it to a layout" skopeo copy --policy "$work/policy.json" \
	"oci-archive:$work/app.tar" "oci:$work/layout:app"
check "umoci unpacks it" umoci unpack --image "$work/layout:app" "$work/bundle"
check "with its files" sh -c "[ \"\$(cat '$work/bundle/rootfs/srv/made')\" = made ] && \
	[ ! -e '$work/bundle/rootfs/bin/wget' ] && [ \"\$(stat -c %u '$work/bundle/rootfs/srv')\" = 1000 ]"

check "a docker archive" "$CAIRN" build -q -t localhost/app -o "type=docker,dest=$work/docker.tar" "$work/app"
check "skopeo reads that too" skopeo inspect "docker-archive:$work/docker.tar"
podman="podman --root $work/podman --runroot $work/podman-run --storage-driver vfs --cgroup-manager cgroupfs --events-backend none"
check "podman loads it" sh -c "$podman --runtime runc load -i '$work/docker.tar'"
# Limits of its own choice podman may raise above this machine's, which not every root may.
limits="--ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
check "and runs it" sh -c "[ \"\$($podman --runtime runc run --rm --network none $limits localhost/app)\" = hello ]"

check "a folder" "$CAIRN" build -q -o "$work/folder" "$work/app"
check "holds the root filesystem" [ "$(cat "$work/folder/srv/made" 2>/dev/null)" = made ]
check "a tar of it" sh -c "'$CAIRN' build -q -o type=tar,dest=- '$work/app' | tar -t | grep -q '^srv/made$'"

check "docker-registry starts" registry "$port"
check "build and push" "$CAIRN" build -q --push -t "localhost:$port/app:1" "$work/app"
check "skopeo pulls it back" skopeo copy --policy "$work/policy.json" --src-tls-verify=false \
	"docker://localhost:$port/app:1" "dir:$work/pulled"
check "a second push is accepted" "$CAIRN" push -q "localhost:$port/app:1"

check "an image that skopeo pushed" skopeo copy --policy "$work/policy.json" --dest-tls-verify=false \
	"oci:$work/layout:app" "docker://localhost:$port/bases/skopeo:1"
check "an image that podman pushed" sh -c "$podman push -q --tls-verify=false localhost/app localhost:$port/bases/podman:1"
for tool in skopeo podman; do
	printf 'FROM localhost:%s/bases/%s:1\nUSER root\nRUN cat /greeting > /copy\n' "$port" "$tool" >"$work/app/Dockerfile.$tool"
	check "$tool's image is a base" "$CAIRN" build -q -t "localhost/on-$tool" -f "$work/app/Dockerfile.$tool" "$work/app"
done
check "a build without -o is of this machine" "$CAIRN" build -q -t localhost/app "$work/app"
check "save and load" sh -c "'$CAIRN' save -o '$work/saved.tar' localhost/app && \
	CAIRN_ROOT='$work/elsewhere' '$CAIRN' load -q -i '$work/saved.tar'"
summary

# Names that would be paths, and places for what comes out.
image "$config"
printf 'content\n' >"$ctx/file"
long=$(printf %04096d 0)

# H026: names of stages, targets, images, contexts, caches.
for stage in ../../x /etc/x .. a/b "$long" 'a b'; do
	fails "a stage with the name $(echo "$stage" | cut -c 1-10)" 'stage|line 1|Dockerfile:1' <<-END
		FROM base AS $stage
		RUN true
	END
done
for tag in ../../x /etc/x .. x:../y x:/etc -x 'x y' x: :y x@y "x:$long" "$long" "$(printf 'x\ny')"; do
	fails "the tag $(echo "$tag" | head -n 1 | cut -c 1-10)" 'tag|reference' "--tag=$tag" <<-'END'
		FROM base
	END
	refuses "as another name ($(echo "$tag" | head -n 1 | cut -c 1-10))" 'reference|no such image|tag' \
		$as "$CAIRN" tag base "$tag"
done
fails 'a target that is a path' 'target stage' --target ../../etc <<'END'
FROM base
END
for name in ../../x /etc/passwd .. "$long"; do
	fails "FROM $(echo "$name" | cut -c 1-12)" 'reference|stage name' <<-END
		FROM $name
	END
	fails "COPY --from=$(echo "$name" | cut -c 1-12)" 'reference|stage|from' <<-END
		FROM base
		COPY --from=$name / /
	END
done
shows 'a cache name space of dots and slashes' 'kept' --build-arg BUILDKIT_CACHE_MOUNT_NS=../../../etc <<'END'
FROM base AS t
RUN --mount=type=cache,target=/c echo kept >/c/f; cp /c/f /out
END
check 'the store has its own folders only' sh -c "! ls -A '$CAIRN_ROOT' | grep -Evx '$rooms'"
check 'and digests in them' sh -c "! find '$CAIRN_ROOT' -path '$CAIRN_ROOT/tmp/*' -o -path '$CAIRN_ROOT/trees/*/*' -o \
	-path '$CAIRN_ROOT/mounts/*/*' -o -path '$CAIRN_ROOT/searched/salt' -o -path '$CAIRN_ROOT/*/*' -printf '%P\n' | grep -Ev '^(blobs/sha256|[a-z]+/(slot-)?[0-9a-f]{64}(\.[0-9a-z]+)*|blobs/sha256/[0-9a-f]{64})\$'"

# H058, H302: text of an image is kept as it is, and nobody obeys it.
strange='binary:///bin/sh $(touch '$work'/victim/new) `id` ;|&
]0;title %s %n ../../x'
python3 - "$work/strange.json" "$strange" <<'END'
import json, sys
text = sys.argv[2]
json.dump({"Env": ["PATH=/bin", "X=" + text], "Labels": {"l": text, text: "v"}, "Cmd": [text], "StopSignal": "SIGTERM"},
          open(sys.argv[1], "w"))
END
image "$(cat "$work/strange.json")"
build -o "type=oci,dest=$work/strange.tar" <<'END'
FROM base
RUN [ "${#X}" -gt 60 ] && echo "$X"
END
check 'labels and variables full of commands are kept' python3 -c 'import json, sys, tarfile
tar = tarfile.open(sys.argv[1])
load = lambda digest: json.load(tar.extractfile("blobs/sha256/" + digest["digest"][7:]))
config = load(load(json.load(tar.extractfile("index.json"))["manifests"][0])["config"])["config"]
wanted = json.load(open(sys.argv[2]))
assert {k: config[k] for k in wanted} == wanted, config' "$work/strange.tar" "$work/strange.json"
check 'and cannot speak to a terminal' sh -c "grep -q 'binary:///bin/sh' '$ctx.log' && ! grep -q '$(printf '\033')' '$ctx.log'"
image "$config"
unharmed_by 'names'

# H025: archives as contexts; names of images are never those of folders.
for member in ../../victim/file /../../x ../Dockerfile; do
	rm -rf "$work/tar" && mkdir "$work/tar"
	printf 'FROM scratch\nCOPY . /\n' >"$work/tar/Dockerfile"
	echo hostile >"$work/tar/file"
	refuses "a context with $member" 'leads out|\.\.' sh -c \
		"tar -C '$work/tar' -cP --transform 's,^file\$,$member,' Dockerfile file | $as '$CAIRN' build -"
done
ln -sf "$work/victim/file" "$work/tar/Dockerfile"
refuses 'a context whose Dockerfile leads out' 'Dockerfile' sh -c "tar -C '$work/tar' -c Dockerfile | $as '$CAIRN' build -"
refuses 'half a context (H024)' 'unable to prepare' sh -c \
	"{ tar -C '$work/tar' -c Dockerfile file | head -c 1536; echo garbage; } | $as '$CAIRN' build -"
check 'nothing of it is kept' sh -c "! find '$CAIRN_ROOT/tmp' -mindepth 2 -name file | grep ."
unharmed_by 'archives'

# H042: names in archives of images are checked before anything is named.
python3 "$here/../images/make_image.py" "$work/evil" name >/dev/null
refuses 'an archive that names an image ../../../etc/passwd' 'invalid|reference' $as "$CAIRN" load -i "$work/evil"
rm -rf "$work/evil"
python3 "$here/../images/make_image.py" "$work/evil" digest >/dev/null
refuses 'or one whose digest is a path' 'digest' $as "$CAIRN" load -i "$work/evil"
unharmed_by 'archives of images'

# H292, H293: where results go.
printf 'FROM base AS b\nRUN mkdir /d && echo new >/d/file && ln -s / /d/root\nFROM scratch\nCOPY --from=b /d /x\n' >"$work/Dockerfile.out"
out() {
	$as "$CAIRN" build -q --build-context "base=oci-layout://$work/layout" -f "$work/Dockerfile.out" "$@" "$ctx"
}
rm -rf "$work/dest" && mkdir -p "$work/dest"
ln -s "$work/victim" "$work/dest/x"
out -o "$work/dest" >"$ctx.log" 2>&1
unharmed_by 'a link in the folder for the result'
rm -rf "$work/dest" && mkdir -p "$work/dest/x" && ln -s "$work/victim/file" "$work/dest/x/file"
$own "$work/dest" "$work/dest/x"
check 'a link in place of a file' out -o "$work/dest"
check 'is replaced' says new cat "$work/dest/x/file"
refuses 'a folder within the store' 'store' out -o "$CAIRN_ROOT/blobs"
refuses 'the store itself' 'store' out -o "$CAIRN_ROOT"
check 'an archive over an old one' out -o "type=tar,dest=$work/o.tar"
cp "$work/o.tar" "$work/old.tar"
for kind in tar oci docker; do
	refuses "an archive ($kind) where a folder is" 'directory' out -o "type=$kind,dest=$work/dest"
	refuses "one in a folder that is not there ($kind)" 'no such file' out -o "type=$kind,dest=$work/none/o.tar"
done
refuses 'an id where a folder is' 'directory' out --iidfile "$work/dest"
printf 'FROM base\nRUN false\n' >"$work/Dockerfile.out"
echo old >"$work/iid"
$own "$work/iid"
refuses 'a failed build' 'exit code: 1' out --iidfile "$work/iid" --metadata-file "$work/meta" -o "type=tar,dest=$work/o.tar"
check 'leaves no id, no metadata' sh -c "[ ! -e '$work/iid' ] && [ ! -e '$work/meta' ]"
check 'and the older archive as it was' cmp "$work/o.tar" "$work/old.tar"
check 'nothing half written' sh -c "! ls -A '$work' | grep -E 'o\.tar.|\.o\.tar|iid|meta'"
unharmed_by 'results'

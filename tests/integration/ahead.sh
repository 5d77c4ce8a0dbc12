# Layers are compressed while later steps run, and what was compressed is what leaves.
. ../lib.sh

base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir "$work/context"
seq 100000 >"$work/context/numbers"
cat >"$work/context/Dockerfile" <<'END_OF_FILE'
FROM localhost/base AS aside
COPY numbers /of-no-image
FROM localhost/base
COPY numbers /numbers
RUN --mount=type=cache,target=/told until [ -e /told/on ]; do sleep 0.1; done; wc -l /numbers >/lines
COPY --from=aside /of-no-image /
END_OF_FILE
packed() { find "$CAIRN_ROOT"/tmp/*/packed "$CAIRN_ROOT/packed" -type f 2>/dev/null | wc -l; }
one_more() { [ "$(packed)" -eq $((before + 1)) ]; }

before=$(packed)
"$CAIRN" build -o "type=oci,dest=$work/app.tar" "$work/context" >"$work/log" 2>&1 &
building=$!
check "a layer is packed while the next step waits" wait_until one_more
# The cache mount is there as soon as the step runs; the step ends when it is told to.
go_on() { set -- "$CAIRN_ROOT"/mounts/*/ && touch "$1/on"; }
check "the step runs" wait_until go_on
check "and the build goes on" wait "$building"
tar xf "$work/app.tar" -C "$work/context" --one-top-level=layout
check "to an image that is whole" skopeo copy -q "oci:$work/context/layout" "dir:$work/dir"
rm -rf "$work/context/layout"

printf 'FROM localhost/base\nCOPY numbers /elsewhere\nRUN echo one >/1\nRUN exit 3\n' >"$work/context/Dockerfile"
fails() { ! "$CAIRN" build -o "type=oci,dest=$work/none.tar" "$work/context" >"$work/log" 2>&1; }
check "a build that fails while a layer is packed ends" fails
check "and writes nothing" test ! -e "$work/none.tar"
summary

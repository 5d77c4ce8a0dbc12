# The times of files that a RUN sees: what a compiler with a cache mount goes by.
base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"
mkdir -p app/src
now=$(date +%s)

# edit FILE TEXT SECONDS: it says TEXT, so many seconds from now.
edit() {
	echo "$2" >"app/src/$1"
	touch -d "@$((now + $3))" "app/src/$1"
}

# The compiler of these tests: an object that is older than its source is made again.
cat >compile <<-'END'
	for source in /src/*; do
	    object=/objects/${source##*/}
	    [ -e $object ] && [ ! $source -nt $object ] || { echo "compiled ${source##*/}."; cp -p $source $object; }
	done
	END

# recipe MOUNT LINE...: the Dockerfile: these lines, and a RUN with MOUNT that compiles.
recipe() {
	mount=$1
	shift
	{
		printf '%s\n' "$@" "RUN --mount=type=cache,id=$kind,target=/objects $mount <<'END'"
		cat compile
		echo END
	} >app/Dockerfile
}

# compiled [FLAG...]: what the build compiled.
compiled() {
	"$CAIRN" build --progress=plain "$@" app 2>&1 | sed -n 's/.*compiled \(.*\)\.$/\1/p' | tr '\n' ' '
}

for kind in copy bind stage; do
	edit a first -100
	edit b first -100
	case $kind in
	copy) recipe '' 'FROM localhost/base' 'COPY src /src' 'ARG N' ;;
	bind) recipe --mount=type=bind,source=src,target=/src 'FROM localhost/base' 'ARG N' ;;
	stage) recipe '' 'FROM scratch AS source' 'COPY src /src' 'FROM localhost/base' 'COPY --from=source /src /src' 'ARG N' ;;
	esac
	check "$kind: all is compiled at first" says "a b " compiled
	edit a second 100
	check "$kind: what was edited is compiled again, and only that" says "a " compiled
	edit a first 200
	check "$kind: what was edited back is compiled again" says "a " compiled --build-arg N=1
	rm -rf "$CAIRN_ROOT"/trees/* "$CAIRN_ROOT"/tmp/*/trees/*
	edit a second 300
	check "$kind: and when nothing is left of its tree" says "a " compiled --build-arg N=2
	check "$kind: what was not touched is not compiled" says "" compiled --build-arg N=3
done

# What has no time of its own has the one at which its layer was made.
document() { printf 'FROM localhost/base\nCOPY <<A /src/a\n%s\nA\n' "$1"; }
kind=document
recipe '' "$(document first)"
check "a document is compiled" says "a " compiled
touched=$(find "$CAIRN_ROOT" -path '*mounts*' -name a -newermt '2000-01-01' | wc -l)
check "as of today" test "$touched" -gt 0

# Layers know nothing of all that.
layers() { "$CAIRN" image inspect "$1" | jq -c '.[0].RootFS.Layers'; }
printf 'FROM localhost/base\nCOPY src /src\nRUN chown -R 7:8 /src && chmod 600 /src/a\n' >app/Dockerfile
check "owners and modes change" "$CAIRN" build -q -t localhost/one app
touch -d "@$now" app/src/*
check "also in another checkout" "$CAIRN" build -q --no-cache -t localhost/two app
check "which makes the same layers" says "$(layers localhost/one)" layers localhost/two
printf 'FROM localhost/base\nCOPY src /src\nRUN stat -c %%Y. /src/a\n' >app/Dockerfile
check "with an epoch all files have it" sh -c \
	'SOURCE_DATE_EPOCH=1234567 "$0" build --progress=plain app 2>&1 | grep -q " 1234567\.$"' "$CAIRN"
check "and without it their own" sh -c '"$0" build --progress=plain app 2>&1 | grep -q " $1\.$"' "$CAIRN" "$now"

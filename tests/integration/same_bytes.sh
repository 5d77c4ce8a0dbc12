# Same inputs, same layer digests: whatever the folder, umask, locale, time zone, checkout time.
. ../lib.sh

base "$work/base"
check "the base builds" "$CAIRN" build -q -t localhost/base "$work/base"

# context FOLDER TIME: the same files, touched at TIME.
context() {
	mkdir -p "$1/src/deep/er"
	printf 'one\n' >"$1/src/a"
	printf 'two\n' >"$1/src/deep/b"
	printf 'exe\n' >"$1/src/deep/er/run"
	printf 'caf\303\251\n' >"$1/src/$(printf 'caf\303\251')"
	chmod 755 "$1/src/deep/er/run" "$1/src" "$1/src/deep" "$1/src/deep/er"
	chmod 644 "$1/src/a" "$1/src/deep/b" "$1"/src/caf*
	ln -s ../a "$1/src/deep/link"
	ln "$1/src/a" "$1/src/twin"
	cat >"$1/Dockerfile" <<-'END'
		FROM localhost/base
		WORKDIR /app/new
		COPY src ./
		COPY --chown=1000:1000 --chmod=0640 src/a /etc/owned
		COPY <<X /made/of/words
		text
		X
		ADD src/deep /added/
	END
	find "$1" -exec touch -h -d "$2" {} +
}
diff_ids() { "$CAIRN" inspect "$1" | jq -r '.[0].RootFS.Layers[]'; }
same() { [ -n "$(diff_ids "$1")" ] && [ "$(diff_ids "$1")" = "$(diff_ids "$2")" ]; }

(umask 022 && context "$work/one" "2001-02-03 04:05:06")
(umask 077 && context "$work/a longer name/two" "2020-12-31 23:59:59")
check "one machine's build" env LC_ALL=C TZ=UTC sh -c "umask 022; exec '$CAIRN' build -q -t localhost/one '$work/one'"
cp -a "$CAIRN_ROOT/." "$work/first-store"
check "another's, with a store of its own" \
	env CAIRN_ROOT="$work/other" sh -c "'$CAIRN' build -q -t localhost/base '$work/base'"
check "and another locale, umask and zone" env CAIRN_ROOT="$work/other" LC_ALL=C.UTF-8 TZ=Asia/Tokyo \
	sh -c "umask 077; exec '$CAIRN' build -q -t localhost/two '$work/a longer name/two'"
diff_ids localhost/one >"$work/ids-one"
CAIRN_ROOT="$work/other" "$CAIRN" inspect localhost/two | jq -r '.[0].RootFS.Layers[]' >"$work/ids-two"
check "give the same layers" sh -c "[ -s '$work/ids-one' ] && diff '$work/ids-one' '$work/ids-two'"

printf 'FROM localhost/base\nRUN echo hi > /f; mkdir -p /d/e; ln -s f /l\n' >"$work/one/Dockerfile.run"
check "a RUN with SOURCE_DATE_EPOCH" env SOURCE_DATE_EPOCH=1600000000 \
	"$CAIRN" build -q -t localhost/run1 -f "$work/one/Dockerfile.run" "$work/one"
check "run again" env SOURCE_DATE_EPOCH=1600000000 \
	"$CAIRN" build -q --no-cache -t localhost/run2 -f "$work/one/Dockerfile.run" "$work/one"
check "gives the same layer" same localhost/run1 localhost/run2
summary

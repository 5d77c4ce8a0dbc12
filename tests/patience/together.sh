# Steps of independent stages: how many run at once, which run at all, and what is seen of them.
stages() { printf 'FROM localhost/base AS a\n%b\nFROM localhost/base AS b\n%b\nFROM scratch\nCOPY --from=a /etc/passwd /a\nCOPY --from=b /etc/passwd /b\n' "$1" "$2" >"$ctx/Dockerfile"; }
cached='RUN --mount=type=cache,target=/together'

# Each waits for the other.
stages "$cached mkfifo /together/pipe 2>/dev/null; echo met >/together/pipe" \
	"$cached mkfifo /together/pipe 2>/dev/null; cat /together/pipe"
check "two stages run at once" build --run-timeout 60s --jobs 2
check "... and meet" logs '^#[0-9]+ [0-9.]+ met$'
check "... without being told to" build --run-timeout 60s --no-cache
stages "$cached echo begin >>/together/one; usleep 200000; echo end >>/together/one" \
	"$cached echo begin >>/together/one; usleep 200000; echo end >>/together/one; : b"
check "with --jobs 1 they run one after the other" build --jobs 1
file "$cached"' tr "\\n" " " </together/one\n'
check "... each to its end" sh -c '"$0" build --progress=plain "$1" 2>&1 | grep -E " begin end begin end $"' "$CAIRN" "$ctx"
stages "$cached echo ran >>/together/twice; usleep 100000" "$cached echo ran >>/together/twice; usleep 100000"
check "the same step of two stages" build
file "$cached"' wc -l </together/twice\n'
check "... runs once" sh -c '"$0" build --progress=plain "$1" 2>&1 | grep -E "^#[0-9]+ [0-9.]+ 1$"' "$CAIRN" "$ctx"

# Both write lines in pieces, to both of their outputs.
stages 'RUN i=0; while [ $i -lt 300 ]; do printf aaaa; printf "aaaa\\\\n"; printf AAAA >\&2; printf "AAAA\\\\n" >\&2; i=$((i+1)); done' \
	'RUN i=0; while [ $i -lt 300 ]; do printf bbbb; printf "bbbb\\\\n"; printf BBBB >\&2; printf "BBBB\\\\n" >\&2; i=$((i+1)); done'
sed -i 's/\\&/\&/g' "$ctx/Dockerfile"
check "two steps talk at once" build
check "... each line is of one of them, and whole" awk '
	$1 ~ /^#[0-9]+$/ && $2 ~ /^[0-9]+[.][0-9]+$/ { n++; if ($3 !~ /^(aaaaaaaa|bbbbbbbb|AAAAAAAA|BBBBBBBB)$/) { print; bad = 1 } }
	END { print n; exit bad || n != 1200 }' "$work/log"
check "... under its own number" awk '
	$3 ~ /^[aAbB]+$/ { who = tolower(substr($3, 1, 1)); if (seen[$1] && seen[$1] != who) bad = 1; seen[$1] = who }
	END { exit bad }' "$work/log"

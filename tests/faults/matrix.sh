# Every file of the store, damaged in several ways (H251, H252, H286): the next build makes it anew and
# its outcome is the same to the byte; fsck tells of the damage before, and of none after.
if [ -z "${ALONE:-}" ]; then
	ALONE=1 exec unshare -m sh "$0"
fi
. ./parts.sh

cp -a "$CAIRN_ROOT" "$work/pristine"
mkdir "$work/victim"

# damage KIND FILE
damage() {
	chmod u+w "$2" 2>/dev/null
	size=$(stat -c %s "$2")
	case $1 in
	flip)
		byte=$(dd if="$2" bs=1 skip=$((size / 2)) count=1 2>/dev/null | od -An -tu1)
		printf "\\$(printf %o $((byte ^ 64)))" |
			dd of="$2" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
		;;
	cut) truncate -s $((size * 2 / 3)) "$2" ;;
	longer) printf x >>"$2" ;;
	empty) truncate -s 0 "$2" ;;
	missing) rm -r "$2" ;;
	folder) rm -r "$2" && mkdir "$2" && touch "$2/x" ;;
	link) rm -r "$2" && ln -s "$work/victim" "$2" ;;
	fifo) rm -r "$2" && mkfifo "$2" ;;
	file) rm -r "$2" && touch "$2" ;;
	esac
}

# is_told KIND: fsck knows.
is_told() {
	"$CAIRN" fsck --deep >"$work/fsck.log" 2>&1
	[ $? -eq 1 ] || [ "$1" = missing ] || { cat "$work/fsck.log"; return 1; }
}

is_mended() {
	is_told "$1" && rm -f "$work/app.tar" && build && [ "$(outcome)" = "$right" ] &&
		"$CAIRN" fsck --deep --repair >/dev/null
	# What the build did not need was repaired; now all is well.
	is_good
}

# mends KIND NAME: of a store that is otherwise as it was.
mends() {
	rm -rf "$CAIRN_ROOT"
	cp -a "$work/pristine" "$CAIRN_ROOT"
	damage "$1" "$CAIRN_ROOT/$2"
	check "$1: $2" is_mended "$1"
}
# in_turn KINDS NAME...: each file is damaged in another way.
in_turn() {
	kinds=$1
	shift
	for path in "$@"; do
		mends "${kinds%% *}" "${path#"$work/pristine/"}"
		kinds="${kinds#* } ${kinds%% *}"
	done
}
in_turn 'flip' "$work"/pristine/blobs/sha256/* "$work"/pristine/tables/*
in_turn 'cut folder empty link longer fifo missing' "$work"/pristine/blobs/sha256/* \
	"$work"/pristine/tables/* "$work"/pristine/steps/*
in_turn 'flip cut folder' "$work"/pristine/steps/slot* "$work"/pristine/packed/*
in_turn 'flip link' "$work"/pristine/images/* "$work"/pristine/packed/*
for path in "$work"/pristine/trees/*.whole; do
	in_turn 'file link missing' "${path%.whole}"
done
check "no link was followed" rmdir "$work/victim"

# A file changed in a tree, which builds do not look at: fsck finds it (H253).
for change in 'chmod 600' rm 'sh -c "echo 3001 >>\"\$0\""'; do
	rm -rf "$CAIRN_ROOT"
	cp -a "$work/pristine" "$CAIRN_ROOT"
	for file in "$CAIRN_ROOT"/trees/*/f; do eval "$change \"\$file\""; done
	refuses "in a tree $change is found" 'trees/[0-9a-f]+ is damaged' "$CAIRN" fsck --deep
done
check "a tree is not read without --deep" "$CAIRN" fsck
refuses "with --deep it is" 'trees/[0-9a-f]+ is damaged \(f was changed in it\)' "$CAIRN" fsck --deep
refuses "repaired" 'trees/[0-9a-f]+ was damaged .* removed' "$CAIRN" fsck --deep --repair
check "... it is made again" is_good

# What other commands read is compared, too.
for layer in "$CAIRN_ROOT"/blobs/sha256/*; do
	[ "$(stat -c %s "$layer")" -lt 30000 ] || damage flip "$layer"
done
refuses "save lets no damaged layer leave" 'blobs/sha256/[0-9a-f]+ was damaged' \
	"$CAIRN" save -o "$work/saved.tar" localhost/app
check "... and writes nothing" [ ! -e "$work/saved.tar" ]
check "... and the build makes it again" is_good
check "... so that it can be saved" "$CAIRN" save -o "$work/saved.tar" localhost/app
summary

# Ordinary users: one with subordinate ids, one with none.
cat >>"$work/base/Dockerfile" <<'END'
COPY --chown=app:app Dockerfile /home/app/notes
RUN echo more >>/home/app/notes && ln -s notes /home/app/link && mkdir -m 700 /var && touch /var/mine
USER app
WORKDIR /home/app/work
RUN id -u >user && mkdir folder && mv ../notes moved
USER root
RUN rm -r folder && echo root >user && touch /home/app/roots
END
root=$("$work/shared/cairn" build -q "$work/base")
registry 5087

# cairn COMMAND... as $user.
cairn() {
	as "$user" "$work/shared/cairn" "$@"
}

build() {
	cairn build --progress=plain -t localhost:5087/mine:1 --iidfile "$work/$user/id" "$work/base"
}

for user in $many $one; do
	store=$work/$user/.local/share/cairn
	build >"$work/log"
	check 'an ordinary user builds the same image as root' equal "$root" "$(cat "$work/$user/id")"
	check 'in a place of its own' [ -d "$store/trees" ]
	check 'whose files are its own' equal "$user" "$(stat -c %U "$work/$user/id")"
	case $user in
	"$many") expected= ;;
	*) expected='WARNING: to a RUN all files belong to its own user: no ids for this user in /etc/subuid and /etc/subgid' ;;
	esac
	check 'it is told in one line what is missing' equal "$expected" "$(grep WARNING "$work/log")"
	check 'a second time nothing runs' equal 6 "$(build | grep -c CACHED)"
	check 'images are listed' equal mine:1 "$(cairn images --format '{{.Repository}}:{{.Tag}}' | sed 's|.*/||')"
	check 'named' says '' cairn tag localhost:5087/mine:1 other
	check 'looked at' equal "$root" "$(cairn inspect --format '{{.Id}}' other)"
	check 'saved' equal manifest.json "$(cairn save other | tar t | grep manifest)"
	check 'pushed' cairn push localhost:5087/mine:1
	check 'removed' cairn rmi -f other localhost:5087/mine:1
	check 'and pulled' cairn pull localhost:5087/mine:1
	cairn rmi localhost:5087/mine:1 >"$work/null"
	cairn prune -a -f >"$work/null"
	check 'nothing is left of them, whoever it belonged to' equal '' "$(ls "$store/trees")$(ls "$store/tables")"
done

# H230: what a single id cannot do fails in the command, and is explained; a range that is too small
# is named with the id that is missing; without newuidmap there is a single id.
printf 'FROM base\nRUN chown app /bin\n' >"$work/shared/chown"
printf 'FROM base\nCOPY --chown=4000:4000 chown /of-4000\nRUN touch /of-4000 && true\n' >"$work/shared/beyond"
printf '%s:100000:2000\n' $many >"$work/small"
mkdir "$work/no-tools"
of_ids() {
	user=$many
	unshare -m sh -c 'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec "$@"' - "$work/small" \
		runuser -u $many -- env -i HOME="$work/$many" PATH="$1" "$work/shared/cairn" build --progress=plain --no-cache \
		--build-context "base=$work/base/rootfs" -f "$work/shared/beyond" ${2:-} "$work/shared" >"$work/log" 2>&1
}
user=$one
cairn build --progress=plain --build-context "base=$work/base/rootfs" -f "$work/shared/chown" "$work/shared" >"$work/log"
check 'a chown with a single id fails' grep -q '^ERROR: .*chown app /bin" did not complete' "$work/log"
check '... and why is told' grep -q '^#[0-9]* with a single id a RUN can neither chown nor' "$work/log"
of_ids "$PATH"
check 'an owner beyond a small range is named' grep -q \
	'^ERROR: .*unpack of-4000: owner 4000:4000 is not among the ids of this user namespace (/etc/subuid, /etc/subgid)' "$work/log"
of_ids "$work/no-tools" "-o type=tar,dest=$work/$many/beyond.tar"
check 'without newuidmap it is a file with that owner' sh -c \
	'tar --numeric-owner -tvf "$0" | grep -q "4000/4000 .* of-4000$"' "$work/$many/beyond.tar"
check '... and a RUN says what is missing' grep -q \
	'^WARNING: to a RUN all files belong to its own user: newuidmap and newgidmap, of the package uidmap,' "$work/log"

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

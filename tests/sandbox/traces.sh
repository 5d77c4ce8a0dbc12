# What a run leaves in the upper directory, and images that mean harm.
leaves 'a run that does nothing leaves nothing' '. ' -- true
lower etc 'mkdir -p etc a/b; touch -d 2001-02-03 etc a/b a'
touch -d 2001-02-03 "$store/base"
leaves 'no stub in folders of the image' '. ' \
	--lower etc --lower base --tmpfs /a/b/c/d 0 --file /a/b/f 0444 x -- true
check 'their times are the image'\''s' equal '2001-02-03' \
	"$(run --lower etc --lower base --tmpfs /a/b/c 0 -- stat -c %y /a/b | cut -d ' ' -f 1)"
leaves 'what the command changed there stays' '. ./a ./a/b ./a/b/new ' \
	--lower etc --lower base --tmpfs /a/b/c/d 0 -- touch /a/b/new
leaves 'also when it is the folder itself' '. ./a ./a/b ' --lower etc --lower base --tmpfs /a/b/c 0 -- chmod 700 /a/b
check 'with its new mode' equal 700 "$(stat -c %a "$store/upper/a/b")"
leaves 'what is put beside a mount in a folder made for it' '. ./new ./new/mine ' \
	--tmpfs /new/t 0 -- touch /new/mine
leaves 'a folder made for a mount and then moved is moved without it' '. ./moved ' \
	--tmpfs /new/t 0 -- mv /new /moved
lower links 'mkdir real etc; ln -s /real link; ln -s ../../../real/dir up; ln -s ../run/none/resolv.conf etc/resolv.conf; ln -s loop loop'
sees 'a target through links lands inside the image' 'yes' --lower links --lower base --file /link/f 0444 yes -- cat /real/f
sees 'also through one that leads nowhere' 'yes' --lower links --lower base --file /up/f 0444 yes -- cat /real/dir/f
sees 'a dangling /etc/resolv.conf' 'nameserver' --lower links --lower base -- cut -d ' ' -f 1 /etc/resolv.conf
check 'leaves nothing behind either' equal '. ' "$(upper)"
run --lower links --lower base --tmpfs /loop/x 0 -- true >/dev/null
check 'links in a circle are an error' grep -q 'Too many levels' "$work/end"
lower dirs 'mkdir -p etc/hosts'
sees 'an /etc/hosts that is a directory' '0' --lower dirs --lower base -- sh -c 'ls -A /etc/hosts | wc -l'
lower white 'mknod etc c 0 0'
leaves 'a deleted folder is made again for its stubs and goes' '. ' --lower white --lower etc --lower base -- true

victim=$work/victim
mkdir -p "$victim/x"
echo untouched >"$victim/ptmx"
harm() {
	sentence=$1 make=$2
	shift 2
	lower evil "$make"
	before=$(find "$victim" -exec stat -c '%n %i %s %y %z' {} +)
	run --lower evil --lower base "$@" >/dev/null
	check "$sentence" equal "$before" "$(find "$victim" -exec stat -c '%n %i %s %y %z' {} +)"
}
harm 'an image whose /dev is a link out of it' "ln -s $victim dev" -- true
harm 'or one with many dots' "ln -s ../../../../../../..$victim dev" -- true
harm 'whose console is' "mkdir -p dev/pts; ln -s $victim/f dev/console; ln -s $victim/f dev/pts/0" -- true
harm 'whose /proc is' "ln -s $victim proc" -- true
harm 'whose /sys is' "ln -s $victim sys" -- true
harm 'whose /etc is' "ln -s $victim etc" -- true
harm 'whose files for us are links' \
	"mkdir etc run; for f in hosts resolv.conf hostname mtab; do ln -s $victim/\$f etc/\$f; done; ln -s $victim run/secrets" \
	--file /run/secrets/s 0400 secret -- true
harm 'a command that puts a link where a stub was' : --insecure --tmpfs /t/x 0 -- \
	sh -c "umount /t/x; rm -rf /t; ln -s $victim /t"
lower evil "mkdir -p dev; ln -s /proc/sys/kernel/core_pattern dev/null"
[ "$way" = --chroot ] || sees 'masks do not come from the image' '1:3 0' --lower evil --lower base -- sh -c \
	'echo $(stat -c %t:%T /dev/null) $(head -c 9 /proc/keys | wc -c)'
lower evil ': >proc'
run --lower evil --lower base -- true >/dev/null
check 'a /proc that is a file is an error' grep -q '^input: .*not a directory' "$work/end"
[ "$way" = --chroot ] || ends 'our own program, executed inside, finds nobody to work for' 'exit 1 signal 0 ' -- /proc/self/exe
lower many ''
set --
i=0
while [ $i -lt 450 ]; do
	mkdir -p "$store/many/$i"
	set -- "$@" --lower "many/$i"
	i=$((i + 1))
done
: >"$store/many/449/last"
sees 'four hundred and fifty layers' '/last' "$@" --lower base -- ls /last
sees 'removed files are gone' 'none' --lower white --lower base -- sh -c 'ls -d /etc/passwd 2>/dev/null || echo none'
# H263: overlayfs moves no folder of a lower layer, and mv copies it then.
leaves 'a folder of the image is renamed' '. ./a ./c ./c/b ' --lower etc --lower base -- mv /a /c
# H268: whatever the times say.
lower files 'for f in same mode twin quiet since; do echo $f >$f; done; touch -d 2001-02-03 *'
leaves 'changes that keep size and time are seen' '. ./link ./mode ./quiet ./same ./twin ' --lower files --lower base -- sh -c '
	echo SAME >/same; touch -r /since /same; chmod 600 /mode; ln /twin /link
	echo first >/quiet; echo quiet >/quiet; touch -r /since /quiet'
check 'with what they say' equal 'SAME quiet' "$(echo $(cat "$store/upper/same" "$store/upper/quiet"))"
lower twins 'echo one >kept; ln kept gone; echo one >same; ln same lost; touch -d 2001-02-03 *; touch -r same since'
leaves 'also of a file that has lost a name' '. ./gone ./lost ./same ' --lower twins --lower base -- sh -c '
	rm /gone /lost; echo two >/same; touch -r /since /same'
# H272: the layers below are as they were.
lower kept 'mkdir etc; for f in appended cut written closed; do echo $f >etc/$f; done; ln etc/cut etc/name'
kept() { find "$store/kept" -exec stat -c '%n %f %u %g %h %i %s %Y %Z' {} + && cat "$store"/kept/etc/*; }
before=$(kept)
run --lower kept --lower base -- sh -c 'cd /etc; echo x >>appended; : >cut; echo x | dd of=written conv=notrunc
	chmod 4777 closed; chown 7 closed; touch -d 2001-02-03 . *; rm name; mv written moved; rm -r /bin' >/dev/null
check 'no layer is written to' equal "$before" "$(kept)"
leaves 'deleting makes a whiteout (H266)' '. ./etc ./etc/passwd ' -- rm /etc/passwd
check 'in the overlay form' equal 'character special file 0:0' "$(stat -c '%F %t:%T' "$store/upper/etc/passwd")"

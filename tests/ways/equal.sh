# Forty Dockerfiles give the same images in every way (H267); ids of images stand for layers and config.
cat >>"$work/base/rootfs/etc/passwd" <<END
daemon:x:1:1:daemon:/usr/sbin:/bin/false
END
printf 'staff:x:50:app\n' >>"$work/base/rootfs/etc/group"
rmdir "$work/base/rootfs/tmp"
mkdir -p "$work/base/app/app" "$work/base/rootfs/home" "$work/base/rootfs/root" "$work/base/rootfs/usr/bin" \
	"$work/base/rootfs/var/log"
cat >"$work/base/Dockerfile" <<END
FROM scratch
COPY rootfs /
COPY --chmod=1777 app/app /tmp
COPY --chown=1000:1000 app /home
CMD ["sh"]
END
"$CAIRN" build -q -o "type=oci,tar=false,dest=$work/shared/base" "$work/base" >"$work/null"
python3 "$here/contexts.py" "$work/shared/contexts" "$cases"
chmod -R a+rX "$work/shared"

# The flags of builds.sh.
set -- "$work/shared/contexts" "$work/shared/base"
builds=$work/shared/builds.sh cairn=$work/shared/cairn
sh "$builds" "$cairn" "$@" --isolation overlay >"$work/overlay.ids"
check 'all Dockerfiles can be built' sh -c '! grep -v " sha256:[0-9a-f]*$" "$1"' - "$work/overlay.ids"

# Two rows beside one another.
{
	for way in copy chroot; do
		CAIRN_ROOT=$work/store-$way sh "$builds" "$cairn" "$@" --isolation $way >"$work/$way.ids"
	done
	for user in $many $one; do
		as $user sh "$builds" "$cairn" "$@" >"$work/$user.ids"
	done
} &
row=$!
CAIRN_ROOT=$work/store-userns sh "$builds" "$cairn" "$@" --isolation userns >"$work/userns.ids"
for seccomp in docker none; do
	contained $seccomp 0 sh "$builds" cairn "$@" >"$work/$seccomp.ids"
done
wait $row
same() {
	check "$1" diff "$work/overlay.ids" "$work/$2.ids"
}
same 'the same images in a user namespace of root'\''s' userns
same 'on copies' copy
same 'in a chroot' chroot
check 'and that they are forty' [ "$(wc -l <"$work/overlay.ids")" -ge 40 ]
same 'as an ordinary user' $many
same 'in a container' docker
same 'in a container without a seccomp profile' none
# Who has a single id gives no file to others and is in no further group.
beyond=$({ echo users; cd "$work/shared/contexts" && grep -lE '(^|[^-])ch(own|grp) ' */Dockerfile; } | sed 's|/.*||')
for name in $beyond; do
	sed -i "/^$name /d" "$work/overlay.ids" "$work/$one.ids"
done
check 'of which most need no more than a single id' [ "$(wc -l <"$work/$one.ids")" -ge 25 ]
same 'as one with that' $one

# An epoch before the times of the base's folders: one that has lent a place for a mount is unchanged.
# And another user than root, also where there is a single id.
mkdir "$work/shared/early"
printf 'FROM base\nRUN chmod 1777 /tmp\nUSER app\nWORKDIR /tmp/mine\nRUN id -u >who; pwd >>who\n' >"$work/shared/early/Dockerfile"
early() {
	user=$1 way=$2
	set -- env SOURCE_DATE_EPOCH=5 "$cairn" build -q --no-cache --isolation "$way" \
		--build-context "base=oci-layout://$work/shared/base" "$work/shared/early"
	[ "$user" = root ] || set -- as "$user" "$@"
	"$@" 2>&1 | tail -n 1
}
early=$(early root overlay)
for user in root $many $one; do
	for way in copy chroot; do
		check "an early epoch, another user, by $user ($way)" equal "$early" "$(early $user $way)"
	done
done

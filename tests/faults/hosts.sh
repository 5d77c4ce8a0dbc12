# Hosts that refuse connections are told of soon; it is others that patience is for.
. ../lib.sh

mkdir "$work/context"
printf 'FROM scratch\nADD http://127.0.0.1:1/file /\n' >"$work/context/Dockerfile"
refuses "nobody listens, which takes no half a minute" \
	'Dockerfile:2: ADD: .*127.0.0.1.*(refused|connect)' timeout 15 "$CAIRN" build "$work/context"
summary

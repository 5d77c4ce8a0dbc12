# builds.sh CAIRN CONTEXTS BASE [FLAG...]: a line for each folder in CONTEXTS: its name, the image's id.
cairn=$1 contexts=$2 base=$3
shift 3
for folder in "$contexts"/*/; do
	id=$("$cairn" build -q "$@" --build-context "base=oci-layout://$base" "$folder" 2>&1 | tail -n 1)
	echo "$(basename "$folder") $id"
done

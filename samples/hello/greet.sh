# Reads a greeting a line, and greets $1 with each.
while read -r greeting; do
	echo "$greeting, $1!"
done

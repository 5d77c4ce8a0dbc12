#include <stdio.h>

int main(void)
{
	fputs("cairn: no command yet\n", stderr);
	return 2;
}

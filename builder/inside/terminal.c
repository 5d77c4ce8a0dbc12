/* A terminal for the command, so that somebody can talk to it. Not the user's own: what has that
 * can type into it, and change it for whoever comes after. */
#include <asm/ioctls.h>
#include <linux/fcntl.h>

#include "builder/inside/inside.h"

void terminal_make(struct inside *in, int dir, const char *name)
{
	long ours = must(sys(openat, dir, name, O_RDWR | O_NOCTTY | O_CLOEXEC), "open", name);
	int locked = 0;

	must(sys(ioctl, ours, TIOCSPTLCK, &locked), "unlock the terminal of", name);
	/* By descriptor: a name in a folder of terminals may be exchanged (CVE-2025-52565). */
	in->terminal = (int)must(sys(ioctl, ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC),
	                         "open the terminal of", name);
	hand_over(REPLY_TERMINAL, 0, (int)ours, "a terminal");
	sys(close, ours);
}

long terminal_take(const struct inside *in)
{
	long answer = 0;

	for (int fd = 0; fd <= 2 && answer >= 0; fd++)
		answer = sys(dup3, in->terminal, fd, 0);
	if (answer >= 0)
		answer = sys(ioctl, 0, TIOCSCTTY, 0);
	/* It is the user's, who opens it again as /dev/tty; with one id it is already. */
	sys(fchown, 0, in->r->uid, -1);
	return answer;
}

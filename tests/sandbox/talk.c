/* What busybox cannot do, for tests inside a sandbox; linked statically.
 *
 *     talk to SOCKET TEXT    send TEXT, print the answer
 *     talk euid              the effective user
 *     talk call NUMBER       what the kernel says to a system call without arguments; or "mount"
 *     talk exchange A B STOP exchange the names A and B until STOP is there
 *     talk push X            type X into every terminal in reach
 *     talk share             leave shared memory behind
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int talk_to(const char *path, const char *text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char answer[256];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ssize_t n;

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
	    write(fd, text, strlen(text)) < 0)
		return 1;
	while ((n = read(fd, answer, sizeof answer)) > 0)
		fwrite(answer, 1, (size_t)n, stdout);
	return n < 0;
}

static int exchange(const char *a, const char *b, const char *stop)
{
	while (access(stop, F_OK) < 0)
		if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0)
			return 1;
	return 0;
}

static int push(const char *what)
{
	int terminal = open("/dev/tty", O_RDWR), fds[] = { 0, 1, 2, terminal };

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		puts(ioctl(fds[i], TIOCSTI, what) == 0 ? "pushed" : strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "to") == 0)
		return talk_to(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "exchange") == 0)
		return exchange(argv[2], argv[3], argv[4]);
	if (argc == 3 && strcmp(argv[1], "push") == 0)
		return push(argv[2]);
	if (argc == 2 && strcmp(argv[1], "share") == 0)
		return shmget(IPC_PRIVATE, 4096, 0600) < 0;
	if (argc == 2 && strcmp(argv[1], "euid") == 0)
		return printf("%u\n", geteuid()) < 0;
	if (argc == 3 && strcmp(argv[1], "call") == 0)
		return puts(syscall(strcmp(argv[2], "mount") ? atol(argv[2]) : SYS_mount, 0, 0, 0, 0, 0) < 0
		                    ? strerror(errno) : "allowed") < 0;
	return 2;
}

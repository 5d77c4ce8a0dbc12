#!/usr/bin/env python3
# terminal.py COMMAND... -- EXPECT SEND...: a user at a terminal of 33 lines and 99 columns, who waits for
# each text and then types ("^C" is Ctrl-C, "\n" the return key). What was seen is printed; the last line
# tells the end: "status N", and whether the terminal is as it was before.
import fcntl, os, pty, select, struct, sys, termios

split = sys.argv.index("--")
command, talk = sys.argv[1:split], sys.argv[split + 1:]
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
before = termios.tcgetattr(theirs)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(theirs, fd)
    os.execvp(command[0], command)

seen = b""


def look(wait):
    """More of what is seen; False when there is none."""
    global seen
    if not select.select([ours], [], [], wait)[0]:
        return False
    seen += os.read(ours, 65536)
    return True


done = 0
for expect, send in zip(talk[::2], talk[1::2]):
    while (at := seen.find(expect.encode(), done)) < 0:
        if not look(30):
            sys.exit("%s\nwaited for: %s" % (seen.decode(errors="replace"), expect))
    done = at + len(expect)
    os.write(ours, send.replace("\\n", "\n").replace("^C", "\x03").encode())
while True:
    ended, status = os.waitpid(child, os.WNOHANG)
    look(0.05)
    if ended:
        break
while look(0):
    pass
same = "as before" if termios.tcgetattr(theirs) == before else "changed"
print(seen.decode(errors="replace").replace("\r", ""))
print("status %d, terminal %s" % (os.waitstatus_to_exitcode(status), same))

"""A service manager as small as it can be: what systemd does for a service of Type=notify with FileDescriptorStoreMax=.

usage: manager.py NOTIFY_SOCKET LISTENING_SOCKET|- COMMAND...

Runs COMMAND with NOTIFY_SOCKET, prints every notification on a line of its own (newlines as blanks), and keeps the
descriptors that come with FDSTORE=1. LISTENING_SOCKET is made and handed over as "control". On standard input:
  TERM | KILL   ends the command with that signal and starts it again, with what is kept (sd_listen_fds(3))
  QUIT          ends it with SIGTERM, and prints its exit status
"""
import fcntl, os, signal, socket, sys, threading

notify_path, listen_path, command = sys.argv[1], sys.argv[2], sys.argv[3:]
kept = {}  # name -> descriptor
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(notify_path)
if listen_path != "-":
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(listen_path)
    control.listen(16)
    kept["control"] = control.fileno()


def start():
    # High numbers first, so that none of them is overwritten before it is moved to 3, 4, ...
    names, fds = list(kept), [os.dup(fd) for fd in kept.values()]
    high = [fd if fd >= 100 else os_dup_above(fd, 100) for fd in fds]

    def in_child():
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=":".join(names))
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i)
            os.set_inheritable(3 + i, True)
        os.execvpe(command[0], command, {**os.environ, "NOTIFY_SOCKET": notify_path, "WATCHDOG_USEC": "2000000"})

    pid = os.fork()
    if pid == 0:
        try:
            in_child()
        finally:
            os._exit(127)
    for fd in set(high + fds):
        os.close(fd)
    return pid


def os_dup_above(fd, least):
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)


def listen():
    while True:
        text, fds, _, _ = socket.recv_fds(notify, 4096, 16)
        lines = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
        name = lines.get("FDNAME", "")
        if lines.get("FDSTORE") == "1":
            for fd in fds:
                kept[name] = fd
        elif lines.get("FDSTOREREMOVE") == "1" and name in kept:
            os.close(kept.pop(name))
        print(text.decode().replace("\n", " "), flush=True)


threading.Thread(target=listen, daemon=True).start()
pid = start()
for line in sys.stdin:
    word = line.strip()
    os.kill(pid, signal.SIGTERM if word == "QUIT" else getattr(signal, "SIG" + word))
    _, status = os.waitpid(pid, 0)
    print(f"ENDED {os.waitstatus_to_exitcode(status)}", flush=True)
    if word == "QUIT":
        break
    pid = start()
else:
    os.kill(pid, signal.SIGKILL)

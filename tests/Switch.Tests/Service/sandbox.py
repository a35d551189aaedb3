"""Runs a command under the restrictions of a systemd unit, where there is no systemd to do it.

usage: sandbox.py UNIT WRITABLE_DIRECTORY COMMAND...      (as root)

Applies what a process can do to itself: SystemCallFilter= and RestrictAddressFamilies= (by libseccomp),
CapabilityBoundingSet=, NoNewPrivileges=, PrivateNetwork=, PrivateIPC=, ProtectSystem=strict (WRITABLE_DIRECTORY is what
StateDirectory= and RuntimeDirectory= are there), LimitNOFILE=, LimitCORE=, UMask=, and another user, if that one can read the
command; otherwise root without any capability. Not MemoryMax= and TasksMax=, which need a control group.
"""
import ctypes, os, resource, subprocess, sys

unit_path, writable, command = sys.argv[1], sys.argv[2], sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x20000, 0x8000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
EPERM, EAFNOSUPPORT, NOBODY = 1, 97, 65534

unit = {}
for line in open(unit_path):
    if "=" in line and not line.startswith("#"):
        key, value = line.strip().split("=", 1)
        unit.setdefault(key, []).append(value)


def one(key):
    return unit.get(key, [""])[-1]


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def expand(group):
    """The calls of one of systemd's groups, @name."""
    names = set()
    for line in subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True).stdout.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            names |= expand(word) if word.startswith("@") else {word}
    return names


def allowed_calls():
    allowed = set(expand("@default"))
    for value in unit["SystemCallFilter"]:
        calls = set()
        for word in value.lstrip("~").split():
            calls |= expand(word) if word.startswith("@") else {word}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed | {"execve", "exit", "exit_group", "rt_sigreturn"}


def attributes(path, flags, set_=0, clear=0):
    class MountAttr(ctypes.Structure):
        _fields_ = [(n, ctypes.c_uint64) for n in ("attr_set", "attr_clr", "propagation", "userns_fd")]
    attr = MountAttr(set_, clear, 0, 0)
    check(libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, path.encode(), flags, ctypes.byref(attr), ctypes.sizeof(attr)), f"mount_setattr {path}")


def isolate():
    flags = CLONE_NEWNS
    flags |= CLONE_NEWNET if one("PrivateNetwork") == "yes" else 0
    flags |= CLONE_NEWIPC if one("PrivateIPC") == "yes" else 0
    check(libc.unshare(flags), "unshare")
    check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount --make-rprivate /")
    if one("ProtectSystem") == "strict":
        directory = writable.encode()
        check(libc.mount(directory, directory, None, MS_BIND | MS_REC, None), "mount --bind")
        attributes("/", AT_RECURSIVE, set_=MOUNT_ATTR_RDONLY)
        attributes(writable, AT_RECURSIVE, clear=MOUNT_ATTR_RDONLY)


def drop():
    limit = int(one("LimitNOFILE"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(int(one("UMask"), 8))
    readable = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command[:1], "--version"], capture_output=True)
    dlls = [a for a in command if a.endswith(".dll")]
    readable = readable.returncode == 0 and all(
        subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "test", "-r", f]).returncode == 0 for f in dlls)
    assert one("CapabilityBoundingSet") == ""
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    if readable:
        os.chown(writable, NOBODY, NOBODY)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    assert one("NoNewPrivileges") == "yes"
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def filter_calls(allowed):
    class Compare(ctypes.Structure):
        _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(0x00050000 | EPERM)))
    allow = ctypes.c_uint32(0x7FFF0000)
    families = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    for name in sorted(allowed):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue  # of another processor
        if name == "socket":
            for family in one("RestrictAddressFamilies").split():
                rule = (Compare * 1)(Compare(0, 4, families[family], 0))  # SCMP_CMP_EQ
                check(seccomp.seccomp_rule_add_array(context, allow, number, 1, rule), name)
        else:
            check(seccomp.seccomp_rule_add_array(context, allow, number, 0, None), name)
    check(seccomp.seccomp_load(context), "seccomp_load")


calls = allowed_calls()
isolate()
drop()
filter_calls(calls)
os.execvp(command[0], command)

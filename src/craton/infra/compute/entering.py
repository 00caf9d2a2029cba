"""The program that walks into the walls and then becomes another: `python -I -S entering.py WALLS… COMMAND…`.

Owns the order in which a process binds itself (`sandbox` says to what). It is a program of its own, not a function called
between fork and exec: a fork of a process that has threads begins with handlers which libraries have put there, some of
those start threads anew (LanceDB's loop, torch's pool), and what has a second thread may not change its user namespace
(unshare(2)). So it imports the least, and nothing of this package: it takes 20 ms.

Its words: whether to take namespaces of its own (`1` or `0`); the largest file in bytes (`-` leaves rights and limits as
they are); the handle of a Landlock ruleset (`-1`: none); a filter of system calls in hex (`-`: none) in which
`seccomp.UNKNOWN_PID` stands for this process; the handle to which `walls` or `command` and the number of an error are written.
Without a command it ends with status 0 once it is inside.
"""

import ctypes
import os
import resource
import signal
import struct
import sys

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # unshare(2)
_DEATH_SIGNAL, _NO_NEW_PRIVS = 1, 38  # prctl(2)
_CAPABILITIES_V3 = 0x20080522  # capset(2)
_RESTRICT = 446  # landlock_restrict_self(2)
_SECCOMP = {"x86_64": 317, "aarch64": 277}  # seccomp(2)
_SET_MODE_FILTER = 1
_UNKNOWN_PID = 0xFFFFFFFF  # see seccomp.UNKNOWN_PID


def main() -> None:
    namespaces, largest, rules, filtered, told, *command = sys.argv[1:]
    os.set_inheritable(int(told), False)  # its end says that all went well
    where = b"walls"
    try:
        enter(namespaces=namespaces == "1", largest=largest, rules=int(rules), filtered=filtered)
        where = b"command"
        if command:
            os.execvpe(command[0], command, os.environ)  # noqa: S606 - the caller's command, to the letter
    except OSError as error:
        os.write(int(told), b"%s %d" % (where, error.errno or 0))
        os._exit(1)


def enter(*, namespaces: bool, largest: str, rules: int, filtered: str) -> None:
    """Bind this process. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    os.umask(0o077)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by this interpreter; what is ignored stays so across exec
        signal.signal(ignored, signal.SIG_DFL)
    if libc is not None and namespaces:
        _be_alone(libc)
    if libc is not None and largest != "-":
        _shed_rights(libc)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core holds what people asked
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        most = int(largest) if most == resource.RLIM_INFINITY else min(most, int(largest))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if libc is not None and rules >= 0:
        _done(libc.syscall(_RESTRICT, rules, 0))
        os.close(rules)
    if libc is not None and filtered != "-":
        _filter(libc, bytes.fromhex(filtered))
    if libc is not None:  # last: the kernel forgets it when a process changes its rights
        _done(libc.prctl(_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0))


def _be_alone(libc: ctypes.CDLL) -> None:
    """A network without devices, and a world in which this process has no rights over what is outside."""
    user, group = os.getuid(), os.getgid()
    _done(libc.unshare(_NEW_USER | _NEW_NET))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        handle = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def _shed_rights(libc: ctypes.CDLL) -> None:
    """No capability now, and none to come by exec."""
    _done(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    _done(libc.capset(struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24)))


def _filter(libc: ctypes.CDLL, code: bytes) -> None:
    lines = [code[at : at + 8] for at in range(0, len(code), 8)]
    unknown, known = struct.pack("=I", _UNKNOWN_PID), struct.pack("=I", os.getpid())
    code = b"".join(line[:4] + (known if line[4:] == unknown else line[4:]) for line in lines)
    held = ctypes.create_string_buffer(code, len(code))
    given = struct.pack("HP", len(lines), ctypes.addressof(held))
    _done(libc.syscall(_SECCOMP[os.uname().machine], _SET_MODE_FILTER, 0, given))


def _done(answer: int) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()

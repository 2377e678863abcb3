"""Runs a program for which the kernel refuses a system call in all its forms: chmod, as file systems without
modes do, or socketpair, as strict profiles of container runtimes do.

    refuse.py chmod|socketpair PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_EPERM = 0x7FFF0000, 0x00050001
NUMBERS = {
    "chmod": {"x86_64": [90, 91, 268, 452], "aarch64": [52, 53, 452]},
    "socketpair": {"x86_64": [53], "aarch64": [199]},
}


def instruction(code, true, false, value):
    return struct.pack("=HBBI", code, true, false, value)


calls = NUMBERS[sys.argv[1]][platform.machine()]
program = instruction(0x20, 0, 0, 0)  # the number of the system call
for left, call in zip(range(len(calls), 0, -1), calls):
    program += instruction(0x15, left, 0, call)  # equal: to the last instruction
program += instruction(0x06, 0, 0, RET_ALLOW) + instruction(0x06, 0, 0, RET_EPERM)
code = ctypes.create_string_buffer(program, len(program))
header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[2], sys.argv[2:])

"""Runs a program for which the kernel refuses chmod in all its forms, as file systems without modes do.

    refuse_chmod.py PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
RET_ALLOW, RET_EPERM = 0x7FFF0000, 0x00050001
CALLS = {"x86_64": [90, 91, 268, 452], "aarch64": [52, 53, 452]}[platform.machine()]


def instruction(code, true, false, value):
    return struct.pack("=HBBI", code, true, false, value)


program = instruction(0x20, 0, 0, 0)  # the number of the system call
for left, call in zip(range(len(CALLS), 0, -1), CALLS):
    program += instruction(0x15, left, 0, call)  # equal: to the last instruction
program += instruction(0x06, 0, 0, RET_ALLOW) + instruction(0x06, 0, 0, RET_EPERM)
code = ctypes.create_string_buffer(program, len(program))
header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])

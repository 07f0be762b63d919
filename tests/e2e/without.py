"""Runs a program on a kernel that grants less: a seccomp filter answers for what is taken away.

usage: without.py landlock|seccomp|namespaces[,...] PROGRAM ARGUMENTS...
"""
import ctypes
import os
import struct
import sys

SECCOMP, CLONE, LANDLOCK_CREATE = 317, 56, 444  # x86-64
NAMESPACES = 0x7E020000                         # CLONE_NEW...
ENOSYS, EPERM = 38, 1
LOAD, JUMP_EQUAL, JUMP_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def instructions(taken):
    code = []
    for name in taken:
        number, error = {"landlock": (LANDLOCK_CREATE, ENOSYS), "seccomp": (SECCOMP, ENOSYS), "namespaces": (CLONE, EPERM)}[name]
        answer = (RETURN, 0, 0, ERRNO | error)
        code.append((LOAD, 0, 0, 0))  # the call's number
        if name == "namespaces":
            code += [(JUMP_EQUAL, 0, 3, number), (LOAD, 0, 0, 16), (JUMP_SET, 0, 1, NAMESPACES), answer]
        else:
            code += [(JUMP_EQUAL, 0, 1, number), answer]
    return code + [(RETURN, 0, 0, ALLOW)]


def take_away(taken):
    code = b"".join(struct.pack("<HBBI", *each) for each in instructions(taken))
    buffer = ctypes.create_string_buffer(code)

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "no filter")


if __name__ == "__main__":
    take_away(sys.argv[1].split(","))
    os.execv(sys.argv[2], sys.argv[2:])

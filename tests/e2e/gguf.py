"""A GGUF file with another value of its metadata, from the format's description alone (ggml's docs/gguf.md)."""
import pathlib
import struct

WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, ALIGNMENT = 8, 9, 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def after_text(data, at):
    return at + 8 + struct.unpack_from("<Q", data, at)[0]


def after_value(data, at, kind):
    if kind == STRING:
        return after_text(data, at)
    if kind != ARRAY:
        return at + WIDTHS[kind]
    kind, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if kind in WIDTHS:
        return at + count * WIDTHS[kind]
    for _ in range(count):
        at = after_value(data, at, kind)
    return at


def with_text(source, target, key, value):
    """`source`, which does not have the key (and has the format's own alignment), with one more text."""
    data = pathlib.Path(source).read_bytes()
    tensors, values = struct.unpack_from("<QQ", data, 8)
    at = 24
    for _ in range(values):
        end = after_text(data, at)
        assert data[at + 8:end] not in (key.encode(), b"general.alignment")
        at = after_value(data, end + 4, struct.unpack_from("<I", data, end)[0])
    values_end = at
    for _ in range(tensors):
        at = after_text(data, at)
        at += 4 + 8 * struct.unpack_from("<I", data, at)[0] + 12
    head = data[:8] + struct.pack("<QQ", tensors, values + 1) + data[24:values_end] \
        + text(key) + struct.pack("<I", STRING) + text(value) + data[values_end:at]
    at += -at % ALIGNMENT
    pathlib.Path(target).write_bytes(head + b"\0" * (-len(head) % ALIGNMENT) + data[at:])
    return target

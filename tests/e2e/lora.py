"""A tiny LoRA adapter for stories260K as a GGUF file, from the format's description alone (ggml's docs/gguf.md)."""
import pathlib
import random
import struct

ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def write_adapter(path, seed=1, rank=4, scale=0.2, width=64, blocks=5, architecture="llama"):
    """Changes the attention's queries and outputs of every block; another seed is another adapter."""
    dice = random.Random(seed)
    values = [("general.type", "adapter"), ("general.architecture", architecture), ("adapter.type", "lora"),
              ("adapter.lora.alpha", float(rank))]
    tensors = []
    for block in range(blocks):
        for name in ("attn_q", "attn_output"):
            tensors.append((f"blk.{block}.{name}.weight.lora_a", (width, rank)))
            tensors.append((f"blk.{block}.{name}.weight.lora_b", (rank, width)))
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    for key, value in values:
        out += text(key) + (struct.pack("<I", 8) + text(value) if isinstance(value, str) else struct.pack("<If", 6, value))
    data = b""
    for name, shape in tensors:
        out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, len(data))  # type 0: 32-bit floats
        numbers = [dice.uniform(-scale, scale) for _ in range(shape[0] * shape[1])]
        data += struct.pack(f"<{len(numbers)}f", *numbers)
        data += b"\0" * (-len(data) % ALIGNMENT)
    out += b"\0" * (-len(out) % ALIGNMENT)
    pathlib.Path(path).write_bytes(out + data)
    return path

#!/usr/bin/env python3
"""Holds `candor model fingerprint` against docs/formats/fingerprint.md, written again with numpy and the gguf package.

usage: fingerprint.py MODEL.gguf MODEL.fingerprint     needs numpy and gguf; exit code 1 when they differ

Sums differ in their last digits by the order of adding, so a step may differ by 1, in at most one of a thousand.
"""
import sys

import gguf
import numpy as np

ROLES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
M64 = (1 << 64) - 1


def signs(side, count):
    x = (np.arange(count, dtype=np.uint64) + np.uint64(side << 32)) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return np.array([np.where((x >> np.uint64(a)) & np.uint64(1), 1.0, -1.0) for a in range(8)])


def steps(values, scale):
    values = np.asarray(values) / scale if scale else np.zeros_like(values)
    return np.clip(np.sign(values) * np.floor(np.abs(values) + 0.5), -127, 127).astype(np.int8)


def main():
    tensors = {t.name: t for t in gguf.GGUFReader(sys.argv[1]).tensors}
    rows_of = lambda name, rows: gguf.dequantize(np.atleast_2d(tensors[name].data)[rows], tensors[name].tensor_type).astype(np.float64)
    shape = lambda name: (int(tensors[name].shape[1]) if len(tensors[name].shape) > 1 else 1, int(tensors[name].shape[0]))
    vocabulary, width = shape("token_embd.weight")
    layers = 0
    while any(name.startswith(f"blk.{layers}.") for name in tensors):
        layers += 1
    residual, inner = signs(1, 1 << 16), signs(2, 1 << 16)
    data = open(sys.argv[2], "rb").read()
    at = 11
    for _ in range(2):
        at += 1 + data[at]
    assert data.startswith(b"candor-fp1\n") and [int.from_bytes(data[at + 4 * i:at + 4 * i + 4], "big") for i in range(3)] == [width, vocabulary, layers]
    at += 12
    differ = total = 0

    def hold(expected, where):
        nonlocal at, differ, total
        got = np.frombuffer(data, np.int8, expected.size, at)
        gap = np.abs(got.astype(int) - expected.ravel().astype(int))
        assert gap.max(initial=0) <= 1, f"{where}: a step differs by {gap.max()}"
        differ, total, at = differ + int(gap.sum()), total + expected.size, at + expected.size

    for layer in range(layers):
        for role in ROLES:
            name = f"blk.{layer}.{role}.weight"
            rows, columns = shape(name)
            index = np.array([i * rows // min(64, rows) for i in range(min(64, rows))])
            weights = rows_of(name, index)
            down = role in ("attn_output", "ffn_down")
            row_signs, column_signs = (residual, inner) if down else (inner, residual)
            sums = row_signs[:, index] @ weights @ column_signs[:, :columns].T
            sums = sums if down else sums.T
            scale, rms = np.frombuffer(data, ">f4", 2, at)
            assert abs(scale - np.abs(sums).max() / 127) < 1e-5 * scale and abs(rms - np.sqrt((weights**2).mean())) < 1e-5 * rms, name
            assert int.from_bytes(data[at + 8:at + 12], "big") == tensors[name].tensor_type, name
            at += 12
            hold(steps(sums, np.abs(sums).max() / 127), name)
    span = min(vocabulary, 2048)
    anchors = rows_of("token_embd.weight", np.array([(2 * k + 1) * span // 64 for k in range(32)]))
    anchors -= anchors.mean(0)
    anchors /= np.linalg.norm(anchors, axis=1, keepdims=True)
    hold(steps(anchors @ residual[:, :width].T, 4 / 127), "embedding")
    gram = anchors @ anchors.T
    hold(steps(np.array([gram[k, m] for k in range(32) for m in range(k)]), 1 / 127), "gram")
    for n in range(8):
        name = f"blk.{(n // 2) * (layers - 1) // 3}.{'ffn_norm' if n % 2 else 'attn_norm'}.weight"
        row = rows_of(name, slice(None))[0]
        values = row[[i * row.size // 128 for i in range(128)]]
        values = values - values.mean()
        hold(steps(values, np.abs(values).max() / 127), name)
    assert at == len(data), "its length"
    assert differ * 1000 <= total, f"{differ} of {total} steps differ"
    print(f"{total} steps, {differ} differ by one")


if __name__ == "__main__":
    np.seterr(over="ignore")
    main()

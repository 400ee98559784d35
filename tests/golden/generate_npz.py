#!/usr/bin/env python3
"""Writes tests/golden/arrays.npz: the bytes that numpy.savez_compressed produces (64-bit entries, deflated), made with
the standard library only, for tests/core/storage_npz_test.cpp."""

import pathlib
import struct
import zipfile


def npy(dtype, shape, data):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


ARRAYS = {
    "x_train": npy("|u1", (4, 2, 3), bytes(range(24))),
    "y_train": npy("<i8", (4,), struct.pack("<4q", 0, 1, 2, 1)),
    "x_test": npy("|u1", (1, 2, 3), bytes(range(6))),
    "y_test": npy("<i8", (1,), struct.pack("<q", 2)),
}

with zipfile.ZipFile(pathlib.Path(__file__).parent / "arrays.npz", "w") as archive:
    for name, content in ARRAYS.items():
        entry = zipfile.ZipInfo(name + ".npy", (1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(entry, "w", force_zip64=True) as file:
            file.write(content)

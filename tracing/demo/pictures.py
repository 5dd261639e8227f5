"""Small PNG pictures for multimodal prompts: a photo of a damaged parcel, as far as a few hundred bytes can tell."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from functools import lru_cache

VARIANTS = 8
_WIDTH, _HEIGHT = 160, 100


@lru_cache(maxsize=VARIANTS)
def parcel_photo(variant: int) -> str:
    """A data URI. There are few variants, as the same photo is often sent with every turn of a conversation."""
    return "data:image/png;base64," + base64.b64encode(_png(_pixels(variant))).decode()


def _pixels(variant: int) -> list[bytes]:
    draw = random.Random(f"photo:{variant}")  # noqa: S311 - repeatable, not secret
    box = (draw.randrange(20, 50), draw.randrange(15, 30), draw.randrange(105, 145), draw.randrange(70, 90))
    wall, carton = (draw.randrange(150, 215), draw.randrange(160, 215), 220), (176, 134 + variant * 3, 90)
    tear = draw.randrange(box[0] + 10, box[2] - 20)
    rows = []
    for y in range(_HEIGHT):
        row = bytearray()
        for x in range(_WIDTH):
            inside = box[0] <= x < box[2] and box[1] <= y < box[3]
            torn = inside and abs(x - tear - (y % 7)) < 3
            shade = y // 4
            red, green, blue = (58, 44, 32) if torn else carton if inside else wall
            row += bytes((max(red - shade, 0), max(green - shade, 0), max(blue - shade, 0)))
        rows.append(bytes(row))
    return rows


def _png(rows: list[bytes]) -> bytes:
    raw = b"".join(b"\x00" + row for row in rows)
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )

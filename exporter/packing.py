"""A page by gzip, of which each piece is packed on its own: what is the same on the next page is not packed again.

Many lines seldom change, and packing is much of what a page costs. A deflate stream may be put together of
pieces that each end on a whole byte and refer to nothing before them (RFC 1951; zlib's Z_FULL_FLUSH makes such), and
gzip's own checksum and length (RFC 1952) are taken over the whole page.
"""

import struct
from collections.abc import Iterable, Iterator

from isal import isal_zlib

LEVEL = 1
"""Of isal's 0 to 3: the next two give the same size for more work."""
WORTH_KEEPING_BYTES = 1 << 16
"""Of a smaller piece the packing costs less than the looking up saves."""

HEADER = bytes([0x1F, 0x8B, isal_zlib.DEFLATED, 0, 0, 0, 0, 0, 4, 255])
"""No name, no time, packed in haste, by nobody in particular."""
LAST_BLOCK = b"\x03\x00"
"""Deflate's way to say that this was all: a last block, with nothing in it."""
TRAILER = struct.Struct("<II")


class Packer:
    """Packs page after page."""

    def __init__(self) -> None:
        """Nothing was packed yet."""
        self._kept: dict[int, tuple[bytes, bytes]] = {}
        """Pieces of the last page, by identity, and each as it was packed."""

    def __call__(self, page: Iterable[bytes]) -> bytes:
        """The page in pieces; the same object as on the last page is the same piece."""
        known, kept = self._kept, {}
        checksum, length, packed = 0, 0, [HEADER]
        for piece in _joined(page):
            before = known.get(id(piece))
            done = before[1] if before is not None and before[0] is piece else _deflated(piece)
            if len(piece) >= WORTH_KEEPING_BYTES:
                kept[id(piece)] = piece, done
            packed.append(done)
            checksum = isal_zlib.crc32(piece, checksum)
            length += len(piece)
        self._kept = kept
        return b"".join([*packed, LAST_BLOCK, TRAILER.pack(checksum, length % 2**32)])


def _joined(page: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces that stand together as one: on its own, each would be packed without knowing the others."""
    small: list[bytes] = []
    for piece in page:
        if len(piece) < WORTH_KEEPING_BYTES:
            small.append(piece)
            continue
        yield b"".join(small)
        small = []
        yield piece
    yield b"".join(small)


def _deflated(piece: bytes) -> bytes:
    deflate = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
    packed: bytes = deflate.compress(piece) + deflate.flush(isal_zlib.Z_FULL_FLUSH)
    return packed

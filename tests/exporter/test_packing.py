"""Tests of exporter/packing.py: whatever is kept, gzip reads the page."""

import gzip
import subprocess
import zlib

from hypothesis import given
from hypothesis import strategies as st

from exporter.packing import WORTH_KEEPING_BYTES, Packer

BIG = b"".join(b"%d\n" % number for number in range(20_000))
pieces = st.lists(
    st.one_of(st.binary(max_size=300), st.sampled_from([BIG, BIG[1:], b"x" * WORTH_KEEPING_BYTES]))
)


@given(st.lists(pieces, max_size=4))
def test_each_page_is_read_as_it_was_written(pages: list[list[bytes]]) -> None:
    """One after another by the same packer: pieces may be new, the same, gone, twice, or empty."""
    packer = Packer()

    for page in pages:
        assert gzip.decompress(packer(page)) == b"".join(page)


def test_other_programs_read_it_too() -> None:
    """One member, no rest: readers that stop at the first member get all of it."""
    packer = Packer()
    packer([BIG, b"end\n"])
    packed = packer([BIG, b"end\n"])

    reader = zlib.decompressobj(31)
    assert reader.decompress(packed) == BIG + b"end\n"
    assert (reader.eof, reader.unused_data) == (True, b"")
    assert (
        subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout
        == BIG + b"end\n"
    )


def test_a_piece_that_was_freed_is_not_taken_for_another_in_its_place() -> None:
    """Identity is that of an object that is still there."""
    packer = Packer()
    for number in range(50):
        page = [b"%d" % number * WORTH_KEEPING_BYTES]
        assert gzip.decompress(packer(page)) == page[0]


def test_what_is_the_same_is_packed_once() -> None:
    """And what is new is packed anew."""
    packer = Packer()
    packer([BIG])
    kept = packer._kept[id(BIG)][1]
    packer([b"first\n", BIG])

    assert packer._kept[id(BIG)][1] is kept

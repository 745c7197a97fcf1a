"""Keeps the memory of one page for the next.

glibc gives what is freed back to the kernel, and takes it again, page by page, a moment later, at each scrape of a worker with
many peers. And it gives each thread a heap of its own, of which a server with a thread for
each reader has many.
"""

import ctypes
import gc

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""malloc.h, mallopt(3)."""
KEPT_BYTES = 64 << 20
"""At most so much of what is free: many times a page of ten thousand peers."""


def keep() -> None:
    """Tell malloc so; where it is not glibc's, it stays as it is. What is there by now is no garbage any more."""
    gc.collect()
    gc.freeze()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_ARENA_MAX, 1)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES // 2)

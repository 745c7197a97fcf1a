"""Runs a part of a test in a network of its own: rules, routes and interfaces are gone when it ends. Needs root."""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

CLONE_NEWNET = 0x40000000
"""From linux/sched.h."""

T = TypeVar("T")


def in_own_network(part: Callable[[], T]) -> T:
    """Run it in a thread that has a network namespace to itself, with loopback up; sockets and programs it starts too."""

    def alone() -> T:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        ip("link set lo up")
        return part()

    with ThreadPoolExecutor(max_workers=1) as threads:
        return threads.submit(alone).result()


def ip(words: str) -> str:
    """Run `ip`, which must succeed, and return what it prints."""
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {words}: {done.stderr}"
    return done.stdout

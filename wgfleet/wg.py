"""The only door to `wg`. It serves the kernel's WireGuard and userspace ones alike, in 1-2 ms a call.

Every call names its interface: `wg show all` lists userspace interfaces of other network namespaces too.
"""

import itertools
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from wgfleet.device import Device
from wgfleet.diff import PeerChange, arguments, configuration, fits_file
from wgfleet.dump import Table, parse_dump, parse_table

TIMEOUT_SECONDS = 10.0
"""A `wg` that has not answered by then is not going to: the userspace daemon behind it hangs."""

FEW = 200
"""So many changes fit an argument list, with the most networks that a client may have."""
AT_ONCE = 2500
"""Peers in one `wg addconf`: a quarter of a second, so that whoever else asks the interface waits no longer."""


KEY_LIKE = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
"""Any key, whole or with some characters lost. An error text must not show one that we did not name ourselves."""


class WgError(RuntimeError):
    """`wg` could not do what was asked; the text says what to do next."""


def read_device(interface: str) -> Device:
    """The interface as it is now.

    Raises:
        WgError: there is no such interface, no `wg`, or no permission.
        DumpError: `wg` printed something unknown.

    """
    return parse_dump(interface, _run("show", interface, "dump"))


def read_table(interface: str, before: Table | None = None, *, within: float | None = None) -> Table:
    """The interface as it is now, by columns; quicker with the last reading of it, `before`.

    `within` so many seconds, if that is shorter than TIMEOUT_SECONDS.

    Raises:
        WgError: as read_device, and there was no answer in time.
        DumpError: `wg` printed something unknown.

    """
    return parse_table(interface, _run("show", interface, "dump", within=within), before)


def read_keys(interface: str) -> frozenset[str]:
    """The public keys of the peers that there are now, and no more: quicker than all of it. Raises WgError."""
    return frozenset(_run("show", interface, "peers").decode().split())


def set_peers(interface: str, changes: Sequence[PeerChange]) -> None:
    """Carry out the changes, in their order, as one `wg set`. No changes, no call.

    Many are more than an argument list holds: they go by several calls, what is added or changed by `wg addconf`, which
    reads it, leaves all else as it is, and unlike `wg syncconf` does not need the private key.
    """
    if len(changes) <= FEW:
        if changes:
            _run("set", interface, *arguments(changes))
        return
    for in_file, alike in itertools.groupby(changes, fits_file):
        for some in _pieces([*alike], AT_ONCE if in_file else FEW):
            if in_file:
                _run("addconf", interface, "/dev/stdin", given=configuration(some).encode())
            else:
                _run("set", interface, *arguments(some))


def new_private_key() -> str:
    """A key that nobody has yet, as `wg genkey` makes it. Raises WgError."""
    return _run("genkey").decode().strip()


def private_key(interface: str) -> str:
    """The interface's private key, for a file that only its owner reads. Raises WgError."""
    return _run("show", interface, "private-key").decode().strip()


def set_private_key(interface: str, file: Path) -> None:
    """Give the interface the private key in that file, which never stands on a command line. Raises WgError."""
    _run("set", interface, "private-key", str(file))


def _pieces(changes: Sequence[PeerChange], most: int) -> Iterator[Sequence[PeerChange]]:
    return (changes[start : start + most] for start in range(0, len(changes), most))


def _run(*arguments: str, within: float | None = None, given: bytes = b"") -> bytes:
    timeout = TIMEOUT_SECONDS if within is None else min(within, TIMEOUT_SECONDS)
    # A name that does not resolve would otherwise be retried for a minute or more, with the daemon waiting.
    environment = {**os.environ, "WG_ENDPOINT_RESOLUTION_RETRIES": "0"}
    # What it prints goes into memory of its own: a pipe would have us take a large dump in a hundred pieces.
    with open(os.memfd_create("wg"), "w+b") as printed:  # noqa: PTH123 - a descriptor has no path.
        done = _done(["wg", *arguments], environment, printed, timeout, given)
        printed.seek(0)
        output = printed.read()
    if done.returncode != 0:
        raise WgError(_explain(arguments, done.stderr.decode(errors="replace").strip()))
    return output


def _done(
    command: list[str], environment: dict[str, str], printed: BinaryIO, timeout: float, given: bytes
) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            command,
            env=environment,
            input=given,
            stdout=printed,
            stderr=subprocess.PIPE,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise WgError("there is no program `wg` here: install the package wireguard-tools") from None
    except OSError as error:
        raise WgError(f"`wg` cannot be run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise WgError(
            f"`{' '.join(command[:3])}` gave no answer in {timeout:.3g} s: "
            "is the userspace WireGuard behind the interface stopped?"
        ) from None


def _explain(arguments: tuple[str, ...], stderr: str) -> str:
    interface = "".join(arguments[1:2])
    words = KEY_LIKE.sub(lambda key: key[0] if key[0] in arguments else "(a key)", stderr)
    said = f"`wg {' '.join(arguments[:2])}` failed: {words}"
    if "No such device" in stderr:
        return f"{said}; is the interface up? `ip link show {interface}`"
    if (
        "Protocol not supported" in stderr
    ):  # The kernel has no WireGuard, and no userspace one answers for the name.
        return (
            f"{said}; is the interface up? `ip link show {interface}`; a userspace one is seen by root only"
        )
    if "Operation not permitted" in stderr:
        return f"{said}; run as root or with CAP_NET_ADMIN"
    if "Permission denied" in stderr:
        return f"{said}; a userspace WireGuard's socket is root's: run as root or with CAP_DAC_OVERRIDE"
    return said

"""The only door to `wg`. It serves the kernel's WireGuard and userspace ones alike, in 1-2 ms a call.

Every call names its interface: `wg show all` lists userspace interfaces of other network namespaces too.
"""

import os
import subprocess
from collections.abc import Sequence

from wgfleet.device import Device
from wgfleet.diff import PeerChange, arguments
from wgfleet.dump import parse_dump

TIMEOUT_SECONDS = 10.0
"""A `wg` that has not answered by then is not going to: the userspace daemon behind it hangs."""


class WgError(RuntimeError):
    """`wg` could not do what was asked; the text says what to do next."""


def read_device(interface: str) -> Device:
    """The interface as it is now.

    Raises:
        WgError: there is no such interface, no `wg`, or no permission.
        DumpError: `wg` printed something unknown.

    """
    return parse_dump(interface, _run("show", interface, "dump"))


def set_peers(interface: str, changes: Sequence[PeerChange]) -> None:
    """Carry out the changes, in their order, as one `wg set`. No changes, no call."""
    if changes:
        _run("set", interface, *arguments(changes))


def _run(*arguments: str) -> str:
    # A name that does not resolve would otherwise be retried for a minute or more, with the daemon waiting.
    environment = {**os.environ, "WG_ENDPOINT_RESOLUTION_RETRIES": "0"}
    try:
        done = subprocess.run(
            ["wg", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise WgError("there is no program `wg` here: install the package wireguard-tools") from None
    except subprocess.TimeoutExpired:
        raise WgError(
            f"`wg {arguments[0]} {arguments[1]}` gave no answer in {TIMEOUT_SECONDS:g} s: "
            "is the userspace WireGuard behind the interface stopped?"
        ) from None
    if done.returncode != 0:
        raise WgError(_explain(arguments, done.stderr.strip()))
    return done.stdout


def _explain(arguments: tuple[str, ...], stderr: str) -> str:
    verb, interface = arguments[0], arguments[1]
    said = f"`wg {verb} {interface}` failed: {stderr}"
    if "No such device" in stderr:
        return f"{said}; is the interface up? `ip link show {interface}`"
    if "Operation not permitted" in stderr or "Permission denied" in stderr:
        return f"{said}; run as root or with CAP_NET_ADMIN"
    return said

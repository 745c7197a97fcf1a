"""Whether this machine can carry the lab: every reason why not, at once, each with what to do."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.launch import mortal
from tests.lab.programs import LAB, MissingProgramError, how_to_get, program

TUN = "/dev/net/tun"

NAT_RULES = """
table ip lab { chain postrouting { type nat hook postrouting priority srcnat; masquerade; }; }
"""


class LabImpossibleError(RuntimeError):
    """The lab cannot run on this machine; the text has every reason."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was found here. None where it could not be tried: only root may, and with the programs only."""

    root: bool
    missing: tuple[str, ...]
    """Programs that are nowhere."""
    tun: str | None
    """What opening /dev/net/tun says, empty if it opens; None also where the kernel has WireGuard: it is not needed."""
    namespaces: str | None
    """What making namespaces says, empty if they can be made."""
    nat: str | None
    """What loading a rule that masquerades says, empty if it can be loaded."""


def require(programs: Sequence[str] = LAB) -> None:
    """Return if the lab can run here, with these programs.

    Raises:
        LabImpossibleError: it cannot, with every reason and what to do about each.

    """
    if reasons := faults(look(programs)):
        raise LabImpossibleError(
            "the lab cannot run here:\n" + "\n".join(f"- {reason}" for reason in reasons)
        )


def faults(found: Found) -> list[str]:
    """Every reason why not, each with what to do; empty if there is none."""
    reasons = [f"there is no program `{name}`: {how_to_get(name)}" for name in found.missing]
    if not found.root:
        reasons.insert(0, "it makes network namespaces and interfaces, which only root may: run it with sudo")
    if found.tun:
        reasons.append(
            f"the kernel has no WireGuard, and wireguard-go cannot open {TUN} ({found.tun}): "
            "`modprobe wireguard` or `modprobe tun`, or give the container --device /dev/net/tun"
        )
    if found.namespaces:
        reasons.append(
            f"no network and mount namespaces can be made ({found.namespaces}): "
            "in a container, run it --privileged; else the kernel needs CONFIG_NET_NS"
        )
    if found.nat:
        reasons.append(
            f"nftables cannot masquerade ({found.nat}): "
            "`modprobe nf_tables nft_masq nft_chain_nat`, or a kernel with CONFIG_NFT_MASQ"
        )
    return reasons


def look(programs: Sequence[str] = LAB) -> Found:
    """Find out, by trying."""
    root = os.geteuid() == 0
    in_kernel = kernel_wireguard()
    wanted = [*programs, *([] if in_kernel else ["wireguard-go"])]
    missing = tuple(name for name in wanted if not _is_here(name))
    # Without the programs to try it by, the fault would be theirs and is said already.
    namespaces = _try("true") if root and not set(missing) & set(LAB) else None
    return Found(
        root=root,
        missing=missing,
        tun=_open_tun() if root and not in_kernel else None,
        namespaces=namespaces,
        nat=_try("nft", "-f", "-", given=NAT_RULES) if namespaces == "" else None,
    )


def kernel_wireguard() -> bool:
    """Whether the kernel makes WireGuard interfaces; as a side effect it may load its module."""
    return _try("ip", "link", "add", "wg0", "type", "wireguard") == ""


def _try(name: str, *arguments: str, given: str = "") -> str:
    """What a command says when it fails in namespaces of its own; empty if it does not fail."""
    try:
        command = [*mortal(), program("unshare"), "--net", "--mount", program(name), *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=10, check=False)
    except (MissingProgramError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit status {done.returncode}"


def _is_here(name: str) -> bool:
    try:
        program(name)
    except MissingProgramError:
        return False
    return True


def _open_tun() -> str:
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return ""

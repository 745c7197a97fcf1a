"""A wg-quick(8) file with other peers in it: what others said there stays, byte for byte. Pure."""

import re
from collections.abc import Collection, Sequence

from wgfleet.diff import WantedPeer

SECTION = re.compile(r"\s*\[\s*(\w+)\s*\]", re.ASCII)
SETTING = re.compile(r"\s*(\w+)\s*=\s*([^#]*)", re.ASCII)
OURS = ("allowedips", "endpoint", "persistentkeepalive")
"""The settings of a peer that are written; wg(8) reads them in any case."""


class QuickFileError(ValueError):
    """The file cannot be edited; the text says why, and quotes nothing."""


def edited(text: str, wanted: Sequence[WantedPeer], removable: Collection[str]) -> str:
    """The file with these peers as they should be; of all others only the removable ones go.

    Raises QuickFileError: there is no [Interface], or wg-quick would overwrite what we write.
    """
    sections = _sections(text)
    interface = next((section for section in sections if _kind(section) == "interface"), None)
    if interface is None:
        raise QuickFileError("it has no [Interface]: an interface that wg-quick made was expected")
    if (_value(interface, "saveconfig") or "").lower() == "true":
        raise QuickFileError("SaveConfig = true has wg-quick overwrite what is changed here: take it away")
    missing = {peer.public_key: peer for peer in wanted}
    kept = []
    for section in sections:
        key = _value(section, "publickey") if _kind(section) == "peer" else None
        if key in missing:
            kept.append(_as_wanted(section, missing.pop(key)))
        elif key is not None and key in removable:
            kept.append(_trailing(section))
        else:
            kept.append(section)
    whole = "".join(line for section in kept for line in section)
    if missing and not whole.endswith("\n"):
        whole += "\n"
    return whole + "".join(_block(peer) for peer in missing.values())


def keys(text: str) -> frozenset[str]:
    """The public keys of its peers."""
    found = (_value(section, "publickey") for section in _sections(text) if _kind(section) == "peer")
    return frozenset(key for key in found if key)


def _sections(text: str) -> list[list[str]]:
    """Its lines, a list for each section; the first is what stands before any."""
    sections: list[list[str]] = [[]]
    for line in text.splitlines(keepends=True):
        if SECTION.match(line):
            sections.append([])
        sections[-1].append(line)
    return sections


def _kind(section: Sequence[str]) -> str:
    found = SECTION.match(section[0]) if section else None
    return found[1].lower() if found else ""


def _value(section: Sequence[str], setting: str) -> str | None:
    found = (SETTING.match(line) for line in section)
    return next((one[2].strip() for one in found if one and one[1].lower() == setting), None)


def _said(peer: WantedPeer) -> dict[str, str]:
    """What is written of it; nothing for what is to be left out."""
    return {
        "AllowedIPs": ", ".join(peer.allowed_ips),
        "Endpoint": peer.endpoint or "",
        "PersistentKeepalive": str(peer.persistent_keepalive or ""),
    }


def _as_wanted(section: list[str], peer: WantedPeer) -> list[str]:
    said = _said(peer)
    if not said["Endpoint"] and (endpoint := _value(section, "endpoint")):
        said["Endpoint"] = endpoint  # None leaves what is there.
    if all((_value(section, name.lower()) or "") == value for name, value in said.items()) and _is_single(
        section
    ):
        return section
    trailing = _trailing(section)
    body = [line for line in section[: len(section) - len(trailing)] if not _is_ours(line)]
    if body and not body[-1].endswith("\n"):
        body[-1] += "\n"
    return [*body, *(f"{name} = {value}\n" for name, value in said.items() if value), *trailing]


def _is_ours(line: str) -> bool:
    found = SETTING.match(line)
    return found is not None and found[1].lower() in OURS


def _is_single(section: Sequence[str]) -> bool:
    """Whether each of our settings stands there once at most: several lines of AllowedIPs add up."""
    names = [found[1].lower() for line in section if (found := SETTING.match(line)) and _is_ours(line)]
    return len(names) == len(set(names))


def _trailing(section: list[str]) -> list[str]:
    """Comments and empty lines at its end: they belong to what comes next."""
    settings = [number for number, line in enumerate(section) if SECTION.match(line) or SETTING.match(line)]
    return section[settings[-1] + 1 :] if settings else section


def _block(peer: WantedPeer) -> str:
    said = {"PublicKey": peer.public_key, **_said(peer)}
    return "\n[Peer]\n" + "".join(f"{name} = {value}\n" for name, value in said.items() if value)

"""The text of sync.toml with what an adopted interface says: what stands there otherwise stays, unless it is meant. Pure."""

import ipaddress
import json
import re
from collections.abc import Mapping

from wgfleet.tomltext import parsed

DRAFT = """\
# What else may be said here: wgfleet-sync run --help
# fleet = "..."                    # as given to `wgfleet-receiver init`
# name = "..."                     # this machine's own name in the fleet
# receivers = ["https://..."]
# token_file = "token"             # from `wgfleet token create NAME --role client`
# trusted_keys = ["..."]           # from `wgfleet signing-key`
"""
"""What only the fleet's operator knows."""


class FillingError(ValueError):
    """The text cannot be completed; the error says what to do."""


def filled(text: str, wanted: Mapping[str, object], *, again: bool) -> str:
    """The text with all that is wanted.

    Raises:
        FillingError: it says something else for one of the keys, and `again` is not given; or it cannot be edited.

    """
    try:
        said = parsed(text)
    except ValueError as error:
        raise FillingError(f"it cannot be read: {error}") from None
    other = [key for key, value in wanted.items() if key in said and not _alike(said[key], value)]
    if other and not again:
        listed = "; ".join(f"{key} is {said[key]!r}, and {wanted[key]!r} was found" for key in other)
        raise FillingError(f"it says otherwise: {listed}. With --again what was found replaces it")
    for key, value in wanted.items():
        line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
        if key not in said:
            text = _added(text, line)
        elif key in other:
            text = _replaced(text, key, line)
    try:
        became = parsed(text)
    except ValueError:
        became = {}
    if became != {**wanted, **said, **{key: wanted[key] for key in other}}:
        listed = ", ".join(f"{key} = {json.dumps(value)}" for key, value in wanted.items())
        raise FillingError(f"it is written in a way that is not understood here: say {listed} in it by hand")
    return text


def _alike(one: object, other: object) -> bool:
    """Whether they mean the same: an address alone is one with the longest prefix."""
    return one == other or (bool(mine := _addresses(one)) and mine == _addresses(other))


def _addresses(value: object) -> set[object]:
    try:
        return {ipaddress.ip_interface(one) for one in value} if isinstance(value, list) else set()
    except ValueError:
        return set()


def _added(text: str, line: str) -> str:
    """Before the first table, if there is one: behind it, the key would be the table's."""
    table = re.search(r"(?m)^\s*\[", text)
    at = len(text) if table is None else table.start()
    before = text[:at] if not text[:at] or text[:at].endswith("\n") else f"{text[:at]}\n"
    return f"{before}{line}\n{text[at:]}"


def _replaced(text: str, key: str, line: str) -> str:
    old = re.search(rf"(?m)^[ \t]*{key}[ \t]*=.*$", text)
    return text if old is None else text[: old.start()] + line + text[old.end() :]

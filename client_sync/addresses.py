"""Remembers what receivers' names resolved to: a resolver behind the dead worker must not silence the daemon."""

import json
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from wgfleet.files import write_whole
from wgfleet.logs import say

log = logging.getLogger(__name__)
Lookup = Callable[[str, int], Sequence[str]]
BOOK = "addresses.json"
"""In the state directory."""


def lookup(host: str, port: int) -> list[str]:
    """All addresses of a name, in the system's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class AddressBook:
    """Names to addresses, kept in a file."""

    def __init__(self, file: Path) -> None:
        """Read what is remembered; a broken file counts as empty."""
        self._file = file
        self._known: dict[str, list[str]] = {}
        try:
            remembered = json.loads(file.read_text())
        except (OSError, ValueError):
            return
        if isinstance(remembered, dict):
            self._known = {
                host: addresses
                for host, addresses in remembered.items()
                if isinstance(addresses, list) and all(isinstance(one, str) for one in addresses)
            }

    def remembered(self, host: str) -> list[str]:
        """What the name resolved to last; empty if it never did."""
        return list(self._known.get(host, ()))

    def remember(self, host: str, addresses: Sequence[str]) -> None:
        """Keep what a name resolves to now. Where the disk takes nothing, for as long as this daemon runs."""
        if list(addresses) != self._known.get(host):
            self._known[host] = list(addresses)
            try:
                write_whole(self._file, json.dumps(self._known).encode())
            except OSError as error:
                say(log, "not noted", level=logging.ERROR, file=self._file, error=error)

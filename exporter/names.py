"""What peers are called, by a file that an operator or a program keeps.

Two forms are read, told apart by the first words: lines of a public key and a name, and a WireGuard configuration with
`# friendly_name = NAME` in its [Peer] sections, as other exporters read it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from wgfleet.names import check_public_key

FRIENDLY_NAME = re.compile(r"#\s*friendly_name\s*=\s*(.*)", re.IGNORECASE)
PUBLIC_KEY = re.compile(r"PublicKey\s*=\s*(\S+)", re.IGNORECASE)
SECTION = re.compile(r"\[\s*(Interface|Peer)\s*\]", re.IGNORECASE)


class NamesError(ValueError):
    """The file is not what was expected; the text says where. Never quotes a line: it may hold a private key."""


class Names:
    """The names of one file, which is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Take where the file is; it is read when names are first asked for."""
        self._path = path
        self._read_as: tuple[int, ...] = ()
        self._names: Mapping[bytes, str] = {}

    def __call__(self) -> Mapping[bytes, str]:
        """Names by public key.

        Raises:
            OSError: it cannot be read.
            NamesError: it is neither of the two forms.

        """
        state = self._path.stat()
        # A file that was replaced has another inode, even with the same time and size.
        version = (state.st_mtime_ns, state.st_size, state.st_ino)
        if version != self._read_as:
            try:
                self._names = parse_names(self._path.read_text(encoding="utf-8"))
            except NamesError as error:
                raise NamesError(f"{self._path}: {error}") from None
            except UnicodeDecodeError:
                raise NamesError(f"{self._path}: UTF-8 was expected") from None
            self._read_as = version
        return self._names


def parse_names(text: str) -> dict[bytes, str]:
    """Read names by public key; raises NamesError."""
    lines = [line.strip() for line in text.splitlines()]
    is_configuration = any(SECTION.fullmatch(line) for line in lines)
    pairs = _of_configuration(lines) if is_configuration else _of_list(lines)
    return {key.encode(): _checked(number, key, name) for number, key, name in pairs}


def _of_list(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(lines, start=1):
        key, _, name = line.partition(" ") if "\t" not in line else line.partition("\t")
        if line and not line.startswith("#"):
            yield number, key, name.strip()


def _of_configuration(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    name, key = "", ""
    for number, line in enumerate([*lines, "[Peer]"], start=1):
        if SECTION.fullmatch(line):
            if name and key:
                yield number, key, name
            name, key = "", ""
        elif found := FRIENDLY_NAME.fullmatch(line):
            name = found[1]
        elif found := PUBLIC_KEY.fullmatch(line):
            key = found[1]


def _checked(number: int, key: str, name: str) -> str:
    try:
        check_public_key(key)
    except ValueError:  # Without its text, which quotes: a private key looks the same.
        raise NamesError(f"line {number}: a public key and a name were expected") from None
    if not name or not name.isprintable():
        raise NamesError(f"line {number}: a name on one line was expected after the key")
    return name

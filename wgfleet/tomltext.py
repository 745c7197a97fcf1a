"""TOML as people write it: an error names the key and the line, and quotes no value, which may be a secret."""

import re
import tomllib
from typing import Any

PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
KEY = re.compile(rf"\s*({PART}(?:\s*\.\s*{PART})*)\s*=")
HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]")
TWICE = re.compile(r"Cannot (?:overwrite a value|declare .* twice) \(at (?:line (\d+)|end of document)")


def parsed(text: str) -> dict[str, Any]:
    """What it says. Raises ValueError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
    if found := TWICE.match(said):
        lines = text.splitlines()
        said = _twice(lines[: int(found[1]) if found[1] else None]) or said
    raise ValueError(said)


def _twice(lines: list[str]) -> str | None:
    """What the last key or table of these lines is, and where it stands before. A value may have several lines."""
    places: dict[tuple[str, int, str], list[int]] = {}
    name, of, last = "", 0, None
    for number, line in enumerate(lines, start=1):
        if header := HEADER.match(line):
            # Of a list of tables each is one of its own.
            name, of = header[2], number if header[1] == "[[" else 0
            last = (name, of, "")
        elif found := KEY.match(line):
            last = (name, of, found[1])
        else:
            continue
        places.setdefault(last, []).append(number)
    if last is None or len(places[last]) == 1:
        return None
    key, table = last[2], f"[{last[0]}]"
    what = (f"{key} in {table}" if last[0] else key) if key else table
    return f"{what} stands twice, in lines {places[last][0]} and {places[last][-1]}: take one of them away"

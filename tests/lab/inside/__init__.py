"""Small programs that the lab runs inside its hosts: standard library only, each started as a file."""

import sys
from pathlib import Path


def command(name: str, *arguments: object) -> list[str]:
    """The command that runs one of them.

    `-I -S` starts in a few hundredths of a second and sees no installed package.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__).parent / f"{name}.py"), *map(str, arguments)]

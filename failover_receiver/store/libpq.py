"""libpq's words on a connection, in one line: who failed and why, without its hints, its repetitions and its own name for it. Pure."""

import re

ALL = "All failures were:\n"
"""After which psycopg lists what each address came to; before it stands the last of them once more."""
HINT = "\t"
PSYCOPG = re.compile(r"^(- host: .*?: )?(connection failed|connection is bad|consuming input failed): ")
SERVER = re.compile(
    r'^connection to server (at|on socket) "(?P<at>[^"]+)"( \([^)]*\))?(, port (?P<port>\d+))? failed: '
)
SEVERITY = re.compile(r"^[A-Z]+: +")


def in_a_line(text: str) -> str:
    """The reasons, each once; with the address, if several were tried."""
    before, found, listed = text.partition(ALL)
    lines = [
        line for line in (listed if found else before).splitlines() if line and not line.startswith(HINT)
    ]
    said = dict.fromkeys(map(_read, lines))
    several = len({at for at, _ in said}) > 1
    return "; ".join(f"{at}: {reason}" if several and at else reason for at, reason in said)


def _read(line: str) -> tuple[str, str]:
    """Address and reason."""
    line = PSYCOPG.sub("", line)
    server = SERVER.match(line)
    if server is None:
        return "", _plain(line)
    at, port = server["at"], server["port"]
    where = f"[{at}]" if ":" in at else at
    return f"{where}:{port}" if port else at, _plain(line[server.end() :])


def _plain(reason: str) -> str:
    return " ".join(SEVERITY.sub("", reason).split())

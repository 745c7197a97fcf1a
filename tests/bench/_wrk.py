"""wrk, which asks a server over and over from a core of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.bench._servers import ASKERS, environment, pinned
from tests.failover_receiver.parts import LIMIT
from tests.lab.programs import program

SCRIPT = """
local requests, next = {}, 0
function init(arguments)
    for line in io.lines(arguments[1]) do
        requests[#requests + 1] = formatted(line)
    end
end
function request()
    next = next % #requests + 1
    return requests[next]
end
function done(summary)
    local wrong = summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout
    io.write(string.format('\\n{"requests": %d, "bytes": %d, "wrong": %d}\\n', summary.requests, summary.bytes, wrong))
end
"""


def asked(
    formatted: str, url: str, requests: Path, *, connections: int, seconds: int
) -> tuple[dict[str, Any], str]:
    """Ask for so long, each line of a file in turn; how many `requests`, `bytes` and `wrong` answers there were, and all it said.

    `formatted` is Lua: the function of that name, which makes a request of a line.
    """
    script = requests.with_suffix(".lua")
    script.write_text(formatted + SCRIPT)
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={LIMIT:.0f}s", "-s", str(script)]
    said = subprocess.run(
        [program("wrk"), *options, url, "--", str(requests)],
        env=environment(),
        preexec_fn=pinned(ASKERS),
        capture_output=True,
        text=True,
        timeout=seconds + LIMIT,
        check=True,
    ).stdout
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    return told, said

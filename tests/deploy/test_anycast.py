"""Tests of deploy/anycast/wgfleet-anycast: what it makes of the verdicts; with real BIRDs, it is tests/system/test_anycast.py."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "anycast" / "wgfleet-anycast"
VERDICTS = """\
withdraw joining (registered)
attract serving (up)
attract serving (up)
attract serving (overloaded)
withdraw draining (drained)
"""


def run(directory: Path, *words: str, exit_status: int = 0) -> subprocess.CompletedProcess[str]:
    """The script, with a command that says these verdicts, and a birdc that notes what it is told."""
    sync, birdc = directory / "wgfleet-sync", directory / "birdc"
    sync.write_text(f"#!/bin/sh\n[ $# = 2 ] || exit {exit_status}\ncat <<'END'\n{VERDICTS}END\n")
    birdc.write_text(f'#!/bin/sh\necho "$@" >> {directory / "told"}\n')
    for file in (sync, birdc):
        file.chmod(0o700)
    environment = {"WGFLEET_SYNC": str(sync), "BIRDC": str(birdc), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [SCRIPT, *words], env=environment, capture_output=True, text=True, check=False, timeout=20
    )


def test_bird_is_told_each_verdict(tmp_path: Path) -> None:
    """Those that are repeated, too: it may have been configured anew. The journal has what is new."""
    ran = run(tmp_path, "bird", "anycast", exit_status=1)

    assert (tmp_path / "told").read_text().splitlines() == [
        "disable anycast",
        "enable anycast",
        "enable anycast",
        "enable anycast",
        "disable anycast",
    ]
    assert ran.stderr.splitlines() == [
        "withdraw: joining (registered)",
        "attract: serving (up)",
        "withdraw: draining (drained)",
    ]


def test_exabgp_is_told_what_is_new(tmp_path: Path) -> None:
    """In its own words, on standard output and nothing else there."""
    ran = run(tmp_path, "exabgp", "198.18.0.1/32")

    assert ran.stdout.splitlines() == [
        "withdraw route 198.18.0.1/32 next-hop self",
        "announce route 198.18.0.1/32 next-hop self",
        "withdraw route 198.18.0.1/32 next-hop self",
    ]


@pytest.mark.parametrize(("words", "exit_status"), [(("bird",), 0), (("bird", "anycast"), 2)])
def test_what_cannot_work_ends_at_once(tmp_path: Path, words: tuple[str, ...], exit_status: int) -> None:
    """Without a protocol, or with a configuration that `wgfleet-sync health` refuses."""
    ran = run(tmp_path, *words, exit_status=exit_status)

    assert ran.returncode == 2
    assert not (tmp_path / "told").exists()

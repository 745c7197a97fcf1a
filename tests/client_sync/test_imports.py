"""What the running daemon has in memory: nothing that it never uses, on machines where all is installed."""

import subprocess
import sys

NEVER_USED = {
    "click", "rich", "pygments",  # httpx's own command line.
    "jwt", "cryptography.x509", "cryptography.hazmat.primitives.serialization",  # Signing, and reading others' keys.
    "aiomqtt", "paho",  # For those who follow a broker.
    "trio", "uvicorn", "fastapi", "pydantic", "jinja2",
}  # fmt: skip


def test_the_daemon_loads_nothing_that_it_never_uses() -> None:
    """Each of these costs every client some MiB."""
    said = subprocess.run(
        [sys.executable, "-c", "import client_sync.__main__, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert NEVER_USED & set(said.stdout.split()) == set()

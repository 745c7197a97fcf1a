"""A follower of the receiver on the receiver's own host, set up as an operator does by docs/followers.md."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.host import Host
from tests.lab.process import Process
from wgfleet.files import write_whole

PORT = 9588
START_SECONDS = 60.0

Call = Callable[..., Any]
"""Asks the receiver's API, as an operator."""


def start(call: Call, host: Host, home: Path, receiver: str, *, fleet: str, **said: object) -> Process:
    """Make its token and configuration, and wait until it follows; what its configuration says beyond."""
    home.mkdir(mode=0o700, exist_ok=True)
    token = call("POST", "/v1/tokens", body={"name": "edge1", "role": "follower"})["token"]
    write_whole(home / "token", token.encode())
    settings = {
        "fleet": fleet,
        "receivers": [receiver],
        "token_file": "token",
        "trusted_keys": [call("GET", "/v1/signing-key")["public_key"]],
        "listen_address": host.address,
        "listen_port": PORT,
        **said,
    }
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
    write_whole(home / "follower.toml", "".join(lines).encode())
    command = [sys.executable, "-m", "failover_receiver", "follow", "--log-format", "json"]
    return host.spawn(
        "follower",
        [*command, "--config", home / "follower.toml"],
        ready='"event": "following"',
        timeout=START_SECONDS,
    )


def url(host: Host) -> str:
    """Where it is reached."""
    return f"http://{host.address}:{PORT}"

"""The options by which a command reaches the receiver: the same for every command that asks it."""

import argparse
import os
from pathlib import Path

from wgfleet.cli.api import TIMEOUT_SECONDS, Api

RECEIVER = "http://127.0.0.1:9587"
TOKEN_FILE = Path("/var/lib/wgfleet/operator.token")


def add_receiver(parser: argparse.ArgumentParser) -> None:
    """Add where the receiver is, what opens it, and the form of the answer."""
    parser.add_argument(
        "--receiver",
        default=os.environ.get("WGFLEET_RECEIVER", RECEIVER),
        help="its URL (default: $WGFLEET_RECEIVER, or %(default)s)",
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        default=Path(os.environ.get("WGFLEET_TOKEN_FILE", TOKEN_FILE)),
        help="the operator's token (default: $WGFLEET_TOKEN_FILE, or %(default)s)",
    )
    parser.add_argument("--ca-file", type=Path, help="trust the receiver's certificate by this authority")
    parser.add_argument("--json", action="store_true", help="for programs")


def api(arguments: argparse.Namespace, *, timeout: float = TIMEOUT_SECONDS) -> Api:
    """The receiver that these options name. Raises ValueError if a file is missing."""
    return Api(arguments.receiver, arguments.token_file, arguments.ca_file, timeout=timeout)

"""What several commands of `wgfleet-receiver` take."""

import argparse
from pathlib import Path
from typing import TypeAlias

from wgfleet.names import check_name

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - It has no public name.
"""What commands are added to."""


def name(text: str) -> str:
    """A type of argparse's: what may be called so."""
    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_config(command: argparse.ArgumentParser, default: Path) -> None:
    """`--config`."""
    command.add_argument(
        "--config", type=Path, default=default, help="the configuration (default: %(default)s)"
    )


def add_log_format(command: argparse.ArgumentParser) -> None:
    """`--log-format`."""
    command.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="for people or for programs"
    )

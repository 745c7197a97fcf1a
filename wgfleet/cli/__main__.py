"""`wgfleet`: the operator's command."""

import argparse
import sys

from wgfleet import __version__

try:
    from wgfleet.cli import clients, completion, enrol, operate, render, simulate, tokens
    from wgfleet.cli.api import ApiError
    from wgfleet.cli.doctor import command as doctor
except ModuleNotFoundError as missing:
    # The command is installed with every daemon, its packages only where operators work.
    sys.exit(
        f"wgfleet: the package {missing.name} is not installed here: this is the operator's command, which needs "
        "`pip install --require-hashes -r requirements/receiver.txt`"
    )


def main() -> int:
    """Run the command; return its exit code: 0 done, 1 it failed, 2 it was asked wrongly, 3 monitoring is blind."""
    if sys.argv[1:2] == [completion.HIDDEN]:  # Not among the others, or an error would offer it.
        return completion.tell_names(sys.argv[2:])
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except (ApiError, ValueError, OSError) as error:
        print(f"wgfleet: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wgfleet",
        description="Runs a fleet of WireGuard servers: who serves, who does not, and why.",
        epilog="Exit codes: 0 done, 1 it failed, 2 it was asked wrongly, 3 `status` found monitoring blind, "
        "4 `--wait` was in vain, 5 `doctor` found warnings only.",
    )
    parser.add_argument("--version", action="version", version=f"wgfleet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    operate.add_parsers(commands)
    clients.add_parser(commands)
    enrol.add_parser(commands)
    tokens.add_parser(commands)
    render.add_parser(commands)
    simulate.add_parser(commands)
    doctor.add_parser(commands)
    completion.add_parser(commands, parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())

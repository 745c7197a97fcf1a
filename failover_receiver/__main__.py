"""`wgfleet-receiver`: takes alerts, decides who serves, publishes the peer set."""

import argparse
import sys
import time
from pathlib import Path

from wgfleet import __version__, logs

try:
    import uvloop

    from failover_receiver import keys, moving, offline, setup
    from failover_receiver.arguments import Commands, add_config, add_log_format, name
    from failover_receiver.following import settings as following
    from failover_receiver.following.serve import follow
    from failover_receiver.opening import at_hand, opened
    from failover_receiver.serve import serve
    from failover_receiver.settings import ConfigurationError, Settings, check_readable, load
    from failover_receiver.store import StoreUnavailableError
except ModuleNotFoundError as missing:
    # The command is installed with every daemon, its packages only on the monitoring host.
    sys.exit(
        f"wgfleet-receiver: the package {missing.name} is not installed here: on the monitoring host, "
        "`pip install --require-hashes -r requirements/receiver.txt`"
    )

DIRECTORY = Path("/var/lib/wgfleet")
FOLLOWER_KEYS = ", ".join(sorted(following.FollowerSettings.model_fields))
KEYS = ", ".join(sorted(Settings.model_fields))


def main() -> int:
    """Run the command; return its exit code: 0 done, 1 it failed, 2 it was asked or configured wrongly."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except (StoreUnavailableError, ValueError, OSError) as error:
        print(f"wgfleet-receiver: {_said(error)}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1  # systemd starts it again after a 1.


def _said(error: Exception) -> str:
    """What went wrong, without the number that Python puts before it."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wgfleet-receiver",
        description="Takes Alertmanager's alerts, decides which WireGuard workers serve, and publishes that as a "
        "signed document that clients follow.",
        epilog="First time: `wgfleet-receiver init --fleet NAME`, then `wgfleet-receiver run`.",
    )
    parser.add_argument("--version", action="version", version=f"wgfleet-receiver {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_init(commands)
    _add_run(commands)
    _add_follow(commands)
    _add_rotate_key(commands)
    offline.add_commands(commands, DIRECTORY / "receiver.toml")
    return parser


def _add_init(commands: Commands) -> None:
    command = commands.add_parser("init", help="make keys, store, first tokens and a configuration")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--fleet", type=name, help="the fleet's name: clients accept documents of this fleet only"
    )
    what.add_argument(
        "--new-store",
        action="store_true",
        help="only a new, empty store, for a folder that has lost its own and has no backup",
    )
    command.add_argument("--directory", type=Path, default=DIRECTORY, help="where (default: %(default)s)")
    command.set_defaults(run=_init)


def _add_run(commands: Commands) -> None:
    command = commands.add_parser(
        "run", help="serve until told to stop", epilog=f"Keys of the configuration: {KEYS}."
    )
    add_config(command, DIRECTORY / "receiver.toml")
    add_log_format(command)
    command.set_defaults(run=_run)


def _add_follow(commands: Commands) -> None:
    command = commands.add_parser(
        "follow",
        help="hold streams and serve documents for a receiver elsewhere, until told to stop",
        description="Follows a receiver, or another follower, and serves its documents to clients and workers. It needs no "
        "signing key and no store.",
        epilog=f"Keys of the configuration: {FOLLOWER_KEYS}. docs/followers.md shows one.",
    )
    add_config(command, DIRECTORY / "follower.toml")
    add_log_format(command)
    command.set_defaults(run=_follow)


def _add_rotate_key(commands: Commands) -> None:
    command = commands.add_parser(
        "rotate-key",
        help="sign documents with a new key from the next start on; clients follow by themselves",
        description="Makes a new signing key, lets the present one endorse it, and puts it in the present one's place. "
        "Run it as the receiver's own user. A receiver that runs goes on with the old key until it is restarted.",
    )
    add_config(command, DIRECTORY / "receiver.toml")
    command.set_defaults(run=_rotate_key)


def _init(arguments: argparse.Namespace) -> int:
    if arguments.new_store:
        return _begin_anew(arguments.directory)
    files = setup.make(arguments.directory, arguments.fleet)
    print("Made:", *(f"  {file}" for file in files), sep="\n")
    print(f"\nNext: wgfleet-receiver run --config {arguments.directory / 'receiver.toml'}")
    return 0


def _begin_anew(directory: Path) -> int:
    settings = load(directory / "receiver.toml")
    if isinstance(settings.store, Path):
        files = setup.begin_anew(directory, settings.store, settings.fleet)
    else:
        with opened(settings) as store:
            moving.begin_anew(store, settings.fleet, now=time.time())
            files = setup.let_in(store, directory, again=True)
    print(f"{settings.store} is new and empty. These open it:", *(f"  {file}" for file in files), sep="\n")
    print(
        "Clients and workers keep what they have, and know the signing key; their tokens open nothing any more."
    )
    print(
        "\nNext: wgfleet-receiver run, then `wgfleet worker add` and `wgfleet client import`, and enrol them anew"
    )
    return 0


def _run(arguments: argparse.Namespace) -> int:
    logs.configure(arguments.log_format)
    settings = load(arguments.config)
    check_readable(settings)
    with at_hand(settings):
        uvloop.run(serve(settings, arguments.log_format))
    return 0


def _follow(arguments: argparse.Namespace) -> int:
    logs.configure(arguments.log_format)
    settings = following.load(arguments.config)
    check_readable(settings)
    uvloop.run(follow(settings, arguments.log_format))
    return 0


def _rotate_key(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    file = settings.signing_key_file
    old, new = keys.rotate(file, settings.fleet, now=time.time())
    print(f"{file} holds key {new.key_id} now, public key {new.public_text}")
    print(
        f"It is endorsed by {old.key_id}, which is gone from there: whoever trusts that one follows by itself."
    )
    print(
        f"\nNext: systemctl restart wgfleet-receiver, and put {file} into your backup in the old one's place."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

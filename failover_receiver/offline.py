"""Commands on the store itself, for the nights on which the API is no help."""

import argparse
import sys
import time
from pathlib import Path

from failover_receiver import backup, moving, restore, setup
from failover_receiver.access import Role
from failover_receiver.arguments import Commands, add_config, name
from failover_receiver.opening import opened
from failover_receiver.settings import ConfigurationError, load
from failover_receiver.store.dsn import Dsn


def add_commands(commands: Commands, config: Path) -> None:
    """`backup`, `restore`, `token`, `move-store` and `raise-epoch`."""
    for add in (_add_backup, _add_restore, _add_token, _add_move, _add_raise_epoch):
        add_config(add(commands), config)


def _add_backup(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "backup",
        help="copy the store into a file, while the receiver runs",
        description="Copies the store as it is at one moment, and checks the copy. The receiver goes on meanwhile.",
        epilog="The signing key is not in it: keep a copy of it apart.",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="a new file; it is not overwritten")
    command.set_defaults(run=_backup)
    return command


def _add_restore(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "restore",
        help="put a backup in the store's place; the receiver must be stopped",
        description="Puts a backup in the store's place and keeps the old one. What is published afterwards has a "
        "higher epoch than anything before, so clients take it.",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="what `backup` made")
    command.set_defaults(run=_restore)
    return command


def _add_token(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "token",
        help="make a token without having one; a receiver on a file must be stopped",
        description="Makes a token and prints it, for whoever has lost the last operator's. While a receiver runs on a file, "
        "`wgfleet token create` does that.",
    )
    command.add_argument("name", type=name, metavar="NAME", help="a new name, as alice")
    command.add_argument("--role", choices=[str(role) for role in Role], required=True, help="what it opens")
    command.set_defaults(run=_token)
    return command


def _add_move(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "move-store",
        help="copy the store's file into the PostgreSQL that `store` names; the receiver must be stopped",
        description="Copies all that the file holds into an empty PostgreSQL, so that several receivers can share it. "
        "Numbers, tokens and clients stay as they are, and the file too.",
    )
    command.add_argument("file", type=Path, metavar="FILE", help="the SQLite file, as receiver.db")
    command.set_defaults(run=_move)
    return command


def _add_raise_epoch(
    commands: Commands,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "raise-epoch",
        help="after pg_restore: number documents above all before; all receivers must be stopped",
        description="A restored PostgreSQL would publish numbers that clients have seen already, and refuse. After this "
        "it publishes a higher epoch, so they take it.",
    )
    command.set_defaults(run=_raise_epoch)
    return command


def _backup(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    if isinstance(settings.store, Dsn):
        raise ConfigurationError(
            f"the store is a PostgreSQL: `pg_dump --format=custom --file {arguments.file} '{settings.store}'` makes a "
            "backup of it while receivers run; the signing key is not in it"
        )
    copied = backup.back_up(settings.store_file, arguments.file)
    size = arguments.file.stat().st_size / 1024
    _tell(
        f"{arguments.file}: fleet {settings.fleet}, peer set {copied.number}, {copied.events} events of history, "
        f"{size:.0f} kB; checked",
        f"\nNext: copy it to another machine, and {settings.signing_key_file} once: the key is not in it.",
    )
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    if isinstance(settings.store, Dsn):
        raise ConfigurationError(
            "the store is a PostgreSQL: stop all receivers, "
            f"`pg_restore --clean --if-exists --dbname '{settings.store}' {arguments.file}`, then "
            "`wgfleet-receiver raise-epoch`, or clients would refuse what is published"
        )
    done = restore.restore(arguments.file, settings.store_file, settings.fleet, now=time.time())
    _tell(
        f"{settings.store} is now what {arguments.file} was: peer set {done.copied.number}, published from now on "
        f"as epoch {done.epoch}"
    )
    if done.kept is not None:
        _tell(f"the old store is kept as {done.kept}")
    if done.news is None:
        _tell("what has changed since that backup is not known: there was no old store, or it cannot be read")
    else:
        _tell(
            "since that backup:",
            *(f"  {line}" for line in done.news or ["nothing that has to be done again"]),
        )
    _tell("\nNext: systemctl start wgfleet-receiver, then wgfleet status")
    return 0


def _token(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    role = Role(arguments.role)
    with opened(settings) as store:
        secret = setup.make_token_in(store, arguments.name, role, now=time.time())
    sys.stderr.write(f"{arguments.name} has the role {role}; its token is shown this once:\n")
    _tell(secret)  # Alone, so that it can go straight into a file.
    shared = isinstance(settings.store, Dsn)
    sys.stderr.write(f"\nNext: {'it opens already' if shared else 'systemctl start wgfleet-receiver'}\n")
    return 0


def _move(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    if not isinstance(settings.store, Dsn):
        raise ConfigurationError(
            f"store: is {settings.store}: say the PostgreSQL there, as postgresql://wgfleet@db.example/wgfleet"
        )
    with opened(settings) as store:
        copied = moving.move(arguments.file, store, settings.fleet, now=time.time())
    _tell(
        f"{settings.store} holds what {arguments.file} does: peer set {copied.number}, {copied.events} events of history",
        f"\nNext: systemctl start wgfleet-receiver; then put receiver.toml, {settings.signing_key_file} and what "
        "else receiver.toml names (store_password_file, TLS) on the other machines, and start it there",
    )
    return 0


def _raise_epoch(arguments: argparse.Namespace) -> int:
    settings = load(arguments.config)
    if not isinstance(settings.store, Dsn):
        raise ConfigurationError(
            f"store: is {settings.store}: `wgfleet-receiver restore` raises its epoch itself"
        )
    with opened(settings) as store:
        epoch = moving.raise_epoch(store, settings.fleet, now=time.time())
    _tell(
        f"{settings.store} publishes epoch {epoch} from now on",
        "\nNext: systemctl start wgfleet-receiver, on all machines",
    )
    return 0


def _tell(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")

"""Makes a new receiver's folder: keys, store, first tokens, configuration; and what is lost of one."""

import time
from pathlib import Path

from failover_receiver.access import Role, digest, new_token
from failover_receiver.holding import held, must_be_there
from failover_receiver.registry.tokens import check_token
from failover_receiver.restore import begin, new_store
from failover_receiver.state import State
from failover_receiver.store import Noted, SqliteStore, Store, StoredToken
from wgfleet.files import read_secret, write_whole
from wgfleet.signing import Signer

FIRST_TOKENS = (Role.OPERATOR, Role.ALERTMANAGER, Role.PROMETHEUS)

CONFIGURATION = """\
# The receiver of fleet {fleet}. `wgfleet-receiver run --help` names all keys.
fleet = "{fleet}"
# For several receivers: a PostgreSQL that they share, as docs/replicas.md says.
store = "receiver.db"
signing_key_file = "signing.key"
# For clients elsewhere: another address here, and TLS below, or a TLS proxy before it.
listen_address = "127.0.0.1"
listen_port = 9587
#tls_certificate_file = "certificate.pem"
#tls_key_file = "key.pem"
# Where alerts are read from, besides the webhook.
alertmanagers = ["http://127.0.0.1:9093"]
# Asked for the workers' loads, which are shown and decide nothing; [] for nobody.
prometheis = ["http://127.0.0.1:9090"]
# As in `wgfleet render --interval`: seconds between probes.
probe_interval = 30.0
# Clients' tunnel addresses are given from these.
#client_pools = ["10.99.0.0/16", "fd99::/64"]
# Where machines that enrol reach this receiver.
#public_urls = ["https://vpn.example.com:9587"]
"""


def make(directory: Path, fleet: str) -> list[Path]:
    """Make the folder; return the files in it.

    Raises:
        ValueError: it already holds a receiver, whose keys must not be lost; or it cannot be made.

    """
    configuration = directory / "receiver.toml"
    if configuration.exists():
        raise ValueError(
            f"{configuration} is already there: its keys are what clients trust; choose another folder"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    except OSError as error:
        why = "there is a file of that name" if isinstance(error, FileExistsError) else error.strerror
        raise ValueError(
            f"--directory {directory} cannot be made: {why}; name a folder that this user may make"
        ) from None
    files = [directory / "signing.key"]
    write_whole(files[0], Signer.generate().to_text().encode() + b"\n")
    # Before SQLite makes it: its journals get the same mode.
    (directory / "receiver.db").touch(mode=0o600)
    _begin(directory / "receiver.db", fleet)
    files += _let_in(directory / "receiver.db", directory, again=False)
    # Last: without it the folder counts as empty, and init can be run again after a crash.
    write_whole(configuration, CONFIGURATION.format(fleet=fleet).encode(), mode=0o640)
    return [*files, directory / "receiver.db", configuration]


def begin_anew(directory: Path, store: Path, fleet: str) -> list[Path]:
    """Make a new store for a folder that has lost its own; return the files of the tokens that open it.

    Raises:
        ValueError: there is a store.

    """
    new_store(store, fleet, now=time.time())
    return _let_in(store, directory, again=True)


def make_token(store: Path, name: str, role: Role, *, now: float) -> str:
    """Make a token while no receiver runs; return it.

    Raises:
        ValueError: a receiver runs, there is no store, or the name is taken.

    """
    with held(store):
        must_be_there(store)
        opened = SqliteStore(store)
        try:
            return make_token_in(opened, name, role, now=now)
        finally:
            opened.close()


def make_token_in(store: Store, name: str, role: Role, *, now: float) -> str:
    """Likewise, in a store that is open. Raises ValueError: the name is taken."""
    _must_be_free(store, name, role)
    secret, state = new_token(), store.load()
    number = (0, 0) if state is None else (state.epoch, state.generation)
    made = Noted(now, "token", "token made", name, role, *number)
    store.tokens.add(StoredToken(name, role, digest(secret), now), made)
    return secret


def _must_be_free(store: Store, name: str, role: Role) -> None:
    state = store.load()
    if any(token.name == name for token in store.tokens.all()):
        raise ValueError(
            f"there is already a token named {name!r}: choose another name, and revoke that one later"
        )
    check_token(name, role, store.clients.roll().clients, () if state is None else state.workers)


def _begin(file: Path, fleet: str) -> None:
    store = SqliteStore(file)
    try:
        known = store.load()
        if known is None or (
            known.generation == 0 and known.fleet != fleet
        ):  # The latter: an init was cut off.
            begin(store, State(fleet=fleet), "a new fleet", now=time.time())
    finally:
        store.close()


def _let_in(file: Path, directory: Path, *, again: bool) -> list[Path]:
    """The first tokens, with the store's word that they open; those whose files are there already, if `again`."""
    store = SqliteStore(file)
    try:
        return let_in(store, directory, again=again)
    finally:
        store.close()


def let_in(store: Store, directory: Path, *, again: bool) -> list[Path]:
    """Likewise, of a store that is open."""
    files = []
    for role in FIRST_TOKENS:
        files.append(directory / f"{role}.token")
        known = again and files[-1].exists()
        token = read_secret(files[-1]) if known else new_token()
        store.tokens.remove(role)  # Of an init that was cut off.
        store.tokens.add(StoredToken(role, role, digest(token), time.time()))
        if not known:
            write_whole(files[-1], token.encode() + b"\n")
    return files

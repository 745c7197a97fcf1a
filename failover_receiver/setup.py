"""Makes a new receiver's folder: keys, store, first tokens, configuration."""

import time
from pathlib import Path

from failover_receiver.access import Role, digest, new_token
from failover_receiver.store import SqliteStore, StoredToken
from wgfleet.files import write_whole
from wgfleet.signing import Signer

FIRST_TOKENS = (Role.OPERATOR, Role.ALERTMANAGER, Role.PROMETHEUS)

CONFIGURATION = """\
# The receiver of fleet {fleet}. `wgfleet-receiver run --help` names all keys.
fleet = "{fleet}"
store = "receiver.db"
signing_key_file = "signing.key"
# For clients elsewhere: another address here, and TLS below, or a TLS proxy before it.
listen_address = "127.0.0.1"
listen_port = 9587
#tls_certificate_file = "certificate.pem"
#tls_key_file = "key.pem"
# Where alerts are read from, besides the webhook.
alertmanagers = ["http://127.0.0.1:9093"]
# As in `wgfleet render --interval`: seconds between probes.
probe_interval = 30.0
"""


def make(directory: Path, fleet: str) -> list[Path]:
    """Make the folder; return the files in it.

    Raises:
        ValueError: it already holds a receiver, whose keys must not be lost.

    """
    configuration = directory / "receiver.toml"
    if configuration.exists():
        raise ValueError(
            f"{configuration} is already there: its keys are what clients trust; choose another folder"
        )
    directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    files = [directory / "signing.key"]
    write_whole(files[0], Signer.generate().to_text().encode() + b"\n")
    # Before SQLite makes it: its journals get the same mode.
    (directory / "receiver.db").touch(mode=0o600)
    store = SqliteStore(directory / "receiver.db")
    try:
        for role in FIRST_TOKENS:
            token = new_token()
            store.tokens.remove(role)  # Of an init that was cut off.
            store.tokens.add(StoredToken(role, role, digest(token), time.time()))
            files.append(directory / f"{role}.token")
            write_whole(files[-1], token.encode() + b"\n")
    finally:
        store.close()
    # Last: without it the folder counts as empty, and init can be run again after a crash.
    write_whole(configuration, CONFIGURATION.format(fleet=fleet).encode(), mode=0o640)
    return [*files, directory / "receiver.db", configuration]

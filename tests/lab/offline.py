"""A client's daemon without any receiver: it lives from the document that is on its disk."""

import json
import sys
from collections.abc import Collection

from client_sync.cache import Documents
from tests.lab.bare import BareClient
from tests.lab.machines import Worker
from tests.lab.perworker import FLEET, document
from tests.lab.process import Process
from wgfleet.files import write_whole
from wgfleet.signing import Signer, Verifier

SIGNER = Signer.generate()


def daemon(client: BareClient, **more: object) -> Process:
    """The daemon, not started yet; more of its settings may be said."""
    (client.home / "token").write_text("none\n")
    settings = {
        "fleet": FLEET,
        "name": "c1",
        "receivers": ["http://127.0.0.1:9"],
        "token_file": "token",
        "trusted_keys": [SIGNER.public_text],
        "state_directory": "state",
        "policy": "priority",
        "standby_probe_interval": 0.2,
        **client.settings(),
        **more,
    }
    said = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    write_whole(client.home / "sync.toml", said.encode())
    (client.home / "state").mkdir()
    command = [sys.executable, "-m", "client_sync", "run", "--log-format", "json"]
    return client.prepare("sync", [*command, "--config", client.home / "sync.toml"])


def publish(client: BareClient, workers: Collection[Worker], generation: int, **states: str) -> None:
    """What the daemon finds when it starts: the first worker is preferred."""
    documents = Documents(client.home / "state", Verifier([SIGNER.public_text]), FLEET)
    documents.take(SIGNER.sign(document(workers, states, generation=generation).to_bytes()))
    documents.keep()

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
PORT = 9587
"""Of the receiver, where there is one at all: `serve`."""


def daemon(client: BareClient, **more: object) -> Process:
    """The daemon, not started yet; more of its settings may be said."""
    (client.home / "token").write_text("none\n")
    settings = {
        "fleet": FLEET,
        "name": "c1",
        "receivers": [f"http://127.0.0.1:{PORT}"],
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
    documents.take(signed(workers, generation, **states))
    documents.keep()


def serve(client: BareClient, workers: Collection[Worker], generation: int) -> Process:
    """A receiver on the client's own loopback, which gives this document and no stream of it."""
    folder = client.home / "served" / "v1"
    folder.mkdir(parents=True)
    write_whole(folder / "peer-set", signed(workers, generation))
    command = [
        sys.executable,
        "-m",
        "http.server",
        str(PORT),
        "--bind",
        "127.0.0.1",
        "--directory",
        str(folder.parent),
    ]
    return client.spawn("receiver", command, ready=lambda: client.listens(PORT))


def signed(workers: Collection[Worker], generation: int, **states: str) -> bytes:
    """The document in which these workers serve, unless said otherwise; the first is preferred."""
    return SIGNER.sign(document(workers, states, generation=generation).to_bytes())

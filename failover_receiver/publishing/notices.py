"""What a webhook is told: a small notice of what changed, signed as Standard Webhooks says. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from wgfleet.peerset import PeerSet

KIND = "wgfleet.peer_set.changed"
SECRET_PREFIX = "whsec_"  # noqa: S105 - What a secret begins with.
LEAST_BYTES, MOST_BYTES = 24, 64
"""Of a secret, by the standard."""


def secrets(text: str) -> list[bytes]:
    """The secrets of a file, one a line. Raises ValueError, which quotes none."""
    return [_secret(line.strip()) for line in text.splitlines() if line.strip()]


def _secret(said: str) -> bytes:
    try:
        secret = base64.b64decode(said.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not LEAST_BYTES <= len(secret) <= MOST_BYTES:
        raise ValueError(
            f"holds something else than secrets of {LEAST_BYTES} to {MOST_BYTES} bytes in base64, after {SECRET_PREFIX}: "
            'make one by `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return secret


def headers(body: bytes, identity: str, keys: Sequence[bytes], *, now: float) -> dict[str, str]:
    """What is sent with it: the same identity each time, the time of this attempt, a signature by each key."""
    timestamp = str(int(now))
    signed = b".".join((identity.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "Content-Type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def identity(said: PeerSet) -> str:
    """The same for the same document, so that whoever has it already can tell."""
    return f"{said.fleet}-{said.epoch}-{said.generation}"


def notice(said: PeerSet, before: PeerSet | None, etag: str, document: bytes | None) -> bytes:
    """The body: what the peer set says of each worker, and what of it is new since `before`, which was told last."""
    told: dict[str, Any] = {
        "fleet": said.fleet,
        "epoch": said.epoch,
        "generation": said.generation,
        "etag": etag,
        "monitoring": said.monitoring,
        "since": None if before is None else {"epoch": before.epoch, "generation": before.generation},
        "changes": [] if before is None else list(_changes(before, said)),
        "workers": [
            {"name": one.name, "state": one.state, "reason": one.reason, "monitored": one.monitored}
            for one in said.workers
        ],
    }
    if document is not None:
        told["document"] = document.decode()
    issued = datetime.fromtimestamp(said.issued_at, UTC).isoformat(timespec="milliseconds")
    whole = {"type": KIND, "timestamp": issued.replace("+00:00", "Z"), "data": told}
    return json.dumps(whole, separators=(",", ":")).encode()


def is_news(said: PeerSet, before: PeerSet | None) -> bool:
    """Whether it says something else, and not only that it is fresh."""
    return before is None or (said.workers, said.monitoring) != (before.workers, before.monitoring)


def _changes(before: PeerSet, said: PeerSet) -> Iterator[dict[str, str | None]]:
    """Of each worker whose state or reason is another, or that came or went."""
    was = {one.name: one for one in before.workers}
    now = {one.name: one for one in said.workers}
    for name in dict.fromkeys((*was, *now)):
        old, new = was.get(name), now.get(name)
        if (old and (old.state, old.reason)) != (new and (new.state, new.reason)):
            yield {
                "worker": name,
                "before": None if old is None else old.state,
                "after": None if new is None else new.state,
                "reason": "removed" if new is None else new.reason,
            }

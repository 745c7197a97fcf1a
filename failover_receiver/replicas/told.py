"""What one receiver tells the others of what it was told: heard alerts, and acks. Pure: values in, values out."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import TypeAdapter

from failover_receiver.acks import ACK_LIFETIME, Ack
from failover_receiver.state import Policy, State
from failover_receiver.store import Heard

_ACK = TypeAdapter(Ack)
GONE_SECONDS = 5.0
"""A receiver that has told nothing for so long is dead, frozen or cut off."""


class Said(NamedTuple):
    """An ack, and whose it is."""

    role: str
    name: str
    digest: str
    """Of the token that was shown."""
    ack: Ack


class Life(NamedTuple):
    """Another receiver, and when it last told anything."""

    replica: str
    at: float


def heard_by(state: State, policy: Policy, *, now: float) -> str:
    """What this receiver has heard lately, of all that fires."""
    past = now - max(policy.alert_lifetime, policy.worker_silence)
    alerts = {
        key: alert.heard_at
        for key, alert in state.alerts.items()
        if alert.ended_at is None and alert.heard_at > past
    }
    return json.dumps({"alerts": alerts, "read_at": state.read_at}, separators=(",", ":"))


def heard_of(bodies: Iterable[str]) -> Heard:
    """What others have heard, all together."""
    alerts: dict[str, float] = {}
    read_at = 0.0
    for body in bodies:
        one = Heard.read(body)
        read_at = max(read_at, one.read_at)
        for key, at in one.alerts.items():
            alerts[key] = max(at, alerts.get(key, 0.0))
    return Heard(alerts, read_at)


def row(said: Said) -> tuple[str, str, str, float, str]:
    """As it is kept."""
    return said.role, said.name, said.digest, said.ack.received_at, _ACK.dump_json(said.ack).decode()


def read(role: str, name: str, digest: str, said: str) -> Said:
    """What such a row says."""
    return Said(role, name, digest, _ACK.validate_json(said))


def whole_since(began: float, lives: Iterable[Life], *, now: float) -> float:
    """From when on every ack is known, of all that were taken anywhere.

    A receiver that vanished may have taken some that it told nobody of; whoever said them says them again.
    """
    vanished = (one.at for one in lives if one.at < now - GONE_SECONDS and one.at > now - ACK_LIFETIME)
    return max([began, *(at + GONE_SECONDS for at in vanished)])

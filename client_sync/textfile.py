"""What the daemon has applied, as a page for node_exporter's textfile collector: the client listens on no port.

Whether it is still written is told by node_exporter itself, by `node_textfile_mtime_seconds`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from wgfleet.peerset import Monitoring

Status = Mapping[str, Any]
"""As `wgfleet-sync status --json` prints it."""


class Family(NamedTuple):
    """One metric."""

    name: str
    labels: tuple[str, ...]
    help: str


CONNECTED = Family(
    "wgfleet_client_receiver_connected", (), "1 if a receiver is followed, 0 if none is reached."
)
STREAM = Family(
    "wgfleet_client_stream_held",
    (),
    "1 if the receiver's event stream comes through, 0 if documents are asked for, or none is reached.",
)
EPOCH = Family("wgfleet_client_peer_set_epoch", (), "Epoch of the peer set that is applied.")
GENERATION = Family(
    "wgfleet_client_peer_set_generation", (), "Number, within its epoch, of the peer set that is applied."
)
FRESH = Family(
    "wgfleet_client_peer_set_fresh_until_timestamp_seconds",
    (),
    "UNIX time until which the applied peer set counts as fresh.",
)
LIVE = Family(
    "wgfleet_client_monitoring_live",
    (),
    "1 if the applied peer set says that monitoring is live, 0 if it is blind.",
)
ACTIVE = Family(
    "wgfleet_client_worker_active", ("worker",), "1 for the worker that carries the traffic, 0 for others."
)
STATE = Family(
    "wgfleet_client_worker_state_info", ("worker", "state"), "Always 1; the worker's published state."
)
MISSES = Family(
    "wgfleet_client_worker_missed_probes",
    ("worker",),
    "Own probes of the worker in a row that were not answered; absent while it is not probed.",
)
ALL = (CONNECTED, STREAM, EPOCH, GENERATION, FRESH, LIVE, ACTIVE, STATE, MISSES)
"""Each a gauge."""


def page(status: Status) -> str:
    """The whole file. What is not known has no sample."""
    return "".join(line for family in ALL for line in _family(family, status))


def _family(family: Family, status: Status) -> Iterator[str]:
    samples = list(_samples(family, status))
    if samples:
        yield f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n"
    for values, value in samples:
        # Names and states are words of letters, digits and hyphens: nothing in them needs a backslash.
        labels = ",".join(f'{label}="{one}"' for label, one in zip(family.labels, values, strict=True))
        yield f"{family.name}{{{labels}}} {value}\n" if labels else f"{family.name} {value}\n"


def _samples(family: Family, status: Status) -> Iterator[tuple[tuple[str, ...], float]]:
    workers: Mapping[str, Mapping[str, Any]] = status["workers"]
    if family is ACTIVE:
        yield from (((name,), int(name == status["active"])) for name in workers)
    elif family is STATE:
        yield from (((name, worker["state"]), 1) for name, worker in workers.items())
    elif family is MISSES:
        yield from (((name,), one["misses"]) for name, one in workers.items() if one["misses"] is not None)
    else:
        value = {
            CONNECTED: int(status["receiver"] is not None),
            STREAM: int(status["heard_by"] == "stream"),
            EPOCH: status["epoch"],
            GENERATION: status["generation"],
            FRESH: status["fresh_until"],
            LIVE: None if status["monitoring"] is None else int(status["monitoring"] == Monitoring.LIVE),
        }[family]
        if value is not None:
            yield (), value

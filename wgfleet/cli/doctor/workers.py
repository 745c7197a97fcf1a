"""Whether workers are there, watched, usable, and know the clients."""

from collections.abc import Iterator, Mapping
from typing import Any

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.findings import Finding, fault, ok, seconds, some, unchecked, warning
from wgfleet.cli.doctor.receiver import NO_RECEIVER, USABLE
from wgfleet.wording import counted

ACK_SECONDS = 150.0
"""A worker's daemon acks every minute: two may be lost."""


def judge_workers(receiver: Part) -> Iterator[Finding]:
    """All workers together, each group of the same fault in one line."""
    said = receiver.body("doctor")
    if said is None:
        yield unchecked("workers and clients", NO_RECEIVER)
        return
    workers = said["workers"]
    if not workers:
        yield warning("no worker is registered", "`wgfleet worker add NAME …`")
        return
    usable = [name for name, worker in workers.items() if worker["state"] in USABLE]
    if usable:
        yield ok(f"{len(usable)} of {len(workers)} workers can be used: {some(usable)}")
    else:
        yield fault(
            "no worker can be used",
            "`wgfleet status` says why of each; `wgfleet worker admit NAME` lets one in",
        )
    yield from _judge_watched(workers)
    yield from _judge_clients(said)
    yield from _judge_lists(said)


def _judge_watched(workers: Mapping[str, Any]) -> Iterator[Finding]:
    silent = [name for name, worker in workers.items() if not worker["monitored"]]
    if silent:
        yield fault(
            f"no verdict is heard on {some(silent)}: if one dies, nobody is told",
            "see its targets below: neither Up nor Down nor Degraded fires for it",
        )
    else:
        yield ok("a verdict is heard on each worker")


def _judge_clients(said: Mapping[str, Any]) -> Iterator[Finding]:
    heard, behind = said["clients"]["heard"], said["clients"]["behind"]
    if behind:
        yield warning(
            f"{behind} of {counted(heard, 'client')} have not applied the newest peer set",
            "if that lasts, see docs/runbooks/WireGuardClientsBehind.md",
        )
    else:
        yield ok(f"{counted(heard, 'client')} heard lately, none is behind")


def _judge_lists(said: Mapping[str, Any]) -> Iterator[Finding]:
    newest = said["client_list"]
    if newest is None:  # No worker learns its clients from here.
        return
    now, workers = said["now"], said["workers"]
    never = [name for name, worker in workers.items() if not worker["follows"]]
    silent = [name for name, worker in workers.items() if worker["follows"] and worker["acked_at"] is None]
    late = {
        name: now - worker["acked_at"]
        for name, worker in workers.items()
        if worker["acked_at"] is not None and now - worker["acked_at"] > ACK_SECONDS
    }
    behind = [
        name
        for name, worker in workers.items()
        if name not in late
        and worker["acked_at"] is not None
        and tuple(worker["client_list"] or (0, 0)) < tuple(newest)
    ]
    mend = "`systemctl status wgfleet-sync` there: does its worker role run, and reach the receiver?"
    if never:
        yield warning(
            f"no client list is followed by {some(never)}: who is added or revoked here stays as it is there",
            "join it by `wgfleet worker enrol NAME --again` and `wgfleet-sync enroll` there; or go on keeping its peers "
            "yourself (docs/clients.md)",
        )
    if silent:
        yield warning(f"not heard since the receiver started: {some(silent)}", mend)
    if late:
        yield warning(
            f"not heard lately: {some(f'{name} for {seconds(age)}' for name, age in late.items())}", mend
        )
    if behind:
        yield warning(f"an older client list than {newest[0]}.{newest[1]} is with {some(behind)}", mend)
    if not (never or silent or late or behind):
        yield ok(f"each worker has client list {newest[0]}.{newest[1]}")

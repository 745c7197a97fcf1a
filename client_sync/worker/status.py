"""What a worker's daemon tells: to the receiver, to programs, to people."""

from collections.abc import Mapping, Sequence
from typing import Any

from client_sync.reached import in_short, receiver_lines, remark_lines
from client_sync.worker.driver import Worker
from wgfleet.wording import counted

WIDTH = len("client list  ")
"""Of the first column of a status."""


def describe(
    worker: Worker,
    receiver: str | None,
    hook: dict[str, Any] | None = None,
    published: dict[str, Any] | None = None,
    *,
    trouble: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
) -> dict[str, Any]:
    """What `wgfleet-sync status` shows.

    `hook` is the client hook's part, if there is one; `published` what the peer set says of us, if there was one; `trouble`
    why receivers are not followed, by URL; `remarks` what people should know though nothing is wrong.
    """
    held, standing, refused = worker.held, worker.tunnel.standing, worker.refused
    return {
        "role": "worker",
        "receiver": receiver,
        "trouble": dict(trouble or {}),
        "interface": worker.tunnel.name,
        "shared_interface": worker.tunnel.shared,
        "epoch": worker.applied[0] if worker.applied else None,
        "generation": worker.applied[1] if worker.applied else None,
        "fresh_until": held.fresh_until if held else None,
        "clients": len(held.clients) if held else 0,
        "peers": {"ours": standing.ours, "others": standing.others},
        "withheld": [str(one) for one in standing.withheld],
        "cut_off": sorted(standing.cut),
        "refused": None
        if refused is None
        else {"epoch": refused.number[0], "generation": refused.number[1], "reason": refused.reason},
        "hook": hook,
        "published": published,
        "remarks": list(remarks),
        "error": worker.error or worker.error_around,
    }


def ack(worker: Worker) -> dict[str, Any]:
    """What the receiver is told: the list that the interface really has, and no newer one."""
    if worker.applied is None:
        return {}
    epoch, generation = worker.applied
    return {"client_list": {"epoch": epoch, "generation": generation}}


def headline(status: dict[str, Any]) -> str:
    """One line: what is applied, heard from where, and whether something is wrong."""
    wrong = ("; REFUSED a list" if status["refused"] else "") + ("; ERROR" if status["error"] else "")
    return f"client list {_applied(status) or 'not applied yet'}, {in_short(status)}{wrong}"


def shown(status: dict[str, Any]) -> str:
    """The status for people; what is wrong stands last, where it is seen."""
    peers, shared = status["peers"], status.get("shared_interface")
    lines = [
        f"client list  {_applied(status) or '(none applied yet)'}",
        *receiver_lines(status, WIDTH),
        f"peers        {peers['ours']} ours, {peers['others']} of others, on {status['interface']}{f' and {shared}' if shared else ''}",
    ]
    if (published := status.get("published")) is not None:
        lines.append(
            f"published    {published['reason']}, peer set {published['epoch']}.{published['generation']}"
        )
    lines += [f"withheld     {one}" for one in status["withheld"]]
    lines += [
        f"cut off      peer {key}: revoked, but added by others: take it out of the interface's configuration"
        for key in status["cut_off"]
    ]
    lines += [*_hook(status.get("hook")), *remark_lines(status, WIDTH)]
    refused = status["refused"]
    if refused is not None:
        lines.append(f"REFUSED      list {refused['epoch']}.{refused['generation']}: {refused['reason']}")
    if status["error"] is not None:
        lines.append(f"ERROR        {status['error']}")
    return "\n".join(lines)


def _applied(status: dict[str, Any]) -> str | None:
    if status["generation"] is None:
        return None
    return f"{status['epoch']}.{status['generation']}, {counted(status['clients'], 'client')}"


def _hook(status: dict[str, Any] | None) -> list[str]:
    if status is None:
        return []
    lines = [
        f"client hook  ran for {counted(status['active'], 'active client')}; {status['waiting'] + status['running']} to come"
    ]
    lines += [
        f"HOOK FAILS   `{one['verb']} {one['client']}`, tried {one['tries']} times: {one['reason']}"
        for one in status["failures"]
    ]
    more = status["failing"] - len(status["failures"])
    return [*lines, f"HOOK FAILS   for {counted(more, 'client')} more"] if more > 0 else lines

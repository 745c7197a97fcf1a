"""Whether the receiver answers, can keep what it hears, and hears monitoring."""

from collections.abc import Iterator, Mapping
from typing import Any

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.clocks import judge_own_clock
from wgfleet.cli.doctor.findings import Finding, fault, ok, seconds, some, unchecked, warning

NO_RECEIVER = "the receiver did not answer"
EXPIRES_SOON = 7 * 86_400.0
"""Seconds: a token that ends within a week is worth a look."""

READ_SECONDS = 15.0
"""Five readings of Alertmanager's list, at 3 s each: by then one should have come."""

WEBHOOK_SECONDS = 30.0
"""The Watchdog's webhook comes every 5 s; some may be lost."""

LATE_PART = 0.75
"""Of the Watchdog's time. It comes every 5 s or, where the turns of rules and resending miss each other, every 10 s; then it
waits up to 3 s to be read."""

MISDIRECTED = 421
"""What a follower answers to whatever is the receiver's own."""

USABLE = frozenset({"serving", "suspect"})


def judge_receiver(receiver: Part, now: float) -> Iterator[Finding]:
    """Reached, ready, open to this token, and of the same time."""
    alive, ready, doctor = (receiver.answers[question] for question in ("alive", "ready", "doctor"))
    if not alive.status:
        yield fault(
            f"{receiver.url} was not reached: {alive.error}",
            "start it (`systemctl status wgfleet-receiver`), or mend --receiver: http or https? --ca-file?",
        )
        return
    if not alive.good:
        yield fault(f"{receiver.url} answers, but as no receiver: {alive.error}", "mend --receiver")
        return
    yield ok(f"{receiver.url} answers")
    if doctor.status == MISDIRECTED:
        yield fault(
            "it is a follower, and knows nothing of the whole chain",
            "name the receiver itself with --receiver",
        )
        return
    if ready.good:
        yield ok("its store takes changes")
    else:
        yield fault(
            f"it cannot keep changes: {ready.error}",
            "mend the disk or the store: docs/runbooks/WireGuardStoreFailing.md",
        )
    yield from _judge_token(receiver, now)
    if doctor.good:
        yield from judge_own_clock(receiver)


def _judge_token(receiver: Part, now: float) -> Iterator[Finding]:
    doctor = receiver.answers["doctor"]
    if doctor.status in {401, 403}:
        yield fault(f"it refuses this token: {doctor.error}", "give an operator's with --token-file")
    elif doctor.status == 404:
        yield fault("it does not know what this command asks", "update it: it is older than this command")
    elif not doctor.good:
        yield fault(f"it does not say what it expects: {doctor.error}", "look into its log")
    else:
        holder = doctor.body["holder"]
        yield ok(f"token {holder['name']!r} is an {holder['role']}'s; version {doctor.body['version']}")
        ends = holder["expires_at"]
        if ends is not None and ends - now < EXPIRES_SOON:
            yield warning(
                f"that token expires in {seconds(ends - now)}", "make another one: `wgfleet token create`"
            )


def judge_monitoring(receiver: Part) -> Iterator[Finding]:
    """Live or frozen and why; what comes by webhook and what is read."""
    said = receiver.body("doctor")
    if said is None:
        yield unchecked("whether monitoring is heard", NO_RECEIVER)
        return
    now, heard, limit = said["now"], said["watchdog_heard_at"], said["watchdog_timeout"]
    if heard is None or now - heard > limit:
        age = "was never heard" if heard is None else f"is {seconds(now - heard)} old"
        yield fault(
            f"monitoring is blind: the Watchdog {age}, and counts for {seconds(limit)}; alerts move nothing",
            "see Prometheus and Alertmanager below",
        )
        yield from _judge_ways(said, alive=False)
        return
    if said["monitoring"] == "live" and said["frozen_by"] is None:
        yield ok("monitoring is live")
    else:
        yield fault(
            f"monitoring is blind: {said['frozen_by']}; alerts move nothing", "mend what is found below"
        )
    if now - heard > LATE_PART * limit:
        yield warning(
            f"the Watchdog is {seconds(now - heard)} old", "it should come every 5 s: see the clocks below"
        )
    else:
        yield ok(f"the Watchdog is {seconds(now - heard)} old")
    yield from _judge_ways(said, alive=True)


def _judge_ways(said: Mapping[str, Any], *, alive: bool) -> Iterator[Finding]:
    now = said["now"]
    urls = said["alertmanagers"]
    if not urls:
        yield warning(
            "it reads no Alertmanager: a silenced worker that dies is not left",
            "set alertmanagers in receiver.toml",
        )
    elif now - said["read_at"] > READ_SECONDS:
        yield fault(
            f"no list of active alerts could be read of {some(urls)} for {_age(now, said['read_at'])}",
            "see Alertmanager below, and its log",
        )
    else:
        yield ok(f"it reads the active alerts of {some(urls)}")
    taken = said["webhook_at"]
    if taken and now - taken <= WEBHOOK_SECONDS:
        yield ok(f"the last webhook came {seconds(now - taken)} ago")
    elif not alive:
        yield unchecked("whether webhooks come", "the Watchdog is not heard, which they bring")
    else:
        yield fault(
            f"no webhook has come for {_age(now, taken)}: alerts are heard late, by the list alone",
            "look into Alertmanager's log: is the webhook's URL right, and its token (credentials_file) known here?",
        )


def _age(now: float, at: float | None) -> str:
    return seconds(now - at) if at else "as long as it runs"

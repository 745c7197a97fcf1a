"""What lies beyond one machine: receivers that share a store, followers, and what is published elsewhere.

A fleet that has none of it has no finding of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.findings import Finding, ok, seconds, some, unchecked, warning

BEHIND_SECONDS = 15.0
"""One attempt to publish may take so long."""
SEVERAL = 2
"""Receivers: a single one is no news here."""


def judge_beyond(receiver: Part) -> Iterator[Finding]:
    """As far as the receiver knows. One that is older than this command says nothing of it."""
    said = receiver.body("doctor")
    if said is None:
        return
    sharing = said.get("sharing")
    if sharing is not None and receiver.answers["ready"].good:  # If not, the fault stands there.
        alone = "no other receiver was heard on its store lately"
        several = f"{sharing:.0f} receivers were heard on its store lately, with this one"
        yield ok(alone if sharing == 1 else several)
    yield from _judge_publishers(said.get("publishers") or {})
    yield from _judge_followers(said.get("followers") or {}, alone=sharing is None)


def _judge_publishers(behind: Mapping[str, float]) -> Iterator[Finding]:
    late = {name: since for name, since in behind.items() if since > BEHIND_SECONDS}
    for name, since in late.items():
        yield warning(
            f"{name} has had an old peer set for {seconds(since)}",
            "the receiver's log says why (`not published`): docs/runbooks/WireGuardPublisherBehind.md",
        )
    if there := [name for name, since in behind.items() if not since]:
        yield ok(f"the newest peer set is with {some(there)}")
    if coming := [name for name, since in behind.items() if since and name not in late]:
        yield ok(f"the newest peer set is on its way to {some(coming)}")


def _judge_followers(follows: Mapping[str, bool], *, alone: bool) -> Iterator[Finding]:
    here = [name for name, is_here in follows.items() if is_here]
    elsewhere = [name for name in follows if name not in here]
    if here:
        yield ok(f"it is followed by {some(here)}")
    if elsewhere and alone and not here:
        yield warning(
            f"nobody follows it, though there are followers' tokens: {some(elsewhere)}",
            "docs/runbooks/WireGuardFollowerAlone.md; or, if they are gone: `wgfleet token revoke NAME`",
        )
    elif elsewhere:
        yield unchecked(
            f"followers {some(elsewhere)}",
            "they do not follow this receiver; another follower or receiver, perhaps: their own /readyz says it",
        )


def judge_scraped(prometheus: Part, receiver: Part) -> Iterator[Finding]:
    """As far as a Prometheus sees receivers and followers."""
    found = prometheus.body("targets")
    targets = [] if found is None else found["data"]["activeTargets"]
    yield from _judge_receivers(
        _of_job(targets, "wgfleet-receiver"), _by_instance(prometheus, "stores"), receiver
    )
    for one in _of_job(targets, "wgfleet-follower"):
        if one["health"] == "down":
            yield _not_scraped("follower", one, "docs/runbooks/WireGuardFollowerDown.md")
    live = _by_instance(prometheus, "followers")
    alone = [name for name, hears in live.items() if not hears]
    if alone:
        yield warning(
            f"followers do not hear the receiver: {some(sorted(alone))}",
            "docs/runbooks/WireGuardFollowerAlone.md",
        )
    elif live:
        yield ok(f"the receiver is heard by the followers {some(sorted(live))}")


def _judge_receivers(
    known: Sequence[Mapping[str, Any]], stores: Mapping[str, bool], asked: Part
) -> Iterator[Finding]:
    """All that Prometheus knows: which answer it, which of these have their store, whether that is one."""
    deciding = sorted(name for name, has_it in stores.items() if has_it)
    for one in known:
        if one["health"] == "down":
            which = "WireGuardReceiverMissing" if deciding else "WireGuardReceiverDown"
            yield _not_scraped("receiver", one, f"docs/runbooks/{which}.md")
    if cut_off := sorted(name for name, has_it in stores.items() if not has_it):
        which = "WireGuardReceiverCutOff" if deciding else "WireGuardStoreFailing"
        yield warning(
            f"{some(cut_off)}: cut off from the store, and decides nothing",
            f"docs/runbooks/{which}.md; its /readyz says why",
        )
    if len(known) < SEVERAL or not deciding:
        return
    yield ok(f"{len(deciding)} of {len(known)} receivers answer and have their store: {some(deciding)}")
    said = asked.body("doctor")
    if said is None or "sharing" not in said or not asked.answers["ready"].good:
        return
    hears = said["sharing"] or 1
    if hears < len(deciding):
        yield warning(
            f"of these, {asked.url} hears {hears:.0f} on its store, with itself",
            "if that lasts: does `store` in receiver.toml name the same PostgreSQL for each? docs/replicas.md",
        )


def _of_job(targets: Sequence[Mapping[str, Any]], job: str) -> list[Mapping[str, Any]]:
    return [one for one in targets if one["labels"].get("job") == job]


def _by_instance(prometheus: Part, question: str) -> dict[str, bool]:
    """What each says: 0 is no."""
    found = prometheus.body(question)
    said = [] if found is None else found["data"]["result"]
    return {one["metric"].get("instance", ""): one["value"][1] != "0" for one in said}


def _not_scraped(what: str, target: Mapping[str, Any], runbook: str) -> Finding:
    return warning(
        f"{what} {target['labels'].get('instance')} is not scraped: {target['lastError']}", runbook
    )

"""What lies beyond one machine: receivers that share a store, followers, and what is published elsewhere.

A fleet that has none of it has no finding of it.
"""

from collections.abc import Iterator, Mapping

from wgfleet.cli.doctor.asking import Part
from wgfleet.cli.doctor.findings import Finding, ok, seconds, some, unchecked, warning

BEHIND_SECONDS = 15.0
"""One attempt to publish may take so long."""

SCRAPED: Mapping[str, tuple[str, str]] = {
    "wgfleet-receiver": ("receiver", "docs/runbooks/WireGuardReceiverDown.md"),
    "wgfleet-follower": ("follower", "docs/runbooks/WireGuardFollowerDown.md"),
}


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


def judge_scraped(prometheus: Part) -> Iterator[Finding]:
    """As far as a Prometheus sees receivers and followers."""
    targets = prometheus.body("targets")
    for one in [] if targets is None else targets["data"]["activeTargets"]:
        job = one["labels"].get("job")
        if job in SCRAPED and one["health"] == "down":
            what, runbook = SCRAPED[job]
            yield warning(
                f"{what} {one['labels'].get('instance')} is not scraped: {one['lastError']}", runbook
            )
    found = prometheus.body("followers")
    said = [] if found is None else found["data"]["result"]
    live = {one["metric"].get("instance", ""): one["value"][1] != "0" for one in said}
    alone = [name for name, hears in live.items() if not hears]
    if alone:
        yield warning(
            f"followers do not hear the receiver: {some(sorted(alone))}",
            "docs/runbooks/WireGuardFollowerAlone.md",
        )
    elif live:
        yield ok(f"the receiver is heard by the followers {some(sorted(live))}")

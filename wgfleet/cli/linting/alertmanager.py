"""Whether Alertmanager tells the receiver everything, at once, worker by worker, and goes on to people."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from wgfleet.cli.alerting import LONGEST_REPEAT
from wgfleet.cli.linting.facts import Facts
from wgfleet.cli.linting.reading import Field, Finding
from wgfleet.cli.linting.routing import Way, every_route, matchers_of, ways
from wgfleet.cli.linting.shapes import FileKind
from wgfleet.cli.probing import ALERT_LIFETIME, BLIND_AFTER, duration_text

WEBHOOK = "/v1/alerts"
"""Where the receiver takes alerts."""

PORT = 9587
"""The receiver's port, where nobody chose another."""

TOKEN = "Alertmanager's token (type: Bearer, credentials_file: …): the receiver refuses who has none"  # noqa: S105  # A text.

ALERTS: Mapping[str, Mapping[str, str]] = {
    "WireGuardWorkerDown": {"severity": "critical", "action": "failover", "worker": "a"},
    "WireGuardWorkerDegraded": {"severity": "critical", "action": "failover", "worker": "a"},
    "WireGuardWorkerUp": {"severity": "none", "action": "admit", "worker": "a"},
    "WireGuardWorkerOverloaded": {"severity": "warning", "action": "spare", "worker": "a"},
    "WireGuardVantageBlind": {"severity": "critical", "action": "hold"},
    "Watchdog": {"severity": "none", "action": "watchdog"},
}
"""The alerts that the receiver acts upon."""

FOR_PEOPLE = frozenset({"WireGuardWorkerDown", "WireGuardWorkerDegraded", "WireGuardVantageBlind"})
NOT_FOR_PEOPLE = frozenset({"WireGuardWorkerUp", "Watchdog"})


def check_alertmanager(facts: Facts) -> Iterator[Finding]:
    """Everything about Alertmanager's file."""
    for file in facts.files(FileKind.ALERTMANAGER):
        yield from _check_receivers(file)
        route = file.get("route")
        if route is None:
            yield file.absent("route", "a route to the receiver")
            continue
        yield from _check_names(file, route)
        try:
            yield from dict.fromkeys(_check_routes(file, route, facts.probe_interval))
        except re.error as fault:
            yield route.error(f"matchers with regular expressions that are some: {fault}", "not readable")


def _check_receivers(file: Field) -> Iterator[Finding]:
    if not _ours(file):
        yield (file.get("receivers") or file).error(
            f"a webhook_configs with the receiver's url, as http://127.0.0.1:{PORT}{WEBHOOK}",
            f"without any {WEBHOOK}",
        )
    for receiver in file.each("receivers"):
        for webhook in receiver.each("webhook_configs"):
            url = webhook.get("url")
            if url is None or url.text is None:
                continue
            if _path(url) == WEBHOOK:
                yield from _check_webhook(webhook)
            elif _port(url) == PORT or _path(url).startswith(WEBHOOK):
                yield url.error(
                    f"one that ends in {WEBHOOK}, where the receiver takes alerts", _without_secrets(url)
                )


def _check_webhook(webhook: Field) -> Iterator[Finding]:
    resolved, most = webhook.get("send_resolved"), webhook.get("max_alerts")
    if resolved is not None and resolved.text == "false":
        yield resolved.error("true: the receiver must hear that a Down has ended before an Up counts")
    if most is not None and most.text not in {"0", None}:
        yield most.error("0: a worker that is cut off the list is a worker that nobody leaves")
    authorization = webhook.get("http_config", "authorization")
    known = authorization or webhook.get("http_config", "bearer_token_file")
    if known is None:
        yield webhook.absent("http_config.authorization", TOKEN)
    elif (
        authorization is not None
        and not {"credentials", "credentials_file"} & dict(authorization.pairs).keys()
    ):
        yield authorization.absent("credentials_file", TOKEN)


def _check_names(file: Field, route: Field) -> Iterator[Finding]:
    known = {receiver.word("name") for receiver in file.each("receivers")}
    if route.get("receiver") is None:
        yield route.absent("receiver", f"one of {', '.join(sorted(known))}: Alertmanager refuses the file")
    for one in every_route(route):
        named = one.get("receiver")
        if named is not None and named.text not in known:
            yield named.error(f"one of {', '.join(sorted(known))}: Alertmanager refuses the file")


def _check_routes(file: Field, route: Field, interval: timedelta) -> Iterator[Finding]:
    ours = _ours(file)
    if not ours:  # Said already.
        return
    for name, labels in ALERTS.items():
        alert = {"alertname": name, **labels}
        taken = list(ways(route, alert))
        told = [way for way in taken if way.receiver in ours]
        if not told:
            yield _last(taken, route).error(
                f"one that sends {name} to {' or '.join(sorted(ours))}: above it, or with continue: true here",
                f"the route that ends the way of {name}",
            )
        yield from _check_people(name, taken, told, ours)
        for way in told:
            yield from _check_delay(way)
            if labels["action"] == "watchdog":
                yield from _check_heartbeat(way)
            else:
                yield from _check_times(way, interval)
        yield from _check_inhibition(file, alert)


def _check_people(name: str, taken: list[Way], told: list[Way], ours: frozenset[str]) -> Iterator[Finding]:
    others = [way for way in taken if way.receiver not in ours]
    if name in FOR_PEOPLE and told and not others:
        last = told[-1].route
        if last.word("continue") != "true":
            yield last.absent(
                "continue", "true: no person hears of a dead worker or a blind vantage, which end here"
            )
    if name in NOT_FOR_PEOPLE:
        for way in others:
            yield way.route.error(
                f'a matcher that leaves {name} out, as action!~"admit|watchdog": it fires all the time while all is well',
                f"the way of {name} to {way.receiver!r}",
            )


def _check_times(way: Way, interval: timedelta) -> Iterator[Finding]:
    by, where = way.group_by
    missing = {"alertname", "worker"} - by
    if missing and "..." not in by:
        expected = "[alertname, worker]: in a group of many, the second worker to die waits for the group's next turn"
        yield (
            where.error(expected, f"[{', '.join(sorted(by))}]")
            if by
            else where.absent("group_by", expected, "[] (by default)")
        )
    turn, repeat = _known(way.group_interval.duration), _known(way.repeat_interval.duration)
    if not timedelta() < turn <= interval:
        yield way.group_interval.error(
            f"more than 0s and {duration_text(interval)} at most, one probe interval: a worker that fails again waits for it"
        )
    if not timedelta() < repeat <= LONGEST_REPEAT:
        yield way.repeat_interval.error(
            f"more than 0s and {duration_text(LONGEST_REPEAT)} at most: one lost message must be made good"
        )
    elif turn <= interval and repeat + turn >= ALERT_LIFETIME:
        yield way.repeat_interval.error(
            f"less than {duration_text(ALERT_LIFETIME)} together with group_interval, {way.group_interval.value}: "
            "Alertmanager repeats at its turns only, and the receiver forgets what it has not heard for so long"
        )


def _check_heartbeat(way: Way) -> Iterator[Finding]:
    turn, repeat = _known(way.group_interval.duration), _known(way.repeat_interval.duration)
    if not (turn > timedelta() and repeat > timedelta()):
        yield (way.repeat_interval if turn else way.group_interval).error(
            "more than 0s: Alertmanager refuses the file"
        )
        return
    # Alertmanager repeats at the first turn after repeat_interval is over.
    beat = (repeat // turn + 1) * turn
    if 2 * beat > BLIND_AFTER:
        worse = way.repeat_interval if repeat >= turn else way.group_interval
        yield worse.error(
            f"so short that the Watchdog comes every {duration_text(BLIND_AFTER / 2)} (it comes every "
            f"{duration_text(beat)}): the receiver is blind {duration_text(BLIND_AFTER)} after the last, and one may be lost"
        )


def _check_delay(way: Way) -> Iterator[Finding]:
    if _known(way.group_wait.duration) > timedelta():
        yield way.group_wait.error("0s: Prometheus has already waited for several failed probes")
    for key in ("mute_time_intervals", "active_time_intervals"):
        muted = way.route.get(key)
        if muted is not None and muted.items:
            yield muted.error("none on the receiver's route: a worker dies at any time")


def _check_inhibition(file: Field, alert: Mapping[str, str]) -> Iterator[Finding]:
    for rule in file.each("inhibit_rules"):
        if all(matcher.fits(alert) for matcher in matchers_of(rule, "target_")):
            yield rule.warning(
                'a target that leaves out what has an action, as action="": the receiver would hear it from the list alone',
                f"an inhibition of {alert['alertname']}",
            )


def _ours(file: Field) -> frozenset[str]:
    return frozenset(
        receiver.word("name")
        for receiver in file.each("receivers")
        for webhook in receiver.each("webhook_configs")
        if (url := webhook.get("url")) is not None and _path(url) == WEBHOOK
    )


def _last(taken: list[Way], route: Field) -> Field:
    return taken[-1].route if taken else route


def _known(duration: timedelta | None) -> timedelta:
    return timedelta() if duration is None else duration


def _path(url: Field) -> str:
    try:
        return urlsplit(url.text or "").path.rstrip("/")
    except ValueError:
        return ""


def _port(url: Field) -> int | None:
    try:
        return urlsplit(url.text or "").port
    except ValueError:
        return None


def _without_secrets(url: Field) -> str:
    """Where it leads; a password or a token in it is not repeated."""
    parts = urlsplit(url.text or "")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

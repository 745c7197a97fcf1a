"""How Alertmanager routes an alert: which routes take it, and by what times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wgfleet.cli.linting.promql import Matcher, read_matchers
from wgfleet.cli.linting.reading import Field, Setting, setting

GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = "30s", "5m", "4h"
"""Alertmanager's defaults."""


@dataclass(frozen=True, slots=True)
class Way:
    """A route that takes an alert, below the routes that it inherits from."""

    route: Field
    above: Sequence[Field]
    """The nearest first."""

    @property
    def receiver(self) -> str:
        """Whom the route tells."""
        return setting(self.route, "receiver", "", *self.above).value

    @property
    def group_by(self) -> tuple[frozenset[str], Field]:
        """The labels of a group, and where they are said, or the route."""
        for place in (self.route, *self.above):
            said = place.get("group_by")
            if said is not None and said.items:
                return frozenset(item.text or "" for item in said.items), said
        return frozenset(), self.route

    @property
    def group_wait(self) -> Setting:
        """How long the first alert of a group waits for others."""
        return setting(self.route, "group_wait", GROUP_WAIT, *self.above)

    @property
    def group_interval(self) -> Setting:
        """The group's turns."""
        return setting(self.route, "group_interval", GROUP_INTERVAL, *self.above)

    @property
    def repeat_interval(self) -> Setting:
        """How often the same is said again."""
        return setting(self.route, "repeat_interval", REPEAT_INTERVAL, *self.above)


def ways(route: Field, labels: Mapping[str, str], above: Sequence[Field] = ()) -> Iterator[Way]:
    """The routes that take an alert, in order; what no route below takes, the route itself does.

    Raises:
        re.error: a regular expression in a matcher is none.

    """
    taken = False
    for child in route.each("routes"):
        if all(matcher.fits(labels) for matcher in matchers_of(child)):
            taken = True
            yield from ways(child, labels, (route, *above))
            if child.word("continue") != "true":
                return
    if not taken:
        yield Way(route, above)


def every_route(route: Field) -> Iterator[Field]:
    """The route and all below it."""
    yield route
    for child in route.each("routes"):
        yield from every_route(child)


def matchers_of(route: Field, prefix: str = "") -> tuple[Matcher, ...]:
    """All conditions of a route, or of an inhibition's `source` or `target`, old ways of writing them included."""
    listed = [
        matcher for item in route.each(f"{prefix}matchers") for matcher in read_matchers(item.text or "")
    ]
    plain = route.get(f"{prefix}match")
    regular = route.get(f"{prefix}match_re")
    return (
        *listed,
        *(Matcher(name, "=", value.text or "") for name, value in (plain.pairs if plain else ())),
        *(Matcher(name, "=~", value.text or "") for name, value in (regular.pairs if regular else ())),
    )

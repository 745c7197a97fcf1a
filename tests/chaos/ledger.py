"""What a receiver has answered for, and whether it is still there after it was killed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from failover_receiver.store import SqliteStore
from wgfleet.peerset import TYPE

Number = tuple[int, int]


@dataclass
class Ledger:
    """Kept by those who send: what was answered 2xx counts, what was not answered may or may not have happened."""

    answered: int = 0
    alerts: dict[str, float] = field(default_factory=dict)
    """When each alert began, by its fingerprint, as it was last answered for."""
    workers: dict[str, bool | None] = field(default_factory=dict)
    """Whether each is there; None: it was not answered."""
    tokens: dict[str, bool | None] = field(default_factory=dict)
    """Likewise."""
    events: set[tuple[str, int]] = field(default_factory=set)
    """The worker and the generation of each decision."""
    number: Number = (0, 0)
    """The highest that was answered or shown."""
    shown: dict[Number, str] = field(default_factory=dict)
    """Every document that a watcher got."""
    last_shown: Number = (0, 0)
    rolled_back: list[str] = field(default_factory=list)

    def reached(self, number: Number) -> None:
        """A receiver said that it has come to this number."""
        self.answered += 1
        self.number = max(self.number, number)

    def saw(self, number: Number, document: str) -> None:
        """A watcher got a document."""
        if number < self.last_shown:
            self.rolled_back.append(f"{number} was shown after {self.last_shown}")
        if self.shown.setdefault(number, document) != document:
            self.rolled_back.append(f"{number} was shown with other bytes")
        self.last_shown = number
        self.number = max(self.number, number)

    def lost(self, store: SqliteStore) -> Iterator[str]:
        """What was answered for and is not in the store of the receiver that was killed."""
        state = store.load()
        if state is None:
            yield "the state"
            return
        for key, begun in self.alerts.items():
            kept = state.alerts.get(key)
            if kept is None or kept.starts_at < begun - 1e-6:  # The wire has microseconds.
                yield f"alert {key} that began at {begun}: {kept}"
        for what, wanted, there in (
            ("worker", self.workers, set(state.workers)),
            ("token", self.tokens, {token.name for token in store.tokens.all()}),
        ):
            for name, is_there in wanted.items():
                if is_there is not None and (name in there) != is_there:
                    yield f"{what} {name}, which should {'' if is_there else 'not '}be there"
        kept_events = {(event.subject, event.generation) for event in store.events(1_000_000)}
        yield from (
            f"the decision on {name} of generation {number}" for name, number in self.events - kept_events
        )

    def check_number(self, store: SqliteStore) -> None:
        """The store is not behind what anybody has seen, and holds no other document under a number that was seen."""
        state, document = store.load(), store.document(TYPE)
        if state is None or document is None:
            return
        number = (state.epoch, state.generation)
        if number < self.number:
            self.rolled_back.append(f"the store is at {number}, {self.number} was seen")
        shown = self.shown.get((document.epoch, document.generation))
        if shown is not None and shown != document.body.decode():
            self.rolled_back.append(f"the store has other bytes for {number} than were shown")

"""A story that checks, at every step of the core, all that must always hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

from failover_receiver.core import choose, next_deadline, step
from failover_receiver.state import (
    AlertsDelivered,
    AlertsRead,
    Decided,
    DrainWished,
    Effect,
    Event,
    Publish,
    Reason,
    RefusedError,
    State,
    Tick,
    Worker,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
)
from tests.failover_receiver.evidence import Evidence
from tests.failover_receiver.story import Story
from wgfleet.peerset import Monitoring, WorkerState

USABLE = frozenset({WorkerState.SERVING, WorkerState.SUSPECT})
KEEPER = TypeAdapter(State)


@dataclass
class Watched(Story):
    """Breaks with an AssertionError at the first step that must not be."""

    kept: bytes = KEEPER.dump_json(State(fleet="story"))
    """What is on the disk."""
    heard: list[AlertsDelivered] = field(default_factory=list)
    """Every webhook so far."""

    def __post_init__(self) -> None:
        """Begin without evidence."""
        self.evidence = Evidence(self.policy)

    def take(self, event: Event) -> None:
        """Let the core decide, and check what it decided."""
        if isinstance(event, AlertsRead):  # As alerts.py does: nothing is heard in the future.
            known = tuple(replace(one, seen_at=min(one.seen_at, self.now)) for one in event.alerts)
            event = replace(event, alerts=known)
        if isinstance(event, AlertsDelivered):
            self.heard.append(event)
        before = with_mappings(MappingProxyType, self.state)
        try:
            after, effects = self._step(before, event)
        except RefusedError:
            assert not isinstance(event, Tick | AlertsDelivered | AlertsRead), "only operators are refused"
            return
        finally:
            assert before == self.state, "the state that was given is as it was"
        for name, worker in before.workers.items():
            if name not in after.workers or after.workers[name].spec.public_key != worker.spec.public_key:
                self.evidence.gone(name)
        self.evidence.hear(event, self.now)
        self._order_means_nothing(event, before, (after, effects))
        self._settled(event, after)
        live = after.monitoring is Monitoring.LIVE
        assert live == self.evidence.may_believe(self.now)
        for name, worker in after.workers.items():
            if name in before.workers and getattr(event, "name", None) != name:
                self._worker(name, before.workers[name], worker, frozen=not live)
        self._published(event, before, after)
        self.state = with_mappings(dict, after)
        self._told(before, effects)

    def restart(self, *, forgetting: bool = True) -> None:
        """Stop and start with what is on the disk; possibly all that it says of the time is old."""
        loaded = KEEPER.validate_json(self.kept)
        assert (loaded.workers, loaded.published) == (self.state.workers, self.state.published)
        self.state = forgetful(loaded) if forgetting else loaded
        self.evidence.restarted(self.state)
        if self.readings:
            self._read()
        self.take(Tick())

    def _step(self, state: State, event: Event) -> tuple[State, tuple[Effect, ...]]:
        return step(state, event, now=self.now, policy=self.policy)

    def _order_means_nothing(
        self, event: Event, before: State, outcome: tuple[State, tuple[Effect, ...]]
    ) -> None:
        if isinstance(event, AlertsDelivered | AlertsRead):
            doubled = replace(event, alerts=(*reversed(event.alerts), *event.alerts))
            assert self._step(before, doubled) == outcome, "neither the order in a batch nor doubles count"
            again, effects = self._step(outcome[0], event)
            assert decided(again) == decided(outcome[0]), "the same again changes nothing"
            assert not any(isinstance(effect, Decided | Publish) for effect in effects)

    def _settled(self, event: Event, after: State) -> None:
        assert self._step(after, Tick()) == (after, ()), f"nothing is left to decide after {event}"
        deadline = next_deadline(after, self.policy, now=self.now)
        assert deadline is None or deadline > self.now

    def _worker(self, name: str, was: Worker, is_now: Worker, *, frozen: bool) -> None:
        """What no operator has touched changes by an alert that fires, and by nothing else."""
        if frozen:
            assert is_now == replace(was, up_since=is_now.up_since), "nothing moves while blind or held"
        if was.proven:
            assert is_now.proven
        failing, failed = is_out(was), is_out(is_now)
        if failed and not failing:
            assert self.evidence.may_fail(name, self.now), f"no alert takes {name} out"
            window = self.now - self.policy.flap_window
            assert is_now.failures == (*(at for at in was.failures if window <= at <= self.now), self.now)
        returned = (failing and not failed) or (was.failed_at is not None and is_now.failed_at is None)
        if returned:
            assert self.evidence.may_return(name, self.now), f"no alert lets {name} in"
        if is_now.proven and not was.proven:
            assert self.evidence.heard_up(name, self.now), f"{name} was never up"
        if was.failed_at is not None and is_now.failed_at is None:
            assert was.up_since is not None, "it was not held down at all"
            assert self.now - was.up_since >= min(self.policy.hold_down, self.policy.hold_down_max)
        assert (was.drain, was.banned, was.spec) == (is_now.drain, is_now.banned, is_now.spec)

    def _published(self, event: Event, before: State, after: State) -> None:
        """The states are those of the facts, and enough of them are usable."""
        chosen = choose(after.workers, self.policy)
        turned = dict(reversed(list(after.workers.items())))
        assert choose(turned, self.policy) == chosen, "facts alone choose, not their order"
        assert {one.name: (one.state, one.reason) for one in after.published} == chosen
        may_serve = {n for n, w in after.workers.items() if w.proven and not w.drain and not w.banned}
        well = {name for name in may_serve if after.workers[name].failed_at is None}
        assert named(after, WorkerState.SERVING) == well
        enough = len(well) >= max(1.0, self.policy.least_serving * len(may_serve))
        assert named(after, WorkerState.SUSPECT) == (set() if enough else may_serve - well)
        banned = {name for name, worker in after.workers.items() if worker.banned}
        assert named(after, WorkerState.BANNED) == banned
        down = {name for name, worker in after.workers.items() if is_out(worker)}
        assert named(after, WorkerState.DOWN) == down - banned - named(after, WorkerState.SUSPECT)
        assert all(one.reason in set(Reason) for one in after.published)
        empties = isinstance(event, WorkerRemoved | DrainWished | WorkerBanned) or (
            isinstance(event, WorkerRegistered) and event.new_key
        )
        if named(before, *USABLE) and not empties:
            assert named(after, *USABLE), "only an operator empties what may be used"

    def _told(self, before: State, effects: tuple[Effect, ...]) -> None:
        """Each change is told, kept and published under a number of its own."""
        after = self.state
        documents = [effect.peer_set for effect in effects if isinstance(effect, Publish)]
        decided = {effect.worker: effect for effect in effects if isinstance(effect, Decided)}
        was, is_now = states(before), states(after)
        old = {worker.name: worker for worker in before.published}
        new = {worker.name: worker for worker in after.published}
        assert {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} == decided.keys()
        for name, one in decided.items():
            assert one.before == was.get(name, (None, ""))[0]
            told = is_now.get(name, (None, "removed"))
            assert (one.after, one.reason) == ((told[0], "changed") if was.get(name) == told else told)
        since = {name: before.since.get(name) for name in is_now}
        since |= {name: self.now for name, one in decided.items() if one.after and one.reason != "changed"}
        assert after.since == since, "it counts from when the state or its reason changed"
        if documents:
            assert isinstance(effects[-1], Publish)
            (said,) = documents
            assert (said.epoch, said.generation) == (after.epoch, after.generation)
            assert said.number > max(self.documents, default=(0, 0)), "numbers only rise"
            assert (said.workers, said.monitoring) == (after.published, after.monitoring)
            assert said.issued_at == after.issued_at == self.now
            assert said.fresh_until == self.now + self.policy.fresh_for
            self.documents[said.number] = said.to_bytes()
        else:
            assert after.published == before.published
            assert after.monitoring is before.monitoring
            assert after.generation == before.generation
        if effects:
            self.kept = KEEPER.dump_json(after)
        kept = KEEPER.validate_json(self.kept)
        assert forgetful(kept) == forgetful(after), "what is not kept comes again by itself"


def is_out(worker: Worker) -> bool:
    """An alert has taken it out, and none has spoken for it since."""
    return worker.failed_at is not None and worker.up_since is None


def states(state: State) -> Mapping[str, tuple[WorkerState, str]]:
    """What is published of each worker."""
    return {worker.name: (worker.state, worker.reason) for worker in state.published}


def named(state: State, *which: WorkerState) -> set[str]:
    """The workers that are published so."""
    return {worker.name for worker in state.published if worker.state in which}


def decided(state: State) -> tuple[object, ...]:
    """The state but for what was heard."""
    return state.workers, state.monitoring, state.published, state.epoch, state.generation, state.issued_at


def forgetful(state: State) -> State:
    """The state without the times at which things were last heard."""
    alerts = {key: replace(alert, heard_at=0.0) for key, alert in state.alerts.items()}
    return replace(state, alerts=alerts, read_at=0.0)


def with_mappings(kind: Callable[[Mapping[str, Any]], Mapping[str, Any]], state: State) -> State:
    """The same state with mappings of this kind: a read-only one shows who writes to what is not his."""
    return replace(state, workers=kind(state.workers), alerts=kind(state.alerts))

"""A story that checks, at every step of the core, all that must always hold."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter

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
    WorkerAdmitted,
    WorkerBanned,
    WorkerRegistered,
    WorkerRemoved,
)
from tests.failover_receiver.evidence import Evidence
from tests.failover_receiver.invariants import BrokenError, Invariant, Tally
from tests.failover_receiver.story import Story
from wgfleet.peerset import Monitoring, PeerSet, WorkerState

USABLE = frozenset({WorkerState.SERVING, WorkerState.SUSPECT})
KEEPER = TypeAdapter(State)
Outcome = tuple[State, tuple[Effect, ...]]


@dataclass
class Watched(Story):
    """Breaks with a BrokenError at the first step that must not be."""

    kept: bytes = KEEPER.dump_json(State(fleet="story"))
    """What is on the disk."""
    heard: list[AlertsDelivered] = field(default_factory=list)
    """Every webhook so far."""
    tally: Tally = field(default_factory=Tally)
    taken: int = 0
    """Events so far."""

    def __post_init__(self) -> None:
        """Begin without evidence."""
        self.evidence = Evidence(self.policy)
        self.must = self.tally.must
        self.lasting = forgetful(self.state)

    def take(self, event: Event) -> None:
        """Let the core decide, and check what it decided."""
        try:
            self._take(event)
        except BrokenError as error:
            error.add_note(f"after {event} at {self.now:g}")
            raise

    def _take(self, event: Event) -> None:
        self.taken += 1
        if isinstance(event, AlertsRead):  # As alerts.py does: nothing is heard in the future.
            known = tuple(replace(one, seen_at=min(one.seen_at, self.now)) for one in event.alerts)
            event = replace(event, alerts=known)
        if isinstance(event, AlertsDelivered):
            self.heard.append(event)
        before = with_mappings(MappingProxyType, self.state)
        outcome = self._decided(event, before)
        if outcome is None:
            return
        after, effects = outcome
        for name, worker in before.workers.items():
            if name not in after.workers or after.workers[name].spec.public_key != worker.spec.public_key:
                self.evidence.gone(name)
        self.evidence.hear(event, self.now)
        self._the_same(event, before, outcome)
        self._settled(after)
        live = after.monitoring is Monitoring.LIVE
        self.must(Invariant.MOVED, live == self.evidence.may_believe(self.now), "blind without cause, or not")
        for name, worker in after.workers.items():
            if name in before.workers and getattr(event, "name", None) != name:
                self._worker(name, before.workers[name], worker, frozen=not live)
        if live:
            self._outranked(after)
        self._usable(event, before, after)
        self._reasons(after, live=live)
        self.state = with_mappings(dict, after)
        self._told(before, effects)

    def restart(self, *, forgetting: bool = True) -> None:
        """Stop and start with what is on the disk; possibly all that it says of the time is old."""
        loaded = KEEPER.validate_json(self.kept)
        lasted = (loaded.workers, loaded.published) == (self.state.workers, self.state.published)
        self.must(Invariant.DOCUMENTS, lasted, "a restart moves nobody")
        self.state = forgetful(loaded) if forgetting else loaded
        self.evidence.restarted(self.state)
        if self.readings:
            self._read()
        self.take(Tick())

    def tick(self, state: State, at: float | None = None) -> Outcome:
        """What a deadline would bring."""
        return self.core.step(state, Tick(), now=self.now if at is None else at, policy=self.policy)

    def _step(self, state: State, event: Event) -> Outcome:
        return self.core.step(state, event, now=self.now, policy=self.policy)

    def _decided(self, event: Event, before: State) -> Outcome | None:
        """The outcome; None if it was refused, for a good reason and without any other effect."""
        refusable = self._refusable(event, before)
        try:
            outcome = self._step(before, event)
        except RefusedError as error:
            self.must(Invariant.REFUSED, refusable, f"refused for no reason: {error}")
            self.must(Invariant.REFUSED, before == self.state, "a refused command changes nothing")
            return None
        except (
            TypeError,
            AttributeError,
        ) as error:  # It wrote to what it was given, which is read-only here.
            raise BrokenError(Invariant.REFUSED, f"it writes to the state: {error}") from error
        self.must(Invariant.REFUSED, not refusable, "it was not refused")
        self.must(Invariant.REFUSED, before == self.state, "the state that was given is as it was")
        return outcome

    def _refusable(self, event: Event, before: State) -> bool:
        """Whether an operator's command cannot be carried out. Alerts and deadlines are never refused."""
        match event:
            case WorkerRegistered(name, spec, new_key):
                keys = {worker.spec.public_key: other for other, worker in before.workers.items()}
                known = before.workers.get(name)
                unlike = known is not None and known.spec.public_key != spec.public_key
                return keys.get(spec.public_key, name) != name or (unlike and not new_key)
            case WorkerAdmitted(name, force) if name in before.workers:
                fires = self.evidence.may_fail(name, self.now)
                return before.workers[name].banned or (fires and not force)
            case DrainWished(name, drain, own=True) if name in before.workers:
                worker = before.workers[name]
                alone = not named(before, *USABLE) - {name}
                return alone and not worker.drain if drain else worker.drain and not worker.drain_own
            case WorkerAdmitted(name) | WorkerRemoved(name) | DrainWished(name) | WorkerBanned(name):
                return name not in before.workers
        return False

    def _the_same(self, event: Event, before: State, outcome: Outcome) -> None:
        if not isinstance(event, AlertsDelivered | AlertsRead):
            return
        doubled = replace(event, alerts=(*reversed(event.alerts), *event.alerts))
        same = self._step(before, doubled) == outcome
        self.must(Invariant.SAME, same, "neither the order in a batch nor doubles count")
        again, effects = self._step(outcome[0], event)
        silent = not any(isinstance(effect, Decided | Publish) for effect in effects)
        self.must(Invariant.SAME, silent and decided(again) == decided(outcome[0]), "the same again")
        if isinstance(event, AlertsDelivered) and len(event.alerts) > 1:
            self._piecemeal(event, before)

    def _piecemeal(self, event: AlertsDelivered, before: State) -> None:
        """In one batch or one after the other: what it comes to is the same."""
        begun, _ = self.tick(before)
        whole, _ = self._step(begun, event)
        if begun.monitoring is not whole.monitoring:
            return  # It is what makes the difference: while blind, nothing moves.
        first = tuple(one for one in event.alerts if one.worker is None)
        rest = sorted({one.fingerprint for one in event.alerts if one.worker is not None}, reverse=True)
        parts = [first, *(tuple(one for one in event.alerts if one.fingerprint == key) for key in rest)]
        state = begun
        for part in parts:
            state, _ = self._step(state, AlertsDelivered(part))
        self.must(Invariant.SAME, standing(state) == standing(whole), "in pieces, a batch is another")

    def _settled(self, after: State) -> None:
        unmoved = self.tick(after) == (after, ())
        self.must(Invariant.SETTLED, unmoved, "something is left to decide")
        deadline = self.core.next_deadline(after, self.policy, now=self.now)
        ahead = deadline is not None and deadline > self.now
        self.must(Invariant.SETTLED, ahead, "a deadline is ahead: a document is refreshed at last")
        if deadline is not None:
            _, effects = self.tick(after, max(self.now, math.nextafter(deadline, 0.0)))
            early = any(isinstance(effect, Decided | Publish) for effect in effects)
            self.must(Invariant.SETTLED, not early, f"something was due before {deadline}")

    def _worker(self, name: str, was: Worker, is_now: Worker, *, frozen: bool) -> None:
        """What no operator has touched changes by an alert that fires, and by nothing else."""
        if frozen:
            stays = is_now == replace(was, up_since=is_now.up_since)
            self.must(Invariant.MOVED, stays, "nothing moves while blind or held")
        failing, failed = is_out(was), is_out(is_now)
        if failed and not failing:
            # Of one that was not in again yet, the recovery may prove to have been none.
            fails, same = self.evidence.may_fail(name, self.now), was.failures == is_now.failures
            none = was.failed_at is not None and same and self.evidence.may_take_back(name, self.now)
            self.must(Invariant.MOVED, fails or none, f"no alert takes {name} out")
            window = self.now - self.policy.flap_window
            counted = (*(at for at in was.failures if window <= at <= self.now), self.now)
            again = was.up_since is not None and is_now.failures == was.failures
            self.must(
                Invariant.MOVED, again or is_now.failures == counted, f"a failure of {name} is miscounted"
            )
        if (failing and not failed) or (was.failed_at is not None and is_now.failed_at is None):
            self.must(Invariant.MOVED, self.evidence.may_return(name, self.now), f"no alert lets {name} in")
        if is_now.proven and not was.proven:
            self.must(Invariant.MOVED, self.evidence.heard_up(name, self.now), f"{name} was never up")
        if was.failed_at is not None and is_now.failed_at is None:
            held = was.up_since is not None and self.now >= was.up_since + self._hold_down(was)
            self.must(Invariant.MOVED, held, f"{name} was not held down for long enough")
        untouched = wishes(was) == wishes(is_now)
        self.must(Invariant.MOVED, untouched and is_now.proven >= was.proven, "wishes are the operator's")

    def _outranked(self, after: State) -> None:
        """A Down that fires outranks any Up, whatever came last."""
        for name, worker in after.workers.items():
            fails = self.evidence.may_fail(name, self.now)
            self.must(Invariant.MOVED, is_out(worker) or not fails, f"{name} should be out")
            recovering = worker.failed_at is not None and worker.up_since is not None
            none = recovering and self.evidence.may_take_back(name, self.now)
            self.must(Invariant.MOVED, not none, f"{name} was not heard up since it was down")

    def _hold_down(self, worker: Worker) -> float:
        seconds = self.policy.hold_down
        for _ in worker.failures[1:]:
            seconds = min(seconds * self.policy.hold_down_factor, self.policy.hold_down_max)
        return min(seconds, self.policy.hold_down_max)

    def _usable(self, event: Event, before: State, after: State) -> None:
        """The states are those of the facts, and enough of them are usable."""
        chosen = self.core.choose(after.workers, self.policy)
        turned = dict(reversed(list(after.workers.items())))
        unordered = self.core.choose(turned, self.policy) == chosen
        self.must(Invariant.USABLE, unordered, "facts alone choose, not their order")
        may_serve = {n for n, w in after.workers.items() if w.proven and not w.drain and not w.banned}
        well = {name for name in may_serve if after.workers[name].failed_at is None}
        enough = len(well) >= max(1.0, self.policy.least_serving * len(may_serve))
        suspect = set() if enough else may_serve - well
        banned = {name for name, worker in after.workers.items() if worker.banned}
        down = {name for name, worker in after.workers.items() if is_out(worker)} - banned - suspect
        self.must(Invariant.USABLE, named(after, WorkerState.SERVING) == well, f"{well} should serve")
        self.must(Invariant.USABLE, named(after, WorkerState.SUSPECT) == suspect, f"{suspect}: suspect")
        self.must(Invariant.USABLE, named(after, WorkerState.BANNED) == banned, f"{banned}: banned")
        self.must(Invariant.USABLE, named(after, WorkerState.DOWN) == down, f"{down}: down")
        empties = (
            isinstance(event, WorkerRemoved | WorkerBanned)
            or (isinstance(event, DrainWished) and not event.own)
            or (isinstance(event, WorkerRegistered) and event.new_key)
        )
        if named(before, *USABLE) and not empties:
            self.must(Invariant.USABLE, named(after, *USABLE), "only an operator empties what may be used")

    def _reasons(self, after: State, *, live: bool) -> None:
        """Each published state has a reason that is true."""
        for one in after.published:
            worker = after.workers[one.name]
            self.must(
                Invariant.TOLD,
                one.reason in reasons(worker, one.state),
                f"{one.name}: {one.reason} is not the reason",
            )
            spared = self.evidence.spared(one.name, self.now) and one.state is WorkerState.SERVING
            self.must(Invariant.TOLD, spared == (one.reason == Reason.OVERLOADED), f"{one.name}: overloaded?")
            weight = max(1, worker.spec.weight // 4) if spared else worker.spec.weight
            self.must(Invariant.TOLD, one.weight == weight, f"{one.name} has the weight {one.weight}")
            if live:
                monitored = self.evidence.monitored(one.name, self.now)
                self.must(Invariant.TOLD, one.monitored == monitored, f"{one.name}: monitored?")

    def _told(self, before: State, effects: tuple[Effect, ...]) -> None:
        """Each change is told, kept and published under a number of its own."""
        after = self.state
        documents = [effect.peer_set for effect in effects if isinstance(effect, Publish)]
        changes = {effect.worker: effect for effect in effects if isinstance(effect, Decided)}
        was, is_now = states(before), states(after)
        old = {worker.name: worker for worker in before.published}
        new = {worker.name: worker for worker in after.published}
        other = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        self.must(Invariant.TOLD, other == changes.keys(), f"{other} changed, {changes.keys()} were told")
        for name, one in changes.items():
            stayed = was.get(name) == is_now.get(name)
            why = (
                {"changed", "monitored", "unmonitored"} if stayed else {is_now.get(name, ("", "removed"))[1]}
            )
            said = (one.before, one.after) == (was.get(name, (None,))[0], is_now.get(name, (None,))[0])
            self.must(
                Invariant.TOLD, said and one.reason in why, f"{one.worker}: {one.reason} is not what happened"
            )
        since = {n: before.since[n] if was.get(n) == is_now[n] else self.now for n in is_now}
        self.must(Invariant.TOLD, after.since == since, "it counts from when the state or its reason changed")
        if documents:
            self._documents(documents, effects)
        else:
            same = (after.published, after.monitoring, after.generation)
            same_as_before = same == (before.published, before.monitoring, before.generation)
            self.must(Invariant.DOCUMENTS, same_as_before, "what is not published does not change")
        if effects:
            self.kept = KEEPER.dump_json(after)
            self.lasting = forgetful(KEEPER.validate_json(self.kept))
        lasts = self.lasting == forgetful(after)
        self.must(Invariant.DOCUMENTS, lasts, "what is not kept comes again by itself")

    def _documents(self, documents: list[PeerSet], effects: tuple[Effect, ...]) -> None:
        after, said = self.state, documents[0]
        last = len(documents) == 1 and isinstance(effects[-1], Publish)
        self.must(Invariant.DOCUMENTS, last, "one document, after all that led to it")
        rises = said.number > max(self.documents, default=(0, 0))
        self.must(Invariant.DOCUMENTS, rises, f"{said.number}: numbers only rise")
        told = (said.number, said.workers, said.monitoring, said.issued_at, said.fresh_until)
        number = after.epoch, after.generation
        meant = (number, after.published, after.monitoring, self.now, self.now + self.policy.fresh_for)
        self.must(Invariant.DOCUMENTS, told == meant, "it says what was decided")
        self.must(Invariant.DOCUMENTS, after.issued_at == self.now, "it says when")
        self.documents[said.number] = said.to_bytes()


def wishes(worker: Worker) -> object:
    """What no alert changes."""
    return worker.drain, worker.drain_own, worker.banned, worker.spec


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


def standing(state: State) -> object:
    """What all that was heard comes to. Which of two failures is named depends on which ended last."""
    facts = {
        name: (worker.proven, worker.failed_at is not None, worker.up_since is not None, worker.monitored)
        for name, worker in state.workers.items()
    }
    return facts, state.monitoring, [(one.name, one.state, one.weight) for one in state.published]


def reasons(worker: Worker, state: WorkerState) -> frozenset[Reason]:
    """Why a worker may be published so."""
    match state:
        case WorkerState.BANNED:
            return frozenset({Reason.BANNED})
        case WorkerState.SUSPECT:
            return frozenset({Reason.TOO_MANY_DOWN})
        case WorkerState.DOWN:
            return frozenset({Reason.WORKER_DEGRADED if worker.degraded else Reason.WORKER_DOWN})
        case WorkerState.DRAINING:
            return frozenset({Reason.DRAINED_ITSELF if worker.drain_own else Reason.DRAINED})
        case WorkerState.JOINING:
            return frozenset({Reason.HOLD_DOWN if worker.failed_at is not None else Reason.REGISTERED})
        case WorkerState.SERVING:
            return frozenset({Reason.ADMITTED if worker.admitted else Reason.UP, Reason.OVERLOADED})

"""What the daemon's core holds in every story, however wild: random documents, answers, silences, readings and waits."""

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from client_sync.core import next_deadline, step
from client_sync.liveness import LEAST_PATIENCE
from client_sync.state import (
    Answered,
    Configure,
    Effect,
    Event,
    Held,
    Probe,
    Reason,
    Recreate,
    Redirect,
    Settings,
    workers,
)
from tests.client_sync.story import Story
from wgfleet.peerset import PublishedWorker, WorkerState

SETTLED = 20.0
"""Seconds after which all that can follow has followed: a silent standby's session was made anew, however long the pause, and answers slowly."""

Place = tuple[str, str, tuple[str, ...]]


def place(worker: PublishedWorker) -> Place:
    """What makes an answer this worker's own."""
    return worker.name, worker.public_key, worker.endpoints


@dataclass
class WatchedStory(Story):
    """A story that keeps its own books, and looks at each step whether all holds."""

    settings: Settings = field(default_factory=lambda: Settings("laptop-9", recreate_most=4.0))

    answered: dict[Place, float] = field(default_factory=dict)
    sent: dict[tuple[str, float], Place] = field(default_factory=dict)
    """Where each probe went."""
    asked_at: dict[Place, float] = field(default_factory=dict)
    recreated_at: dict[Place, float] = field(default_factory=dict)

    def run(self, command: str) -> None:
        """Carry out one line. No two things happen at the very same time."""
        super().run(command)
        self.wait(0.001)

    def take(self, event: Event) -> None:
        """Decide, and look."""
        before = self.state
        if isinstance(event, Answered):
            self.answered[self.sent[event.worker, event.asked_at]] = self.now
        again = step(before, event, now=self.now, settings=self.settings)
        super().take(event)
        gone = {*map(place, workers(before).values())} - {*map(place, workers(self.state).values())}
        self.recreated_at = {at: when for at, when in self.recreated_at.items() if at not in gone}
        self.asked_at = {at: when for at, when in self.asked_at.items() if at not in gone}
        effects = again[1]

        assert again[0] == self.state, "the same event leads to the same state"
        self._look_at_the_order(effects)
        self._look_at_the_active_one(event, before.active, effects)
        self._look_at_probes(effects)
        self._look_at_the_deadline()

    def _look_at_the_order(self, effects: tuple[Effect, ...]) -> None:
        kinds = [type(effect) for effect in effects]
        configures = kinds.count(Configure)
        assert set(kinds[:configures]) <= {Configure}, "the device is configured before anything is asked"
        for effect, following in zip_longest(effects, effects[1:]):
            if isinstance(effect, Recreate | Redirect):
                assert isinstance(following, Probe), "a session that was made anew is tried at once"
                assert following.worker == effect.worker

    def _look_at_the_active_one(self, event: Event, before: str | None, effects: tuple[Effect, ...]) -> None:
        there, active = workers(self.state), self.state.active
        configured = [effect for effect in effects if isinstance(effect, Configure)]
        moves = [effect for effect in configured if effect.reason is not None]
        assert active is None or there[active].state is not WorkerState.BANNED
        assert self.state.kept is None or self.state.kept.name == active, "only the active one is kept"
        assert not configured or configured[-1].active == active, "the device gets what was decided"
        if isinstance(event, Held):
            before = event.worker if event.worker in there else None
        if active != before:
            assert moves, "nothing moves without a reason"
        for move in moves:
            if move.active is None:
                assert move.reason is Reason.BANNED, "a path is taken away by a ban only"
            elif before is not None:
                answered_at = self.answered[place(there[move.active])]
                assert self.now - answered_at <= self.settings.answer_lifetime
            before = move.active

    def _look_at_probes(self, effects: tuple[Effect, ...]) -> None:
        there = workers(self.state)
        for effect in effects:
            if isinstance(effect, Configure):
                continue
            at = place(there[effect.worker])
            assert there[effect.worker].state is not WorkerState.BANNED, "a banned worker is left alone"
            if isinstance(effect, Redirect):
                assert effect.worker == self.state.active, "a standby's session is made anew"
            elif isinstance(effect, Recreate):
                assert effect.worker != self.state.active, "the active session is never made anew"
                assert self.now - self.recreated_at.get(at, 0.0) >= 2.0 * LEAST_PATIENCE - 1e-9
                self.recreated_at[at] = self.now
            else:
                fast = self.settings.burst_interval - 1e-9
                assert self.now - self.asked_at.get(at, 0.0) >= fast, "nobody is flooded"
                self.sent[effect.worker, effect.asked_at] = at
                self.asked_at[at] = self.now

    def _look_at_the_deadline(self) -> None:
        deadline = next_deadline(self.state, now=self.now, settings=self.settings)
        assert deadline is None or deadline > self.now, "what is due is done"
        late = self.now + 1e6
        assert (next_deadline(self.state, now=late, settings=self.settings) is None) == (deadline is None), (
            "a deadline that was missed still rings"
        )


NAMES = ("w1", "w2", "w3", "w4")


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Any workers, in any order, each in any state and at one of two places."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    states, places = st.sampled_from(list(WorkerState)), st.sampled_from((1, 2))
    return " ".join(["document", *(f"{name}={draw(states)}/endpoint={draw(places)}" for name in names)])


SOME = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(" ".join)
WAITS = st.sampled_from((0.01, 0.02, 0.1, 0.2, 0.49, 0.5, 0.7, 1.0, 1.7, 3.0, 6.0))
COMMANDS = st.one_of(
    documents(),
    st.tuples(st.sampled_from(("answers", "silent", "restarted")), SOME).map(" ".join),
    st.sampled_from([*NAMES, "nobody"]).map("held {}".format),
    st.sampled_from(("traffic flows", "traffic flat", "sleeps 0.3", "sleeps 100")),
    st.tuples(st.just("slow"), st.sampled_from(NAMES), st.sampled_from(("0.02", "0.4", "2"))).map(" ".join),
    st.tuples(st.just("loses"), st.sampled_from(NAMES), st.sampled_from(("1", "2", "3"))).map(" ".join),
    WAITS.map("wait {}".format),
    WAITS.map("wait {}".format),
)
STORIES = st.lists(COMMANDS, max_size=30)


def played(commands: list[str]) -> WatchedStory:
    """The story, looked at from the first step to the last."""
    story = WatchedStory()
    for command in commands:
        story.run(command)
    return story


@settings(deadline=None)
@given(commands=STORIES)
def test_no_story_makes_the_core_break_its_word(commands: list[str]) -> None:
    """Never a banned worker, never a move to one that has not just answered while there is a path, never no path but by a ban,
    never a probe too many or too few, and never another outcome for the same events.
    """
    played(commands)


@settings(deadline=None)
@given(commands=STORIES)
def test_every_standby_is_asked_again_in_the_end(commands: list[str]) -> None:
    """Whatever happened: once all is quiet, each worker that may be used and is not active has its turn."""
    story = played(commands)
    story.run(f"wait {SETTLED}")
    longest = story.settings.standby_interval
    standbys = [
        worker
        for worker in workers(story.state).values()
        if worker.state is not WorkerState.BANNED and worker.name != story.state.active
    ]

    assert [one.name for one in standbys if story.now - story.asked_at[place(one)] > longest] == []


@settings(deadline=None)
@given(commands=STORIES)
def test_there_is_a_path_in_the_end_if_there_can_be_one(commands: list[str]) -> None:
    """Whatever happened: once all is quiet, a client with a worker that it may use has one, and if that is doubted by monitoring
    and silent, no other one answers.
    """
    story = played(commands)
    story.run(f"wait {SETTLED}")
    usable = {
        name: worker
        for name, worker in workers(story.state).items()
        if worker.state is not WorkerState.BANNED
    }
    answering = usable.keys() - story.silent - story.restarted

    assert (story.state.active is None) == (not usable)
    if usable:
        active = usable[cast("str", story.state.active)]
        if active.state in (WorkerState.SUSPECT, WorkerState.DOWN):
            assert active.name in answering or not answering


@settings(deadline=None)
@given(commands=STORIES)
def test_a_worker_that_serves_and_answers_is_used_in_the_end(commands: list[str]) -> None:
    """Whatever happened: once all is quiet, nobody stays with a worker that should be left while a better one answers."""
    story = played(commands)
    story.run(f"wait {SETTLED}")
    there = workers(story.state)
    well = (WorkerState.SERVING, WorkerState.SUSPECT)
    better = [
        name
        for name, worker in there.items()
        if worker.state in well and name not in story.silent | story.restarted
    ]

    if better and story.state.active:
        assert there[story.state.active].state in well

"""Whatever comes, in whatever order: what must always hold does hold, at every step.

The happenings make up monitoring and operators; `Watched` checks. Hypothesis looks for the smallest sequence that
breaks; the numbered sequences are those of `make bench NAME=sequences`, which plays many more.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.failover_receiver import happenings
from tests.failover_receiver.happenings import HAPPENINGS, Draw
from tests.failover_receiver.invariants import Invariant
from tests.failover_receiver.sequences import STEPS, play
from tests.failover_receiver.twins import agree

SEQUENCES = 300
NAMES = sorted({happening.__name__ for happening in HAPPENINGS})


def chance(data: st.DataObject) -> Draw:
    """Hypothesis's."""
    return Draw(lambda low, high: data.draw(st.integers(low, high)))


class Receiver(RuleBasedStateMachine):
    """Monitoring and operators do as they like."""

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Some workers, all up."""
        draw = chance(data)
        self.story = happenings.a_story(draw)
        happenings.begins(self.story, draw)

    @rule(data=st.data(), what=st.sampled_from(NAMES))
    def happens(self, data: st.DataObject, what: str) -> None:
        """One of them, as often as it likes."""
        getattr(happenings, what)(self.story, chance(data))

    @rule(data=st.data())
    def agree(self, data: st.DataObject) -> None:
        """Told the same in two ways, it comes to the same."""
        agree(self.story, chance(data).number)


Receiver.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=STEPS,
    deadline=None,
    report_multiple_bugs=False,
    derandomize=True,  # What is drawn anew each time is the bench's: ten thousand sequences, each with its number.
)
TestWhatAlwaysHolds = Receiver.TestCase


def test_no_sequence_breaks_what_always_holds() -> None:
    """Three hundred of them, each of at least thirty steps, and everything is looked at in them."""
    played = [play(seed) for seed in range(SEQUENCES)]

    assert [one.said for one in played if one.broken] == []
    assert min(one.steps for one in played) >= 30
    looked_at = {invariant for one in played for invariant in one.checked}
    assert looked_at == set(Invariant)


def test_a_sequence_is_the_same_again() -> None:
    """So that one that breaks can be looked at."""
    assert play(7) == play(7)

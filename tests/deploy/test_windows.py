"""What promtool cannot show: samples that are stored late, and any phase, moment and length of a failure.

A model of the rules over samples that are stamped when a probe begins and seen when it ends. Milliseconds throughout.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wgfleet.cli.probing import Probing

unhurried = settings(deadline=None)  # A busy machine is no finding.

INTERVALS = 14
"""How long a story lasts."""


class Sample(NamedTuple):
    stamped: float
    stored: float
    answered: bool


@dataclass(frozen=True)
class Scene:
    """One vantage and the phases at which it probes."""

    probing: Probing
    phases: Sequence[float]
    """The first is the worker's that is judged, the others witness."""
    late: float
    """How long after its timeout a failed probe is stored."""

    @property
    def interval(self) -> float:
        return _ms(self.probing.interval)

    def samples(self, phase: float, answers: Callable[[float], bool]) -> list[Sample]:
        failed_after = _ms(self.probing.timeout) + self.late
        begins = (phase + number * self.interval for number in range(INTERVALS))
        return [Sample(t, t + (0 if answers(t) else failed_after), answers(t)) for t in begins]

    def verdicts(self, worker: list[Sample], others: Sequence[list[Sample]]) -> Iterator[tuple[float, str]]:
        """What fires at each evaluation: `down`, `up`, `blind` or nothing, as rules.yml has it."""
        step = self.interval / 20
        for number in range(1, (INTERVALS - 1) * 20):
            now = number * step
            seen = [self._window(samples, now) for samples in (worker, *others)]
            sane = any(len(answers) >= self.probing.threshold and all(answers) for answers in seen)
            blind = any(len(answers) >= self.probing.threshold for answers in seen) and not any(
                answers and all(answers) for answers in seen
            )
            judged = sane and len(seen[0]) >= self.probing.threshold
            if judged and not any(seen[0]):
                yield now, "down"
            elif judged and all(seen[0]):
                yield now, "up"
            else:
                yield now, "blind" if blind else ""

    def _window(self, samples: list[Sample], now: float) -> list[bool]:
        since = now - _ms(self.probing.window)
        return [
            sample.answered for sample in samples if since < sample.stamped <= now and sample.stored <= now
        ]


def _ms(duration: timedelta) -> float:
    return duration / timedelta(milliseconds=1)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    interval = draw(st.sampled_from([200, 1000, 5000, 30000]))
    timeout = draw(st.integers(interval // 10, interval - 50))
    probing = Probing(
        timedelta(milliseconds=interval), timedelta(milliseconds=timeout), draw(st.integers(2, 5))
    )
    phases = draw(st.lists(st.integers(0, interval - 1), min_size=2, max_size=4))
    return Scene(probing, phases, late=draw(st.floats(0, 0.99)) * _ms(probing.margin))


@unhurried
@given(scenes(), st.floats(5, 7))
def test_a_worker_that_hangs(scene: Scene, dies: float) -> None:
    """
    A worker that hangs is down within the promised time, stays down, and never was before its last failure.
    """
    p, death = scene.probing, dies * scene.interval
    worker = scene.samples(scene.phases[0], lambda t: t < death)
    others = [scene.samples(phase, lambda _: True) for phase in scene.phases[1:]]

    down = [now for now, verdict in scene.verdicts(worker, others) if verdict == "down"]

    failures = [sample.stamped for sample in worker if not sample.answered]
    step = scene.interval / 20
    assert failures[p.threshold - 1] + _ms(p.timeout) < down[0] <= death + _ms(p.window) + step
    assert len(down) == (INTERVALS - 1) * 20 - round(down[0] / step)


@unhurried
@given(scenes(), st.floats(5, 7), st.floats(0, 6), st.data())
def test_a_vantage_that_is_cut_off(scene: Scene, begin: float, length: float, data: st.DataObject) -> None:
    """
    However a vantage is cut off and for how long, and after up to N - 2 probes lost by chance, no worker is down.
    """
    lost = data.draw(st.integers(0, scene.probing.threshold - 2))
    cut, healed = begin * scene.interval, (begin + length) * scene.interval
    worker = scene.samples(scene.phases[0], lambda t: not cut - lost * scene.interval <= t < healed)
    others = [scene.samples(phase, lambda t: not cut <= t < healed) for phase in scene.phases[1:]]

    assert "down" not in {verdict for _, verdict in scene.verdicts(worker, others)}


@unhurried
@given(scenes(), st.floats(5, 7))
def test_blind_when_cut_off(scene: Scene, begin: float) -> None:
    """
    A vantage that is cut off for good is blind once every target has been asked again.
    """
    p, cut = scene.probing, begin * scene.interval
    first, *others = [scene.samples(phase, lambda t: t < cut) for phase in scene.phases]
    asked = cut + scene.interval + _ms(p.timeout) + _ms(p.margin)

    assert {"blind"} == {
        verdict
        for now, verdict in scene.verdicts(first, others)
        if asked <= now < (INTERVALS - 1) * scene.interval
    }


@unhurried
@given(scenes())
def test_a_worker_that_is_well(scene: Scene) -> None:
    """
    A worker that answers is up from its answer number N on, all the time.
    """
    assume(scene.phases[0] <= min(scene.phases[1:]))
    worker, *others = [scene.samples(phase, lambda _: True) for phase in scene.phases]
    proven = worker[scene.probing.threshold - 1].stamped

    assert {"up"} == {verdict for now, verdict in scene.verdicts(worker, others) if now >= proven}


@unhurried
@given(scenes(), st.floats(5, 7), st.integers(1, 4))
def test_fewer_failures(scene: Scene, begin: float, failures: int) -> None:
    """
    Fewer failures in a row than the threshold take nobody out.
    """
    assume(failures < scene.probing.threshold)
    since = begin * scene.interval
    worker = scene.samples(scene.phases[0], lambda t: not since <= t < since + failures * scene.interval)
    others = [scene.samples(phase, lambda _: True) for phase in scene.phases[1:]]

    assert "down" not in {verdict for _, verdict in scene.verdicts(worker, others)}


@unhurried
@given(scenes(), st.floats(4, 6), st.data())
def test_a_worker_that_leads_nowhere(scene: Scene, breaks: float, data: st.DataObject) -> None:
    """
    However late within an interval each scrape ends, a worker whose checks fail is degraded within an interval and a
    window, stays so, and never was before its last failure was stored.
    """
    p, broken = scene.probing, breaks * scene.interval
    late = data.draw(st.lists(st.floats(0, 0.99), min_size=INTERVALS, max_size=INTERVALS))
    begins = [scene.phases[0] + number * scene.interval for number in range(INTERVALS)]
    checks = [Sample(t, t + part * scene.interval, t < broken) for t, part in zip(begins, late, strict=True)]

    step = scene.interval / 20
    moments = [number * step for number in range((INTERVALS - 1) * 20)]
    degraded = [now for now in moments if _degraded(p, checks, now)]

    failures = [sample for sample in checks if not sample.answered]
    assert degraded[0] >= max(sample.stored for sample in failures[: p.threshold])
    assert degraded[0] <= broken + scene.interval + _ms(p.window) + step
    assert len(degraded) == len(moments) - moments.index(degraded[0])


@unhurried
@given(scenes(), st.lists(st.booleans(), min_size=INTERVALS, max_size=INTERVALS), st.data())
def test_up_and_degraded_never_meet(scene: Scene, answers: list[bool], data: st.DataObject) -> None:
    """
    Whatever its checks say and however late they are stored, what degrades a worker withholds Up.
    """
    late = data.draw(st.lists(st.floats(0, 0.99), min_size=INTERVALS, max_size=INTERVALS))
    begins = [scene.phases[0] + number * scene.interval for number in range(INTERVALS)]
    checks = [
        Sample(t, t + part * scene.interval, answered)
        for t, part, answered in zip(begins, late, answers, strict=True)
    ]

    for number in range(INTERVALS * 20):
        now = number * scene.interval / 20
        assert not (_degraded(scene.probing, checks, now) and _trusted(scene.probing, checks, now))


def _degraded(probing: Probing, checks: Sequence[Sample], now: float) -> bool:
    """As rules.yml has it, of a worker that answers its probes."""
    settled = _checked(
        checks, now, back_to=_ms(probing.interval + probing.window), until=_ms(probing.interval)
    )
    newest = _checked(checks, now, back_to=_ms(probing.interval))
    return len(settled) >= probing.threshold and not any(settled) and not any(newest)


def _trusted(probing: Probing, checks: Sequence[Sample], now: float) -> bool:
    """Whether nothing in the last samples withholds Up; what an exporter said that vanished is told by stories."""
    return all(_checked(checks, now, back_to=_ms(probing.interval + probing.window)))


def _checked(checks: Sequence[Sample], now: float, *, back_to: float, until: float = 0) -> list[bool]:
    return [
        sample.answered
        for sample in checks
        if now - back_to < sample.stamped <= now - until and sample.stored <= now
    ]

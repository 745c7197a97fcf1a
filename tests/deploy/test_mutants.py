"""The mistakes that `python -m tests.mutants` makes in the rules, and a few of them held against the stories."""

from datetime import timedelta

import pytest

from tests.deploy.promtools import promtool
from tests.mutants.__main__ import a_judge, all_mutants, equivalent, faults, judged, summary
from tests.mutants.judging import Judge, Verdict, needed
from tests.mutants.mutations import Mutant, Rule, mutants_of, name_of
from tests.mutants.promql import PromqlError, parse

EVERY = 60
"""Of so many mutants one is tried here, so that this takes seconds; all of them take minutes."""
FIRST = 13
"""An arbitrary one to begin with, the same each time."""

ALL = all_mutants(a_judge("promtool").rules)


@pytest.fixture(scope="module")
def judge() -> Judge:
    """By the promtool of this machine's Debian."""
    return a_judge(promtool(2))


GUARDED = 'max by (a, b) (x{j="1", k=~"(p|q)"}[1m32s500ms] offset 30s) >= 3'
RULE: Rule = {
    "alert": "A",
    "expr": f"{GUARDED} unless on (a) y",
    "for": "1m",
    "labels": {"severity": "warning"},
}


def test_mistakes() -> None:
    """
    Each comparison, number, range, aggregation, matcher, label and guard is changed, one at a time, and each field.
    """
    found = mutants_of(RULE, window=timedelta(seconds=92.5), interval=timedelta(seconds=30))

    assert [mutant.mistake for mutant in found] == [
        "max -> min",
        f"{GUARDED} unless on (a) -> nothing",
        "by (a, b) -> nothing",
        "a, -> nothing",
        ", b -> nothing",
        'j="1", -> nothing',
        "= -> !=",
        ', k=~"(p|q)" -> nothing',
        "=~ -> !~",
        '"(p|q)" -> "(q)"',
        '"(p|q)" -> "(p)"',
        "1m32s500ms -> 1m2s500ms",
        "1m32s500ms -> 2m2s500ms",
        "offset 30s -> nothing",
        "30s -> 15s",
        "30s -> 1m",
        ">= -> >",
        ">= -> <",
        "3 -> 2",
        "3 -> 4",
        "unless on (a) y -> nothing",
        "unless -> and",
        "on (a) -> nothing",
        "without for",
        "half of for",
        "twice for",
        "another severity",
    ]


@pytest.mark.parametrize(
    ("expr", "mistake", "changed"),
    [
        ("a > 1 or b > 2", "a > 1 or -> nothing", " b > 2"),
        ("a > 1 or b > 2", "or b > 2 -> nothing", "a > 1"),
        ("a and b or c", "and b -> nothing", "a or c"),
        ("a or b and c", "b and -> nothing", "a or c"),
        ("a + b * 0.5 > 1", "* -> /", "a + b / 0.5 > 1"),
        ("a + b * 0.5 > 1", "0.5 -> 0.6", "a + b * 0.6 > 1"),
        ("(a - b) / c > bool 1", "- -> +", "(a + b) / c > bool 1"),
    ],
)
def test_a_mistake_changes_its_place_alone(expr: str, mistake: str, changed: str) -> None:
    """
    What an operator binds is what PromQL says it binds.
    """
    found = mutants_of({"record": "r", "expr": expr}, window=timedelta(1), interval=timedelta(1))

    assert {mutant.mistake: mutant.changed["expr"].strip() for mutant in found}[mistake] == changed.strip()


def test_what_is_not_understood() -> None:
    """
    An expression with something unknown in it is refused, and not half mutated.
    """
    with pytest.raises(PromqlError, match="'@ 1' at 2"):
        parse("x @ 1")


def test_every_mutant_has_its_own_name() -> None:
    """
    So that one of them can be listed as equivalent; and there are many more than sixty.
    """
    names = [str(mutant) for mutant in ALL]

    assert len(set(names)) == len(names)
    assert len(names) > 500


def test_equivalent_ones_exist() -> None:
    """
    What is listed as equivalent is still a mutant, and its reason is said.
    """
    listed = equivalent()

    assert set(listed) <= {str(mutant) for mutant in ALL}
    assert [name for name, reason in listed.items() if len(reason) < 10] == []


@pytest.mark.parametrize("mutant", ALL[FIRST::EVERY], ids=str)
def test_a_story_notices(judge: Judge, mutant: Mutant) -> None:
    """
    The mistake is noticed by a story, or is none.
    """
    verdict = judge.verdict(mutant)

    assert verdict is not Verdict.SURVIVED or str(mutant) in equivalent()


def test_no_mistake_is_not_noticed(judge: Judge) -> None:
    """
    The stories notice nothing where nothing was done.
    """
    rule = next(rule for rule in judge.rules if rule.get("alert") == "WireGuardReceiverBlind")

    assert judge.verdict(Mutant("WireGuardReceiverBlind", "nothing", rule)) is Verdict.SURVIVED


def test_what_promtool_refuses_is_no_mutant(judge: Judge) -> None:
    """
    A mistake that Prometheus itself finds needs no story.
    """
    rule = {"alert": "WireGuardReceiverBlind", "expr": "max by ("}

    assert judge.verdict(Mutant("WireGuardReceiverBlind", "cut off", rule)) is Verdict.INVALID


def test_needed_rules() -> None:
    """
    A story is held against the rule, those that read it, those that it names, and all that these read.
    """
    rules: list[Rule] = [
        {"record": "a", "expr": "x"},
        {"record": "b", "expr": "a + 1"},
        {"alert": "C", "expr": "b > 1"},
        {"record": "d", "expr": "y"},
        {"alert": "E", "expr": "d > 1"},
        {"alert": "F", "expr": "z > 1"},
    ]
    story = {"name": "about E", "input_series": []}

    assert [name_of(rule) for rule in needed(rules, "a", [story])] == [*"abC", "d", "E"]


def test_faults() -> None:
    """
    A survivor is a fault; so is an excuse for one that was killed or is not there.
    """
    verdicts = {
        "killed": Verdict.KILLED,
        "noticed after all": Verdict.KILLED,
        "survived": Verdict.SURVIVED,
        "the same": Verdict.SURVIVED,
        "nonsense": Verdict.INVALID,
    }
    excused = {"the same": "why", "noticed after all": "why", "gone": "why"}

    assert faults(verdicts, excused) == [
        "no story notices: survived",
        "in equivalent.yml, but there is no such mutant: gone",
        "in equivalent.yml, but it is killed: noticed after all",
    ]
    assert summary(verdicts, excused) == {
        "mutants": 4,
        "killed": 2,
        "equivalent": 1,
        "survived": 1,
        "invalid": 1,
    }


def test_judged(judge: Judge) -> None:
    """
    Survivors are told as soon as they are known.
    """
    rule = next(rule for rule in judge.rules if rule.get("alert") == "WireGuardReceiverBlind")
    told: list[str] = []

    verdicts = judged(judge, [Mutant("WireGuardReceiverBlind", "nothing", rule)], told.append)

    assert told == ["1 of 1: survived: WireGuardReceiverBlind: nothing"]
    assert verdicts == {"WireGuardReceiverBlind: nothing": Verdict.SURVIVED}

"""Does a story notice the mistake? Those that speak of the rule are asked first, with the rules that they need."""

import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.mutants.mutations import Mutant, Rule, name_of

AT_A_TIME = 4
"""Stories for one run of promtool: it stops at no failure, and one of the first notices most mistakes."""

Story = Mapping[str, Any]


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    INVALID = "invalid"
    """Promtool does not take it for rules at all."""


class UnsoundError(RuntimeError):
    """The stories fail without any mistake."""


class Chunk(NamedTuple):
    """Some stories of one file, with the pace at which their rules are evaluated."""

    evaluation: str
    stories: tuple[Story, ...]


class Question(NamedTuple):
    """Some stories of one file, as promtool reads them, and the rules that they need."""

    told: str
    names: str
    rules: Sequence[Rule]


class Judge:
    """Holds mutants of some rules, which are in the order of their evaluation, against stories."""

    def __init__(self, promtool: str, rules: Sequence[Rule], chunks: Sequence[Chunk]) -> None:
        """Take one chunk for each file of stories."""
        self.rules = rules
        self._promtool = promtool
        self._chunks = chunks
        self._questions: dict[str, Sequence[Question]] = {}
        self._sound: set[tuple[str, int]] = set()
        self._noticed: Counter[tuple[str, int]] = Counter()

    def verdict(self, mutant: Mutant) -> Verdict:
        """Try it. May be called by several threads.

        Raises:
            UnsoundError: the stories fail without it, too, so that they say nothing of it.

        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "rules.yml").write_text(_rule_file([mutant.changed]))
            if not self._run("check", "rules", str(folder / "rules.yml")):
                return Verdict.INVALID
            questions = self.questions(mutant.rule)
            # What has noticed most mistakes in this rule first. The order changes no verdict.
            for place in sorted(range(len(questions)), key=lambda place: -self._noticed[mutant.rule, place]):
                question = questions[place]
                changed = [
                    mutant.changed if name_of(rule) == mutant.rule else rule for rule in question.rules
                ]
                if not self._passes(changed, question, folder):
                    self._check_sound(mutant.rule, place, folder)
                    self._noticed[mutant.rule, place] += 1
                    return Verdict.KILLED
        return Verdict.SURVIVED

    def _check_sound(self, rule: str, place: int, folder: Path) -> None:
        question = self.questions(rule)[place]
        if (rule, place) not in self._sound and not self._passes(question.rules, question, folder):
            raise UnsoundError(f"without any mistake in {rule} one of these stories fails: {question.names}")
        self._sound.add((rule, place))

    def questions(self, rule: str) -> Sequence[Question]:
        """The stories that could notice, the likeliest first: they name its alerts, or have samples that it reads."""
        if rule not in self._questions:
            self._questions[rule] = [self._question(rule, chunk) for chunk in self._asked(rule)]
        return self._questions[rule]

    def _asked(self, rule: str) -> Sequence[Chunk]:
        alerts = users(self.rules, rule)
        reading = alerts | needs(self.rules, alerts)
        expressions = " ".join(one["expr"] for one in self.rules if name_of(one) in reading)
        read = {word for word in re.findall(r"[a-z_:]+", expressions) if "_" in word} | {"up"}
        likely, possible = [], []
        for chunk in self._chunks:
            naming = [story for story in chunk.stories if _names(story, alerts)]
            feeding = [story for story in chunk.stories if story not in naming and _feeds(story, read)]
            likely += _cut(Chunk(chunk.evaluation, tuple(naming)))
            possible += _cut(Chunk(chunk.evaluation, tuple(feeding)))
        return (*likely, *possible)

    def _question(self, rule: str, chunk: Chunk) -> Question:
        told = {
            "rule_files": ["rules.yml"],
            "evaluation_interval": chunk.evaluation,
            "tests": list(chunk.stories),
        }
        return Question(
            yaml.safe_dump(told, width=10_000),
            "; ".join(story["name"] for story in chunk.stories),
            needed(self.rules, rule, chunk.stories),
        )

    def _passes(self, rules: Sequence[Rule], question: Question, folder: Path) -> bool:
        (folder / "rules.yml").write_text(_rule_file(rules))
        (folder / "stories.yml").write_text(question.told)
        return self._run("test", "rules", str(folder / "stories.yml"))

    def _run(self, *arguments: str) -> bool:
        # One processor for each promtool: as many of them run as there are processors.
        environment = {**os.environ, "GOMAXPROCS": "1"}
        run = subprocess.run([self._promtool, *arguments], check=False, capture_output=True, env=environment)
        return run.returncode == 0


def users(rules: Sequence[Rule], name: str) -> frozenset[str]:
    """The rule and all that read it, directly or not."""
    found = {name}
    while more := {name_of(rule) for rule in rules if _reads(rule, found)} - found:
        found |= more
    return frozenset(found)


def needs(rules: Sequence[Rule], names: Collection[str]) -> frozenset[str]:
    """All that they read, directly or not."""
    found: set[str] = set()
    reading = set(names)
    while reading:
        reading = {
            name_of(other)
            for rule in rules
            if name_of(rule) in reading
            for other in rules
            if _reads(rule, {name_of(other)})
        } - found
        found |= reading
    return frozenset(found)


def needed(rules: Sequence[Rule], name: str, stories: Sequence[Story]) -> list[Rule]:
    """The rule, all that read it, all that the stories name, and what those read."""
    told = yaml.safe_dump(list(stories), width=10_000)
    named = {name_of(rule) for rule in rules if _is_named(name_of(rule), told)} | users(rules, name)
    kept = named | needs(rules, named)
    return [rule for rule in rules if name_of(rule) in kept]


def _reads(rule: Rule, names: Collection[str]) -> bool:
    return any(_is_named(name, rule["expr"]) for name in names)


def _is_named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w:]){re.escape(name)}(?![\w:])", text) is not None


def _names(story: Story, names: Collection[str]) -> bool:
    told = yaml.safe_dump(dict(story), width=10_000)
    return any(_is_named(name, told) for name in names)


def _feeds(story: Story, metrics: Collection[str]) -> bool:
    return any(series["series"].partition("{")[0] in metrics for series in story["input_series"])


def _cut(chunk: Chunk) -> list[Chunk]:
    places = range(0, len(chunk.stories), AT_A_TIME)
    return [Chunk(chunk.evaluation, chunk.stories[place : place + AT_A_TIME]) for place in places]


def _rule_file(rules: Sequence[Rule]) -> str:
    groups = [{"name": "mutants", "rules": [dict(rule) for rule in rules]}]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=10_000)

"""Every small mistake that could be made in a rule: one comparison, number, range, label, matcher or guard each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from tests.mutants.promql import SETS, Parsed, Span, Token, parse
from wgfleet.cli.probing import duration_text, parse_duration

Rule = Mapping[str, Any]

_COMPARISONS = {
    "==": ("!=",),
    "!=": ("==",),
    ">": (">=", "<"),
    ">=": (">", "<"),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
}
_ARITHMETIC = {"+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",)}
_SETS = {"and": ("unless",), "or": ("and",), "unless": ("and",)}
_OPERATORS = _COMPARISONS | _ARITHMETIC | _SETS
_MATCHES = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_FUNCTIONS = {
    "max": ("min",),
    "min": ("max",),
    "sum": ("max",),
    "avg": ("max",),
    "max_over_time": ("min_over_time",),
    "min_over_time": ("max_over_time",),
    "avg_over_time": ("max_over_time",),
    "count_over_time": ("sum_over_time",),
    "last_over_time": ("max_over_time",),
    "rate": ("increase",),
    "increase": ("delta",),
}


class Edit(NamedTuple):
    """What stands there instead."""

    span: Span
    text: str


@dataclass(frozen=True)
class Mutant:
    """A rule with one mistake."""

    rule: str
    """The name of the alert or record."""
    mistake: str
    """What was done to it; with the rule's name it is unique, and stays the same while the rule does."""
    changed: Rule
    """The whole rule."""

    def __str__(self) -> str:
        """The key by which it is listed as equivalent."""
        return f"{self.rule}: {self.mistake}"


def name_of(rule: Rule) -> str:
    """The name of the alert or record."""
    name: str = rule.get("alert") or rule["record"]
    return name


def mutants_of(rule: Rule, *, window: timedelta, interval: timedelta) -> Iterator[Mutant]:
    """All of one rule. A range as long as `window` loses and gains one `interval`; others are halved and doubled."""
    name = name_of(rule)
    parsed = parse(rule["expr"])
    edits = _numbered(
        parsed,
        [
            *_of_operators(parsed),
            *_of_guards(parsed),
            *_of_words(parsed, window, interval),
            *_of_matchers(parsed),
            *_of_groupings(parsed),
        ],
    )
    for mistake, edit in edits:
        expr = parsed.text[: edit.span.start] + edit.text + parsed.text[edit.span.end :]
        yield Mutant(name, mistake, {**rule, "expr": expr})
    for mistake, changed in _of_fields(rule):
        yield Mutant(name, mistake, changed)


def _of_operators(parsed: Parsed) -> Iterator[Edit]:
    for operation in parsed.operations:
        for other in _OPERATORS.get(operation.operator.text, ()):
            # `or` knows no constants and the set operators no groups: what promtool refuses is no mutant.
            yield Edit(Span(operation.operator.start, operation.operator.end), other)


def _of_guards(parsed: Parsed) -> Iterator[Edit]:
    for operation in parsed.operations:
        if operation.operator.text in SETS:
            yield Edit(Span(operation.left.end, operation.right.end), "")
            yield Edit(Span(operation.left.start, operation.right.start), "")


def _of_words(parsed: Parsed, window: timedelta, interval: timedelta) -> Iterator[Edit]:
    for before, token in zip([None, *parsed.tokens], parsed.tokens, strict=False):
        span = Span(token.start, token.end)
        if token.kind == "number":
            yield from (Edit(span, other) for other in _other_numbers(token.text))
        elif token.kind == "duration":
            yield from (Edit(span, other) for other in _other_durations(token.text, window, interval))
            if before and before.text == "offset":
                yield Edit(Span(before.start, token.end), "")
        elif token.kind == "name":
            yield from (Edit(span, other) for other in _FUNCTIONS.get(token.text, ()))


def _other_numbers(text: str) -> tuple[str, ...]:
    value = float(text)
    if "." in text:
        return f"{value * 0.8:.6g}", f"{value * 1.2:.6g}"
    return str(int(value) - 1), str(int(value) + 1)


def _other_durations(text: str, window: timedelta, interval: timedelta) -> tuple[str, ...]:
    value = parse_duration(text)
    if value == window:
        return duration_text(value - interval), duration_text(value + interval)
    return duration_text(value / 2), duration_text(value * 2)


def _of_matchers(parsed: Parsed) -> Iterator[Edit]:
    tokens = {token.start: place for place, token in enumerate(parsed.tokens)}
    for matchers in parsed.braces:
        for place, matcher in enumerate(matchers):
            operator, value = parsed.tokens[tokens[matcher.start] + 1 : tokens[matcher.start] + 3]
            yield Edit(Span(operator.start, operator.end), _MATCHES[operator.text])
            yield Edit(_with_comma(matchers, place), "")
            yield from _without_one_choice(operator, value)


def _without_one_choice(operator: Token, value: Token) -> Iterator[Edit]:
    before, bracket, rest = value.text.strip('"').partition("(")
    choices, closed, after = rest.partition(")")
    if "~" in operator.text and bracket and closed:
        words = choices.split("|")
        for word in words:
            left = "|".join(other for other in words if other != word)
            yield Edit(Span(value.start, value.end), f'"{before}({left}){after}"')


def _of_groupings(parsed: Parsed) -> Iterator[Edit]:
    for whole, *labels in parsed.groupings:
        yield Edit(whole, "")
        if len(labels) > 1:
            yield from (Edit(_with_comma(labels, place), "") for place in range(len(labels)))


def _with_comma(spans: list[Span], place: int) -> Span:
    """One of several, with the comma that its going leaves over."""
    if place:
        return Span(spans[place - 1].end, spans[place].end)
    return Span(spans[0].start, spans[1].start) if len(spans) > 1 else spans[0]


def _of_fields(rule: Rule) -> Iterator[tuple[str, Rule]]:
    without = {name: value for name, value in rule.items() if name != "for"}
    if "for" in rule:
        wait = parse_duration(rule["for"])
        yield "without for", without
        yield "half of for", {**rule, "for": duration_text(wait / 2)}
        yield "twice for", {**rule, "for": duration_text(wait * 2)}
    elif "alert" in rule:
        yield "with for: 1m", {**rule, "for": "1m"}
    if "record" in rule:
        yield "recorded elsewhere", {**rule, "record": f"{rule['record']}:elsewhere"}
    labels = rule.get("labels", {})
    for label, value in labels.items():
        yield f"another {label}", {**rule, "labels": {**labels, label: f"{value}-else"}}


def _numbered(parsed: Parsed, edits: Iterable[Edit]) -> Iterator[tuple[str, Edit]]:
    """Each edit with its name: what became what, and where in the expression if there are several such."""
    told = []
    for edit in dict.fromkeys(edits):
        before = " ".join(parsed.text[edit.span.start : edit.span.end].split())
        told.append((f"{before} -> {edit.text or 'nothing'}", edit))
    told.sort(key=lambda one: one[1].span)
    several = Counter(mistake for mistake, _ in told)
    seen: Counter[str] = Counter()
    for mistake, edit in told:
        seen[mistake] += 1
        number = f" (number {seen[mistake]} of {several[mistake]})" if several[mistake] > 1 else ""
        yield mistake + number, edit

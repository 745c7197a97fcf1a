"""As much of PromQL as it takes to change an expression at one place: its tokens, and the operands of its operators."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<duration>[0-9]+(?:ms|[smhdwy])(?:[0-9]+(?:ms|[smhdwy]))*)
  | (?P<number>[0-9]+(?:\.[0-9]+)?)
  | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<operator>==|!=|<=|>=|=~|!~|[=<>+\-*/%^])
  | (?P<mark>[(){}\[\],])
    """,
    re.VERBOSE,
)

STRENGTH = {"or": 1, "and": 2, "unless": 2} | dict.fromkeys(("==", "!=", "<=", "<", ">=", ">"), 3)
STRENGTH |= {"+": 4, "-": 4, "*": 5, "/": 5, "%": 5}
"""How strongly operators bind; all that are used here group from the left."""

SETS = ("and", "or", "unless")
_MATCHING = ("on", "ignoring", "group_left", "group_right")


class Token(NamedTuple):
    """One word of an expression, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


class Span(NamedTuple):
    """A part of the text."""

    start: int
    end: int


class Operation(NamedTuple):
    """An operator and its operands. `matching` is `on (…)` and the like, which may be empty."""

    operator: Token
    left: Span
    right: Span
    matching: Span


@dataclass
class Parsed:
    """An expression."""

    text: str
    tokens: list[Token]
    operations: list[Operation] = field(default_factory=list)
    braces: list[list[Span]] = field(default_factory=list)
    """The matchers of each selector."""
    groupings: list[list[Span]] = field(default_factory=list)
    """The labels of each `by` and `on`, from the word itself to the closing parenthesis and then label by label."""


class PromqlError(ValueError):
    """The expression has something that is not known here."""


def parse(text: str) -> Parsed:
    """Take an expression apart.

    Raises:
        PromqlError: it has something that is not known here.

    """
    parsed = Parsed(text, list(_tokens(text)))
    reader = _Reader(parsed)
    reader.expression()
    if reader.token:
        raise PromqlError(f"{reader.token.text!r} at {reader.token.start} of {text!r} is not understood")
    return parsed


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise PromqlError(f"{text[at : at + 10]!r} at {at} of {text!r} is not understood")
        at = found.end()
        if found.lastgroup != "space":
            yield Token(found.lastgroup, found[0], found.start(), at)


class _Reader:
    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._at = 0

    @property
    def token(self) -> Token | None:
        return self._parsed.tokens[self._at] if self._at < len(self._parsed.tokens) else None

    def expression(self, strength: int = 0) -> Span:
        left = self._operand()
        while self.token and STRENGTH.get(self.token.text, 0) > strength:
            operator = self._take()
            matching = self._matching(operator.end)
            right = self.expression(STRENGTH[operator.text])
            self._parsed.operations.append(Operation(operator, left, right, matching))
            left = Span(left.start, right.end)
        return left

    def _operand(self) -> Span:
        first = self._take()
        end = first.end
        if first.text == "(":
            self.expression()
            end = self._take(")").end
        elif first.kind == "name":
            end = self._call_or_selector(end)
        while self.token and self.token.text in {"[", "offset"}:
            end = self._range() if self.token.text == "[" else self._offset()
        return Span(first.start, end)

    def _call_or_selector(self, end: int) -> int:
        if self._sees("by", "without"):
            self._grouping()
        if self._sees("{"):
            return self._selector()
        if not self._sees("("):
            return end
        self._take("(")
        while not self._sees(")"):
            self.expression()
            if self._sees(","):
                self._take(",")
        return self._take(")").end

    def _selector(self) -> int:
        self._take("{")
        matchers = []
        while not self._sees("}"):
            first = self._take()
            self._take()
            matchers.append(Span(first.start, self._take().end))
            if self._sees(","):
                self._take(",")
        self._parsed.braces.append(matchers)
        return self._take("}").end

    def _matching(self, end: int) -> Span:
        start = end
        while self._sees("bool", *_MATCHING):
            end = self._take().end if self._sees("bool") else self._grouping()
        return Span(start, end)

    def _grouping(self) -> int:
        first = self._take()
        self._take("(")
        labels = []
        while not self._sees(")"):
            label = self._take()
            if label.text != ",":
                labels.append(Span(label.start, label.end))
        end = self._take(")").end
        self._parsed.groupings.append([Span(first.start, end), *labels])
        return end

    def _range(self) -> int:
        self._take("[")
        self._take()
        return self._take("]").end

    def _offset(self) -> int:
        self._take("offset")
        return self._take().end

    def _sees(self, *texts: str) -> bool:
        return self.token is not None and self.token.text in texts

    def _take(self, text: str | None = None) -> Token:
        token = self.token
        if token is None or (text is not None and token.text != text):
            raise PromqlError(f"expected {text or 'more'} in {self._parsed.text!r}, found {token}")
        self._at += 1
        return token

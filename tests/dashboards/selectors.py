"""What a PromQL query reads: its selectors, found by their place between the other words of the language."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<string>"(?:\\.|[^"\\])*")
  | (?P<window>\[[^\]]*\])
  | (?P<matchers>\{(?:"(?:\\.|[^"\\])*"|[^"}])*\})
  | (?P<number>\$?\b\d[\w.]*)
  | (?P<word>\$?[A-Za-z_:][\w:]*)
  | (?P<sign>[^\sA-Za-z_0-9"])
  | \s+
    """,
    re.VERBOSE,
)
MATCHER = re.compile(r'\s*(?P<label>\w+)\s*(?P<operator>=~|!~|!=|=)\s*"(?P<value>(?:\\.|[^"\\])*)"\s*(?:,|$)')
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
"""Followed by labels in parentheses, which are no metrics."""
BETWEEN = {"and", "or", "unless", "bool", "offset", "atan2"}


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector of one metric."""

    metric: str
    matchers: dict[str, str]
    """By label, with the operator before the value."""
    window: str
    """`$__rate_interval`, or empty."""
    function: str
    """The function or aggregation that it is directly in, or empty."""


def selectors(query: str) -> Iterator[Selector]:
    """All of the query, in order. Raises AssertionError for what is no PromQL as we write it."""
    tokens = [match for match in TOKEN.finditer(query) if match.lastgroup]
    assert _dense("".join(token[0] for token in tokens)) == _dense(query), (
        f"no PromQL as we write it: {query}"
    )
    index = 0
    called: list[str] = []  # For each open parenthesis, what is called by it.
    while index < len(tokens):
        kind, text = tokens[index].lastgroup, tokens[index][0]
        following = tokens[index + 1][0] if index + 1 < len(tokens) else ""
        if kind == "word" and text in LISTS:
            index = _end_of_list(tokens, index + 1) if following == "(" else index
        elif text == "(":
            called.append(_caller(tokens, index))
        elif text == ")":
            called.pop()
        elif kind == "word" and text not in BETWEEN and following not in {"(", "by", "without"}:
            matchers = following if following.startswith("{") else ""
            after = index + (2 if matchers else 1)
            window = tokens[after][0] if after < len(tokens) and tokens[after][0].startswith("[") else ""
            yield Selector(text, _matchers(matchers), window[1:-1], called[-1] if called else "")
        index += 1


def _dense(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _caller(tokens: list[re.Match[str]], index: int) -> str:
    """The word that this parenthesis calls, over the labels that may stand between: `sum by (a) (`."""
    before = index - 1
    if before >= 0 and tokens[before][0] == ")":
        while before >= 0 and tokens[before][0] != "(":
            before -= 1
        if before > 0 and tokens[before - 1][0] in {"by", "without"}:
            return tokens[before - 2][0]
        return ""
    return tokens[before][0] if before >= 0 and tokens[before].lastgroup == "word" else ""


def _end_of_list(tokens: list[re.Match[str]], index: int) -> int:
    while tokens[index][0] != ")":
        index += 1
    return index


def _matchers(text: str) -> dict[str, str]:
    found = {}
    rest = text[1:-1] if text else ""
    while rest.strip():
        match = MATCHER.match(rest)
        assert match, f"no matcher: {rest!r}"
        found[match["label"]] = match["operator"] + match["value"]
        rest = rest[match.end() :]
    return found

"""A YAML file's fields, taken by name; what nobody takes is refused, because it is a misspelt field.

Every scalar is read as the text that stands there, so a user may be called `yes` or `0123`. No error repeats a line of
the file: it may hold a key.
"""

from collections.abc import Hashable

import yaml


class WebConfigError(ValueError):
    """A web config file cannot be used; the text names field, value (but no secret) and what would be right."""


TRUE = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}
FALSE = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"}
"""YAML 1.1's own words, which the other exporters' files may use."""

TRUTH = {**dict.fromkeys(TRUE, True), **dict.fromkeys(FALSE, False)}


class Fields:
    """One section of the file. `name` is what errors call it, empty for the file itself."""

    def __init__(self, said: object, name: str = "") -> None:
        """Refuse what is no section; an empty one has no fields."""
        if said not in (None, "") and not isinstance(said, dict):
            raise WebConfigError(
                f"{name or 'the file'}: is no section: lines of `field: value` were expected"
            )
        self._left: dict[object, object] = dict(said) if isinstance(said, dict) else {}
        self._name = name
        self._known: list[str] = []

    def __bool__(self) -> bool:
        """Whether there is anything left to take."""
        return bool(self._left)

    def section(self, field: str) -> "Fields":
        """A section in this one, empty if it is not there."""
        return Fields(self._take(field), self.called(field))

    def text(self, field: str, default: str = "") -> str:
        """One value."""
        said = self._take(field)
        if isinstance(said, dict | list):
            raise WebConfigError(f"{self.called(field)}: is a list or a section: one value was expected")
        return default if said in (None, "") else str(said)

    def truth(self, field: str, *, default: bool) -> bool:
        """True or false."""
        said = self.text(field)
        if said and said not in TRUTH:
            raise self.wrong(field, said, "true or false was expected")
        return TRUTH.get(said, default)

    def one_of(self, field: str, known: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        said = self.text(field, default)
        if said not in known:
            raise self.wrong(field, said, f"expected one of {', '.join(known)}")
        return said

    def texts(self, field: str) -> list[str] | None:
        """A list of values; None if the field is not there."""
        said = self._take(field)
        if said in (None, ""):
            return None
        if not isinstance(said, list) or any(isinstance(item, dict | list) for item in said):
            raise WebConfigError(f"{self.called(field)}: is no list: lines of `- value` were expected")
        return [str(item) for item in said]

    def rest(self) -> dict[str, str]:
        """All that is left, where the names are the file's own, as users' are."""
        names = [str(name) for name in self._left]
        return {name: self.text(name) for name in names}

    def end(self) -> None:
        """Refuse what was not taken."""
        for name in self._left:
            known = ", ".join(sorted(self._known))
            raise WebConfigError(f"{self.called(str(name))}: there is no such field; known are {known}")

    def called(self, field: str) -> str:
        """The field's whole name."""
        return f"{self._name}.{field}" if self._name else field

    def wrong(self, field: str, said: str, expected: str) -> WebConfigError:
        """The error for a value that is no secret."""
        return WebConfigError(f"{self.called(field)}: is {said!r}: {expected}")

    def _take(self, field: str) -> object:
        self._known.append(field)
        return self._left.pop(field, None)


def parse(text: bytes) -> Fields:
    """The file's own fields. Raises WebConfigError, with a place in the file and none of its words."""
    try:
        return Fields(yaml.load(text, _Texts))  # noqa: S506 - _Texts makes texts, lists and dicts, nothing else.
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise WebConfigError(f"is not YAML{where}") from None
    except (yaml.YAMLError, RecursionError):  # The former: what is no text.
        raise WebConfigError("is not YAML") from None


class _Texts(yaml.BaseLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """Refuse what stands twice: PyYAML would take the last without a word."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key.value, str) else True:
                raise yaml.MarkedYAMLError(problem="a field twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

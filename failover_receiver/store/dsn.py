"""Where a PostgreSQL is: a connection URI as libpq takes it, of which nothing secret is ever shown."""

import urllib.parse
from dataclasses import dataclass, field

SCHEMES = frozenset({"postgresql", "postgres"})
SECRETS = frozenset({"password", "sslpassword"})


@dataclass(frozen=True, slots=True)
class Dsn:
    """A connection URI; as text it is without its password."""

    uri: str = field(repr=False)
    password: str | None = field(default=None, repr=False)
    """From a file of its own; goes before one in the URI."""

    @classmethod
    def parse(cls, uri: str) -> "Dsn":
        """Read a URI. Raises ValueError, which does not quote it."""
        try:
            parts = urllib.parse.urlsplit(uri)
            urllib.parse.parse_qs(parts.query, strict_parsing=bool(parts.query))
        except ValueError:
            parts = urllib.parse.SplitResult("", "", "", "", "")
        if parts.scheme not in SCHEMES or parts.fragment:
            raise ValueError(
                "not a connection URI of PostgreSQL: as postgresql://wgfleet@db.example:5432/wgfleet"
            )
        return cls(uri)

    @property
    def has_password(self) -> bool:
        """Whether the URI itself holds a secret."""
        parts = urllib.parse.urlsplit(self.uri)
        asked = {name for name, _ in urllib.parse.parse_qsl(parts.query)}
        return ":" in parts.netloc.rpartition("@")[0] or not SECRETS.isdisjoint(asked)

    def __str__(self) -> str:
        """The URI as it may be shown."""
        parts = urllib.parse.urlsplit(self.uri)
        who, at, where = parts.netloc.rpartition("@")
        asked = [one for one in urllib.parse.parse_qsl(parts.query) if one[0] not in SECRETS]
        query = urllib.parse.urlencode(asked, safe="/:,")
        return (
            f"{parts.scheme}://{who.partition(':')[0]}{at}{where}{parts.path}{f'?{query}' if query else ''}"
        )


def is_uri(text: str) -> bool:
    """Whether this is meant to be one, and not the name of a file."""
    return text.partition("://")[0] in SCHEMES and "://" in text

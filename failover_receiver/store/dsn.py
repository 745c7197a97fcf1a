"""Where a PostgreSQL is: a connection URI as libpq takes it, of which nothing secret is ever shown."""

import re
import urllib.parse
from dataclasses import dataclass, field

SCHEMES = frozenset({"postgresql", "postgres"})
SECRETS = frozenset({"password", "sslpassword"})

HALF_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
HOST = re.compile(r"(\[[^]]*\]|[^][:]*)(:[0-9]*)?")
"""With its port. Of a password that has a / or an @ in clear, a part would be taken for a host, and be shown."""


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
        who, _, where = parts.netloc.rpartition("@")
        hosts = all(HOST.fullmatch(host) for host in where.split(","))
        if (
            parts.scheme not in SCHEMES
            or parts.fragment
            or "@" in who
            or not hosts
            or HALF_ENCODED.search(uri)
        ):
            raise ValueError(
                "not a connection URI of PostgreSQL: as postgresql://wgfleet@db.example:5432/wgfleet; "
                "one of @:/?#[]% in a name or password is written as %40 and the like"
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

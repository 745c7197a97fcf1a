"""A WireGuard server's configuration, wg(8)'s or wg-quick(8)'s, to values: for adopting what runs already.

The private key is turned into the public one here and kept nowhere; of a preshared key only that there is one. No
error quotes a line.
"""

import base64
import hashlib
import ipaddress
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from wgfleet.names import check_address, check_public_key

SECTION = re.compile(r"\[\s*([A-Za-z]+)\s*\]\s*(?:#.*)?")
SETTING = re.compile(r"([A-Za-z]+)\s*=\s*(.*)")
EXPLICIT = re.compile(r"(?:friendly_name|name)\s*[=:]\s*(.+)", re.IGNORECASE)
"""`# friendly_name = Ann`, as exporters read it, and `# Name = Ann` or `# Name: Ann` of several web interfaces."""
STYLED = re.compile(
    r"client:?\s+(?P<easy>[^()]+?)(?:\s*\([0-9a-f-]+\))?|begin\s+(?P<pivpn>.+?)|begin_peer\s+(?P<nyr>.+)",
    re.IGNORECASE,
)
"""`# Client: Ann (id)` of wg-easy, `### Client Ann` of wireguard-install, `### begin Ann ###` of PiVPN, and
`# BEGIN_PEER Ann` of Nyr's script."""
NO_NAME = re.compile(r"end\b.*|end_peer\b.*|[A-Za-z_ ]+\s*[=:].*", re.IGNORECASE)
"""Ends of blocks, and settings that were commented out."""

LABEL_LENGTH = 63
"""Characters: names are DNS labels."""


class WireguardFileError(ValueError):
    """The file is no WireGuard configuration; the text says where. Never quotes a line: it may hold a private key."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The server itself."""

    public_key: str
    addresses: tuple[str, ...]
    """Without prefix length."""
    listen_port: int | None
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredPeer:
    """One [Peer] block."""

    line: int
    """Where it begins."""
    name: str
    """A DNS label: made from a comment, or from the key."""
    public_key: str
    allowed_ips: tuple[str, ...]
    has_preshared_key: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own addresses: what is allowed of single ones."""
        return tuple(prefix.partition("/")[0] for prefix in self.allowed_ips if _is_single(prefix))

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks behind it."""
        return tuple(prefix for prefix in self.allowed_ips if not _is_single(prefix))


@dataclass(frozen=True, slots=True)
class Configuration:
    """The whole file."""

    interface: Interface | None
    """None if there is no [Interface], or one without a private key."""
    peers: tuple[ConfiguredPeer, ...]


@dataclass(slots=True)
class _Section:
    """The lines from one `[…]` to the next."""

    line: int
    kind: str
    above: list[str]
    """Comments before it that are its own."""
    comments: list[str] = field(default_factory=list)
    settings: list[tuple[int, str, str]] = field(default_factory=list, repr=False)

    def all(self, key: str) -> list[tuple[int, str]]:
        """Each value of a setting, with its line."""
        return [(line, value) for line, name, value in self.settings if name == key]

    def last(self, key: str) -> tuple[int, str] | None:
        """The value that counts, with its line."""
        return next(reversed(self.all(key)), None)

    def items(self, key: str) -> list[tuple[int, str]]:
        """All values of a setting that may be a list, or stand there several times."""
        return [
            (line, item.strip()) for line, value in self.all(key) for item in value.split(",") if item.strip()
        ]


def parse(text: str) -> Configuration:
    """Read a configuration; raises WireguardFileError."""
    sections = _sections(text)
    interfaces = [section for section in sections if section.kind == "interface"]
    peers = [_peer(section) for section in sections if section.kind == "peer"]
    if len(interfaces) > 1:
        raise WireguardFileError(f"line {interfaces[1].line}: a second [Interface]")
    if not interfaces and not peers:
        raise WireguardFileError("there is neither an [Interface] nor a [Peer] in it")
    return Configuration(_interface(interfaces[0]) if interfaces else None, _told_apart(peers))


def label(text: str) -> str:
    """A name that a person gave as a DNS label; empty if nothing of it is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LABEL_LENGTH].rstrip("-")


def key_digest(public_key: str) -> str:
    """The first 8 digits of the SHA-256 of a key as it is written: enough to tell a fleet's clients apart."""
    return hashlib.sha256(public_key.encode()).hexdigest()[:8]


def _sections(text: str) -> list[_Section]:
    sections: list[_Section] = []
    gap: list[str] = []
    """The comments since the last setting; an empty line stands for itself."""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if found := SECTION.fullmatch(line):
            kind = found[1].lower()
            if kind not in {"interface", "peer"}:
                raise WireguardFileError(f"line {number}: a section that is neither [Interface] nor [Peer]")
            _shared_out(gap, sections, ends=False)
            sections.append(_Section(number, kind, above=_own(gap, first=not sections)))
            gap = []
        elif not line or line.startswith(("#", ";")):
            gap.append(line)
        elif (found := SETTING.fullmatch(line)) and sections:
            # A comment may follow a setting on its line; no value has a # in it.
            value = found[2].partition("#")[0].strip()
            sections[-1].settings.append((number, found[1].lower(), value))
            sections[-1].comments += [comment for comment in gap if comment]
            gap = []
        else:
            raise WireguardFileError(f"line {number}: a section, a setting or a comment was expected")
    _shared_out(gap, sections, ends=True)
    return sections


def _own(gap: Sequence[str], *, first: bool) -> list[str]:
    """Of the comments between two blocks, those that belong to the second: what stands after an empty line."""
    cut = 0 if first or "" not in gap else gap.index("") + 1
    return [comment for comment in gap[cut:] if comment]


def _shared_out(gap: Sequence[str], sections: Sequence[_Section], *, ends: bool) -> None:
    """The first block's: what stands before the empty line."""
    if sections and ("" in gap or ends):
        cut = gap.index("") if "" in gap else len(gap)
        sections[-1].comments += gap[:cut]


def _interface(section: _Section) -> Interface | None:
    private = section.last("privatekey")
    if private is None:
        return None
    return Interface(
        public_key=_public_half(*private),
        addresses=tuple(_address(*item) for item in section.items("address")),
        listen_port=_number(section, "listenport", 65535),
        mtu=_number(section, "mtu", 65535),
    )


def _public_half(line: int, private_key: str) -> str:
    try:
        check_public_key(private_key)  # A private key looks the same.
        raw = base64.b64decode(private_key, validate=True)
    except ValueError:
        raise WireguardFileError(f"line {line}: PrivateKey is not a WireGuard key") from None
    public = X25519PrivateKey.from_private_bytes(raw).public_key()
    return base64.b64encode(public.public_bytes_raw()).decode()


def _peer(section: _Section) -> ConfiguredPeer:
    public = section.last("publickey")
    if public is None:
        raise WireguardFileError(f"line {section.line}: this [Peer] has no PublicKey")
    line, key = public
    try:
        check_public_key(key)
    except ValueError:  # Without its text, which quotes: it may be a private key in the wrong place.
        raise WireguardFileError(f"line {line}: PublicKey is not a WireGuard public key") from None
    return ConfiguredPeer(
        line=section.line,
        name=_name(section) or f"client-{key_digest(key)}",
        public_key=key,
        allowed_ips=tuple(dict.fromkeys(_network(*item) for item in section.items("allowedips"))),
        has_preshared_key=section.last("presharedkey") is not None,
    )


def _address(line: int, value: str) -> str:
    """An [Interface]'s own, which may have the length of its network behind it."""
    try:
        return check_address(value.partition("/")[0])
    except ValueError:
        raise WireguardFileError(f"line {line}: an IP address was expected") from None


def _network(line: int, value: str) -> str:
    """A [Peer]'s: wg(8) drops what stands behind the prefix length."""
    address = _address(line, value)
    try:
        return str(ipaddress.ip_network(f"{address}{value[len(value.partition('/')[0]) :]}", strict=False))
    except ValueError:
        raise WireguardFileError(f"line {line}: a network was expected, as 10.0.0.0/24") from None


def _number(section: _Section, key: str, most: int) -> int | None:
    found = section.last(key)
    if found is None:
        return None
    line, value = found
    if not (value.isascii() and value.isdigit() and len(value) <= 5 and int(value) <= most):
        raise WireguardFileError(f"line {line}: a number from 0 to {most} was expected")
    return int(value)


def _name(section: _Section) -> str:
    """The best that its comments say: a name that is called one, one in a known style, or else plain words."""
    # What stands nearest above the block comes first.
    said = [comment.strip("#; \t") for comment in (*reversed(section.above), *section.comments)]
    explicit = [found[1] for comment in said if (found := EXPLICIT.fullmatch(comment))]
    styled = [
        found[found.lastgroup] for comment in said if (found := STYLED.fullmatch(comment)) and found.lastgroup
    ]
    plain = [comment for comment in said if not NO_NAME.fullmatch(comment)]
    return next(filter(None, map(label, (*explicit, *styled, *plain))), "")


def _told_apart(peers: Sequence[ConfiguredPeer]) -> tuple[ConfiguredPeer, ...]:
    """Namesakes get a part of their keys behind their names: the same each time, whatever stands before them."""
    often = Counter(peer.name for peer in peers)
    return tuple(
        peer
        if often[peer.name] == 1
        else replace(peer, name=f"{peer.name[:54].rstrip('-')}-{key_digest(peer.public_key)}")
        for peer in peers
    )


def _is_single(prefix: str) -> bool:
    return prefix.endswith("/128" if ":" in prefix else "/32")

"""The files of Prometheus, its rules, Alertmanager and blackbox, for one way of probing.

The four share their times, so all come from one `Settings` and none is edited by hand. Pure: settings in, text out.
"""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from wgfleet.cli.probing import RESEND_DELAY, WATCHDOG_INTERVAL, Probing, SettingsError, duration_text
from wgfleet.names import check_endpoint, check_name


class Kind(StrEnum):
    """What can be rendered."""

    PROMETHEUS = "prometheus"
    RULES = "rules"
    ALERTMANAGER = "alertmanager"
    BLACKBOX = "blackbox"

    @property
    def file_name(self) -> str:
        return f"{self}.yml"


class Deciding(StrEnum):
    """The probe by whose answers a worker is up or down."""

    TUNNEL = "tunnel"
    ICMP = "icmp"
    TCP = "tcp"

    @property
    def what(self) -> str:
        """The probe in an alert's words."""
        return {
            Deciding.TUNNEL: "ICMP echo through the tunnel",
            Deciding.ICMP: "ICMP echo to its public address",
            Deciding.TCP: "TCP connection to its public address",
        }[self]


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the four files depend on."""

    probing: Probing = Probing()  # noqa: RUF009  # Frozen, so it may be shared.
    deciding: Deciding = Deciding.TUNNEL
    receiver: str = "http://127.0.0.1:9587"
    blackbox: str = "127.0.0.1:9115"
    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)
    vantage: str = "main"
    rules: str = "rules.yml"
    """As Prometheus reads it: beside prometheus.yml unless it is absolute."""
    prometheus_token_file: str = "/etc/wgfleet/prometheus.token"  # noqa: S105  # A path.
    alertmanager_token_file: str = "/etc/wgfleet/alertmanager.token"  # noqa: S105  # A path.
    runbooks: str = "https://github.com/wgfleet/wgfleet/blob/main/docs/runbooks"
    """The folder of the pages that alerts lead to, one for each alert."""
    load_limit: float = 0.85
    """The load ratio above which a worker is overloaded: some of it is left for the clients of one that fails."""

    def __post_init__(self) -> None:
        _check_url("receiver", self.receiver)
        _check("blackbox", self.blackbox, check_endpoint)
        for address in self.alertmanagers:
            _check("alertmanager", address, check_endpoint)
        _check("vantage", self.vantage, check_name)
        _check_page("runbooks", self.runbooks)
        if not 0 < self.load_limit <= 1:
            raise SettingsError(
                f"load_limit is {self.load_limit:g}, expected a number above 0 and up to 1: it is a share of what a "
                "worker can carry"
            )
        for field in ("rules", "prometheus_token_file", "alertmanager_token_file"):
            path = getattr(self, field)
            if not path or not path.isprintable():
                raise SettingsError(f"{field} is {path!r}, expected a path on one line")


def rendered(kind: Kind, settings: Settings) -> str:
    """The file's text."""
    return _TEMPLATES.get_template(f"{kind.file_name}.j2").render(_words(kind, settings))


def command(kind: Kind, settings: Settings) -> str:
    """The command that makes the file: how it probes always, other settings where they are not the default."""
    probing = settings.probing
    words = ["wgfleet", "render", kind]
    words += ["--interval", duration_text(probing.interval), "--timeout", duration_text(probing.timeout)]
    if kind is Kind.RULES:
        words += ["--threshold", str(probing.threshold), "--deciding", settings.deciding]
    for field in _TOLD[kind]:
        value = getattr(settings, field)
        if value != getattr(Settings(), field):
            option = _OPTIONS[field]
            words += [
                word
                for one in (value if isinstance(value, tuple) else [value])
                for word in (option, str(one))
            ]
    return shlex.join(words)


_OPTIONS: Mapping[str, str] = {
    "receiver": "--receiver",
    "blackbox": "--blackbox",
    "alertmanagers": "--alertmanager",
    "vantage": "--vantage",
    "rules": "--rules",
    "prometheus_token_file": "--token-file",
    "alertmanager_token_file": "--token-file",
    "runbooks": "--runbooks",
    "load_limit": "--load-limit",
}
"""How a setting is called on the command line of one file."""

_TOLD: Mapping[Kind, tuple[str, ...]] = {
    Kind.PROMETHEUS: (
        "receiver",
        "blackbox",
        "alertmanagers",
        "vantage",
        "rules",
        "prometheus_token_file",
    ),
    Kind.RULES: ("runbooks", "load_limit"),
    Kind.ALERTMANAGER: ("receiver", "alertmanager_token_file"),
    Kind.BLACKBOX: (),
}
"""What each file depends on besides the probing."""

_TEMPLATES = Environment(
    loader=PackageLoader("wgfleet.cli"),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  # YAML, in which the filter `quoted` does what is needed.
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    # Jinja's own braces are Prometheus's, too, and stay as they are: {{ $labels.worker }}.
    variable_start_string="<<",
    variable_end_string=">>",
    block_start_string="<%",
    block_end_string="%>",
    comment_start_string="<#",
    comment_end_string="#>",
)
# A JSON string is a YAML string, whatever is in it.
_TEMPLATES.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)


def _words(kind: Kind, settings: Settings) -> dict[str, Any]:
    probing = settings.probing
    receiver = urlsplit(settings.receiver)
    times = (
        "interval",
        "timeout",
        "scrape_timeout",
        "margin",
        "window",
        "evaluation",
        "detection",
        "watchdog_silence",
    )
    return {
        **{time: duration_text(getattr(probing, time)) for time in times},
        "command": command(kind, settings),
        "threshold": probing.threshold,
        "deciding": settings.deciding,
        "deciding_what": settings.deciding.what,
        # At most one probe interval, and no longer than an evaluation.
        "group_interval": duration_text(probing.evaluation),
        "watchdog_interval": duration_text(WATCHDOG_INTERVAL),
        "receiver": f"{receiver.scheme}://{receiver.netloc}",
        "receiver_scheme": receiver.scheme,
        "receiver_address": receiver.netloc,
        "blackbox": settings.blackbox,
        "alertmanagers": settings.alertmanagers,
        "vantage": settings.vantage,
        "rules": settings.rules,
        "runbooks": settings.runbooks.rstrip("/"),
        "load_limit": f"{settings.load_limit:g}",
        "resend_delay": duration_text(RESEND_DELAY),
        "token_file": settings.alertmanager_token_file
        if kind is Kind.ALERTMANAGER
        else settings.prometheus_token_file,
    }


def _check(field: str, value: str, check: Callable[[str], str]) -> None:
    try:
        check(value)
    except ValueError as error:
        raise SettingsError(f"{field}: {error}") from None


def _check_url(field: str, value: str) -> None:
    # A token in the URL would be logged by both programs, and a path would be lost in the scrape target.
    wrong = SettingsError(f"{field} is {value!r}, expected http://host:port or https://host:port")
    try:
        url = urlsplit(value)
        check_endpoint(url.netloc)
    except ValueError:
        raise wrong from None
    if url.scheme not in {"http", "https"} or url.path not in {"", "/"} or url.query or url.fragment:
        raise wrong


def _check_page(field: str, value: str) -> None:
    # It stands in annotations, so it is text that people click.
    try:
        url = urlsplit(value)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in {"http", "https"} or not url.hostname or not value.isprintable() or " " in value:
        raise SettingsError(
            f"{field} is {value!r}, expected a folder's URL, as https://wiki.example/runbooks"
        )

"""The files of Prometheus, its rules, Alertmanager and blackbox, for one way of probing.

They share their times, so all come from one `Settings` and none is edited by hand. Pure: settings in, text out.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from wgfleet.cli.places import Place
from wgfleet.cli.probing import WATCHDOG_INTERVAL, duration_text
from wgfleet.cli.settings import Deciding, Settings

__all__ = ["Deciding", "Kind", "Settings", "command", "rendered"]

DAEMONS_INTERVAL = timedelta(seconds=5)
"""The monitoring daemons tell of themselves no more often than this: each has hundreds of series."""

EXPORTER_TIMEOUT = timedelta(seconds=10)
"""What a scrape of an exporter may take, but never longer than the interval: Prometheus's own default."""

COMMON_LABELS = ("prometheus", "prometheus_replica", "replica")
"""What a pair of Prometheis usually calls the label by which its halves differ."""


class Kind(StrEnum):
    """What can be rendered."""

    PROMETHEUS = "prometheus"
    RULES = "rules"
    ALERTMANAGER = "alertmanager"
    BLACKBOX = "blackbox"
    BLACKBOX_WEB = "blackbox-web"
    """Who may ask the blackbox exporter, in the format of `--web.config.file`."""

    @property
    def file_name(self) -> str:
        return f"{self}.yml"


def kinds_of(settings: Settings) -> tuple[Kind, ...]:
    """The files that a host with these settings needs."""
    return tuple(kind for kind in Kind if kind is not Kind.BLACKBOX_WEB or settings.vantage_cert_file)


def rendered(kind: Kind, settings: Settings) -> str:
    """The file's text.

    Raises:
        SettingsError: the settings do not say what this file needs.

    """
    if kind is Kind.BLACKBOX_WEB:
        settings.check_mutual_tls()
    return _TEMPLATES.get_template(f"{kind.file_name}.j2").render(_words(kind, settings))


def command(kind: Kind, settings: Settings) -> str:
    """The command that makes the file: how it probes always, other settings where they are not the default."""
    words = ["wgfleet", "render", kind, *_times(kind, settings)]
    default = Settings()
    for field, option in _TOLD[kind].items():
        value = getattr(settings, field)
        if value != getattr(default, field):
            words += [
                word
                for one in (value if isinstance(value, tuple) else [value])
                for word in (option, str(one))
            ]
    return shlex.join(words)


def _times(kind: Kind, settings: Settings) -> Iterator[str]:
    if kind is Kind.BLACKBOX_WEB:
        return
    probing, alerting = settings.probing, settings.alerting
    yield from ("--interval", duration_text(probing.interval), "--timeout", duration_text(probing.timeout))
    if kind is Kind.RULES:
        yield from ("--threshold", str(probing.threshold), "--deciding", settings.deciding)
        if probing.chosen_window is not None:
            yield from ("--window", duration_text(probing.chosen_window))
    if kind in {Kind.PROMETHEUS, Kind.RULES} and alerting.resend_delay != Settings().alerting.resend_delay:
        yield from ("--resend-delay", duration_text(alerting.resend_delay))
    if kind is Kind.ALERTMANAGER:
        if alerting.group_interval is not None:
            yield from ("--group-interval", duration_text(alerting.group_interval))
        if alerting.repeat_interval != Settings().alerting.repeat_interval:
            yield from ("--repeat-interval", duration_text(alerting.repeat_interval))


_VANTAGE_FILES: Mapping[str, str] = {
    "vantage_ca_file": "--vantage-ca-file",
    "vantage_cert_file": "--vantage-cert-file",
    "vantage_key_file": "--vantage-key-file",
}

_TOLD: Mapping[Kind, Mapping[str, str]] = {
    Kind.PROMETHEUS: {
        "receivers": "--receiver",
        "receiver_ca_file": "--receiver-ca-file",
        "replicas": "--replica",
        "followers": "--follower",
        "vantages": "--vantage",
        "canaries": "--canary",
        **_VANTAGE_FILES,
        "alertmanagers": "--alertmanager",
        "prometheis": "--prometheus",
        "external_labels": "--external-label",
        "rules": "--rules",
        "prometheus_token_file": "--token-file",
        "exporter_scheme": "--exporter-scheme",
        "exporter_ca_file": "--exporter-ca-file",
        "exporter_cert_file": "--exporter-cert-file",
        "exporter_key_file": "--exporter-key-file",
        "exporter_token_file": "--exporter-token-file",
        "exporter_username": "--exporter-username",
        "exporter_password_file": "--exporter-password-file",
    },
    Kind.RULES: {"runbooks": "--runbooks", "load_limit": "--load-limit"},
    Kind.ALERTMANAGER: {
        "receivers": "--receiver",
        "receiver_ca_file": "--receiver-ca-file",
        "alertmanager_token_file": "--token-file",
    },
    Kind.BLACKBOX: {},
    Kind.BLACKBOX_WEB: _VANTAGE_FILES,
}
"""What each file depends on besides the times, and how that is called on the command line."""

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
# JSON is YAML, whatever is in it: a text, or a mapping on one line.
_TEMPLATES.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)


def _words(kind: Kind, settings: Settings) -> dict[str, Any]:
    return {
        **_words_for_times(settings),
        "command": command(kind, settings),
        "deciding": settings.deciding,
        "deciding_what": settings.deciding.what,
        "runbooks": settings.runbooks.rstrip("/"),
        "load_limit": f"{settings.load_limit:g}",
        "rules": settings.rules,
        "token_file": settings.alertmanager_token_file
        if kind is Kind.ALERTMANAGER
        else settings.prometheus_token_file,
        **_words_for_receiver(settings),
        **_words_for_exporters(settings),
        **_words_for_vantages(settings),
    }


def _words_for_times(settings: Settings) -> dict[str, Any]:
    probing, alerting = settings.probing, settings.alerting
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
        "threshold": probing.threshold,
        "group_interval": duration_text(alerting.group_interval_for(probing)),
        "repeat_interval": duration_text(alerting.repeat_interval),
        "resend_delay": duration_text(alerting.resend_delay),
        "alert_lifetime": duration_text(4 * alerting.resend_delay),
        "watchdog_interval": duration_text(WATCHDOG_INTERVAL),
        "exporter_timeout": duration_text(min(EXPORTER_TIMEOUT, probing.interval)),
        "daemons_interval": duration_text(max(DAEMONS_INTERVAL, probing.interval)),
    }


def _words_for_receiver(settings: Settings) -> dict[str, Any]:
    receivers = [urlsplit(receiver) for receiver in settings.receivers]
    return {
        "receivers": [f"{receiver.scheme}://{receiver.netloc}" for receiver in receivers],
        "scraped": _by_scheme(_places(settings.replicas or settings.receivers)),
        "followers": _by_scheme(_places(settings.followers)),
        "receiver_tls": _tls(ca_file=settings.receiver_ca_file),
    }


def _words_for_exporters(settings: Settings) -> dict[str, Any]:
    return {
        "exporter_scheme": settings.exporter_scheme,
        "exporter_tls": _tls(
            ca_file=settings.exporter_ca_file,
            cert_file=settings.exporter_cert_file,
            key_file=settings.exporter_key_file,
        ),
        "exporter_token_file": settings.exporter_token_file,
        "exporter_username": settings.exporter_username,
        "exporter_password_file": settings.exporter_password_file,
    }


def _words_for_vantages(settings: Settings) -> dict[str, Any]:
    labels = dict(settings.parsed_labels)
    return {
        "vantages": settings.parsed_vantages,
        "canaries": {
            vantage.name: [address for name, address in settings.parsed_canaries if name == vantage.name]
            for vantage in settings.parsed_vantages
        },
        "vantage_tls": _tls(
            ca_file=settings.vantage_ca_file,
            cert_file=settings.vantage_cert_file,
            key_file=settings.vantage_key_file,
        ),
        "alertmanagers": _by_scheme(settings.parsed_alertmanagers),
        "prometheis": _by_scheme(settings.parsed_prometheis),
        "external_labels": labels,
        "dropped_labels": "|".join(dict.fromkeys((*COMMON_LABELS, *labels))),
    }


def _tls(**files: str) -> dict[str, str]:
    return {name: file for name, file in files.items() if file}


def _places(urls: Sequence[str]) -> list[Place]:
    return [Place(url.scheme, url.netloc) for url in map(urlsplit, urls)]


def _by_scheme(places: Sequence[Place]) -> dict[str, list[str]]:
    schemes = dict.fromkeys(place.scheme for place in places)
    return {scheme: [place.address for place in places if place.scheme == scheme] for scheme in schemes}

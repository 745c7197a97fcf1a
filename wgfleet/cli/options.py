"""The options of `wgfleet render`, and the settings that they ask for."""

import argparse
from dataclasses import fields
from datetime import timedelta

from wgfleet.cli.alerting import Alerting
from wgfleet.cli.monitoring import Kind
from wgfleet.cli.probing import Probing, SettingsError, default_timeout, duration_text, parse_duration
from wgfleet.cli.settings import Deciding, Settings

_REPEATED = (
    "receivers",
    "replicas",
    "followers",
    "vantages",
    "canaries",
    "alertmanagers",
    "prometheis",
    "external_labels",
)
"""Settings whose options may be given several times."""


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting but the tokens, which one file has and the other has not."""
    _add_times(parser.add_argument_group("times"))
    _add_places(parser.add_argument_group("places"))
    _add_files(parser.add_argument_group("certificates, tokens and other files, as the daemons see them"))
    parser.add_argument(
        "--json", action="store_true", help="say what was made, and its times in seconds, as JSON"
    )


def _add_times(group: "argparse._ArgumentGroup") -> None:
    default, add = Settings(), group.add_argument
    add("--interval", metavar="DURATION", default="30s", help="between two probes (%(default)s)")
    add("--timeout", metavar="DURATION", help="of one probe (half the interval, and 2s at most)")
    add("--threshold", metavar="N", default="3", help="failed probes in a row (%(default)s)")
    add(
        "--window",
        metavar="DURATION",
        help="what these probes must lie in (threshold x interval + timeout and a margin)",
    )
    add(
        "--deciding",
        default=default.deciding,
        help="the probe that decides: tunnel, icmp or tcp (%(default)s)",
    )
    add(
        "--resend-delay",
        metavar="DURATION",
        default=duration_text(default.alerting.resend_delay),
        help="Prometheus's --rules.alert.resend-delay (%(default)s)",
    )
    add("--group-interval", metavar="DURATION", help="Alertmanager's turns (the interval, and 1s at most)")
    add(
        "--repeat-interval",
        metavar="DURATION",
        default=duration_text(default.alerting.repeat_interval),
        help="how often the receiver is told again (%(default)s)",
    )
    add(
        "--load-limit",
        metavar="RATIO",
        default=f"{default.load_limit:g}",
        help="above it a worker is overloaded (%(default)s)",
    )


def _add_places(group: "argparse._ArgumentGroup") -> None:
    default = Settings()

    for option, metavar, dest, text in (
        ("--receiver", "URL", "receivers", default.receivers[0]),
        (
            "--replica",
            "URL",
            "replicas",
            "a receiver by its own address, behind the balancer that --receiver names: these are scraped, all of them",
        ),
        ("--follower", "URL", "followers", "a follower that is scraped"),
        (
            "--vantage",
            "NAME[=HOST:PORT]",
            "vantages",
            "a place that probes, and its blackbox exporter (main)",
        ),
        (
            "--canary",
            "NAME=ADDRESS",
            "canaries",
            "what this vantage pings that is no worker (the receiver says)",
        ),
        ("--alertmanager", "HOST:PORT", "alertmanagers", default.alertmanagers[0]),
        ("--prometheus", "HOST:PORT", "prometheis", f"which tells of itself; {default.prometheis[0]}"),
        ("--external-label", "NAME=VALUE", "external_labels", "for remote storage; reaches no alert"),
    ):
        group.add_argument(
            option, metavar=metavar, dest=dest, action="append", help=f"{text}; may be repeated"
        )
    group.add_argument(
        "--exporter-scheme", default=default.exporter_scheme, help="http or https (%(default)s)"
    )
    group.add_argument("--exporter-username", metavar="NAME", help="for basic authentication")
    group.add_argument(
        "--runbooks", metavar="URL", default=default.runbooks, help="the alerts' pages (%(default)s)"
    )


def _add_files(group: "argparse._ArgumentGroup") -> None:
    for option, text in (
        ("--receiver-ca-file", "the authority of the certificates of receivers and followers (the system's)"),
        ("--vantage-ca-file", "the authority of the monitoring hosts' certificates (the system's)"),
        ("--vantage-cert-file", "this monitoring host's certificate"),
        ("--vantage-key-file", "and its key"),
        ("--exporter-ca-file", "the authority of the exporters' certificates (the system's)"),
        ("--exporter-cert-file", "by which the exporters know Prometheus"),
        ("--exporter-key-file", "and its key"),
        ("--exporter-token-file", "the bearer token for the exporters"),
        ("--exporter-password-file", "the password for the exporters"),
    ):
        group.add_argument(option, metavar="PATH", help=text)
    group.add_argument(
        "--rules", metavar="PATH", default=Settings().rules, help="as Prometheus reads it (%(default)s)"
    )


def settings_from(args: argparse.Namespace) -> Settings:
    """The settings that the arguments ask for.

    Raises:
        SettingsError: one of them cannot work.

    """
    interval = _duration("interval", args.interval)
    given = {name: value for name, value in vars(args).items() if value is not None}
    if args.kind == Kind.ALERTMANAGER and args.token_file is not None:
        given["alertmanager_token_file"] = args.token_file
    elif "token_file" in given:
        given["prometheus_token_file"] = args.token_file
    for repeated in _REPEATED:
        if repeated in given:
            given[repeated] = tuple(given[repeated])
    if not args.threshold.isdecimal():
        raise SettingsError(f"threshold is {args.threshold!r}, expected a whole number")
    if args.deciding not in set(Deciding):
        raise SettingsError(f"deciding is {args.deciding!r}, expected {', '.join(Deciding)}")
    given["deciding"] = Deciding(args.deciding)
    given["load_limit"] = _number("load_limit", args.load_limit)
    given["probing"] = Probing(
        interval=interval,
        timeout=default_timeout(interval) if args.timeout is None else _duration("timeout", args.timeout),
        threshold=int(args.threshold),
        chosen_window=_optional_duration("window", args.window),
    )
    given["alerting"] = Alerting(
        resend_delay=_duration("resend_delay", args.resend_delay),
        group_interval=_optional_duration("group_interval", args.group_interval),
        repeat_interval=_duration("repeat_interval", args.repeat_interval),
    )
    return Settings(**{field.name: given[field.name] for field in fields(Settings) if field.name in given})


def _duration(field: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"{field}: {error}") from None


def _optional_duration(field: str, text: str | None) -> timedelta | None:
    return None if text is None else _duration(field, text)


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{field} is {text!r}, expected a number") from None

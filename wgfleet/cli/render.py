"""`wgfleet render`: reads arguments, and writes or prints what monitoring.py renders."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from wgfleet.cli.monitoring import Deciding, Kind, Settings, rendered
from wgfleet.cli.probing import Probing, SettingsError, default_timeout, duration_text, parse_duration


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `render` to the operator's command."""
    parser = subparsers.add_parser(
        "render",
        help="write the configuration of Prometheus, Alertmanager and blackbox",
        description="Write the configuration of Prometheus, its rules, Alertmanager and blackbox. "
        "Give all of them the same times.",
    )
    parser.set_defaults(run=run)
    kinds = parser.add_subparsers(
        dest="kind", metavar="prometheus|rules|alertmanager|blackbox|all", required=True
    )
    for kind in Kind:
        one = kinds.add_parser(kind, help=f"{kind.file_name}, to standard output unless --output is given")
        _add_common(one)
        one.add_argument("--output", metavar="FILE", type=Path)
        one.add_argument(
            "--token-file",
            metavar="PATH",
            help="where the program that reads the file finds its bearer token",
        )
    all_files = kinds.add_parser("all", help="the four files, into a directory")
    _add_common(all_files)
    all_files.add_argument("--output-dir", metavar="DIR", type=Path, required=True)
    all_files.add_argument("--prometheus-token-file", metavar="PATH")
    all_files.add_argument("--alertmanager-token-file", metavar="PATH")


def _add_common(parser: argparse.ArgumentParser) -> None:
    default = Settings()
    add = parser.add_argument
    add("--interval", metavar="DURATION", default="30s", help="between two probes (%(default)s)")
    add("--timeout", metavar="DURATION", help="of one probe (half the interval, and 2s at most)")
    add("--threshold", metavar="N", default="3", help="failed probes in a row (%(default)s)")
    add(
        "--deciding",
        default=default.deciding,
        help="the probe that decides: tunnel, icmp or tcp (%(default)s)",
    )
    add("--receiver", metavar="URL", default=default.receiver, help="%(default)s")
    add("--blackbox", metavar="HOST:PORT", default=default.blackbox, help="%(default)s")
    add(
        "--alertmanager",
        metavar="HOST:PORT",
        action="append",
        help=f"{default.alertmanagers[0]}; may be repeated",
    )
    add("--vantage", metavar="NAME", default=default.vantage, help="what this place is called (%(default)s)")
    add("--rules", metavar="PATH", default=default.rules, help="as Prometheus reads it (%(default)s)")
    add("--runbooks", metavar="URL", default=default.runbooks, help="the alerts' pages (%(default)s)")
    add(
        "--load-limit",
        metavar="RATIO",
        default=f"{default.load_limit:g}",
        help="above it a worker is overloaded (%(default)s)",
    )
    add("--json", action="store_true", help="say what was made, and its times in seconds, as JSON")


def run(args: argparse.Namespace) -> int:
    """Carry out `wgfleet render`."""
    try:
        settings = settings_from(args)
        texts = {kind: rendered(kind, settings) for kind in _kinds(args)}
        written = _write(texts, args)
    except SettingsError as error:
        print(f"wgfleet render: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"wgfleet render: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if args.json:
        files = [
            {"kind": kind, "path": str(written[kind])} if kind in written else {"kind": kind, "text": text}
            for kind, text in texts.items()
        ]
        print(json.dumps({"probing": settings.probing.as_json(), "files": files}, indent=2))
    elif written:
        print("".join(f"wrote {path}\n" for path in written.values()) + _in_words(settings.probing))
    else:
        print("".join(texts.values()), end="")
    return 0


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
    if args.alertmanager:
        given["alertmanagers"] = tuple(args.alertmanager)
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
    )
    return Settings(**{field.name: given[field.name] for field in fields(Settings) if field.name in given})


def _duration(field: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SettingsError(f"{field}: {error}") from None


def _number(field: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"{field} is {text!r}, expected a number") from None


def _kinds(args: argparse.Namespace) -> tuple[Kind, ...]:
    return tuple(Kind) if args.kind == "all" else (Kind(args.kind),)


def _write(texts: Mapping[Kind, str], args: argparse.Namespace) -> dict[Kind, Path]:
    """Write what is to go to a file; empty if it is to be printed."""
    if args.kind == "all":
        args.output_dir.mkdir(parents=True, exist_ok=True)
        paths = {kind: args.output_dir / kind.file_name for kind in texts}
    else:
        paths = {kind: args.output for kind in texts if args.output is not None}
    for kind, path in paths.items():
        path.write_text(texts[kind])
    return paths


def _in_words(probing: Probing) -> str:
    return (
        f"A worker that dies is reported within {duration_text(probing.detection)}. The receiver is blind after "
        f"{duration_text(probing.watchdog_silence)} without the Watchdog, and for one worker after "
        f"{duration_text(probing.worker_silence)} without a verdict on it."
    )

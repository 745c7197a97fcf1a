"""`wgfleet render`: writes or prints what monitoring.py renders, or checks what others wrote."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from wgfleet.cli.monitoring import Kind, kinds_of, rendered
from wgfleet.cli.options import add_settings, settings_from
from wgfleet.cli.probing import SettingsError, duration_text
from wgfleet.cli.settings import Settings


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `render` to the operator's command."""
    parser = subparsers.add_parser(
        "render",
        help="write the configuration of Prometheus, Alertmanager and blackbox",
        description="Write the configuration of Prometheus, its rules, Alertmanager and blackbox. "
        "Give all of them the same times. Or check files of your own by the same times.",
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument(
        "--check",
        metavar="FILE",
        nargs="+",
        help="say what would break failover in these files: those of Prometheus, its rules, Alertmanager, blackbox",
    )
    parser.add_argument("--json", dest="check_json", action="store_true", help="with --check: as JSON")
    kinds = parser.add_subparsers(dest="kind", metavar="|".join((*Kind, "all")))
    for kind in Kind:
        one = kinds.add_parser(
            kind.value, help=f"{kind.file_name}, to standard output unless --output is given"
        )
        add_settings(one)
        one.add_argument("--output", metavar="FILE", type=Path)
        one.add_argument(
            "--token-file",
            metavar="PATH",
            help="where the program that reads the file finds its bearer token",
        )
    all_files = kinds.add_parser("all", help="all files, into a directory")
    add_settings(all_files)
    all_files.add_argument("--output-dir", metavar="DIR", type=Path, required=True)
    all_files.add_argument("--prometheus-token-file", metavar="PATH")
    all_files.add_argument("--alertmanager-token-file", metavar="PATH")


def run(args: argparse.Namespace) -> int:
    """Carry out `wgfleet render`."""
    if args.check and args.kind is None:
        from wgfleet.cli import check  # noqa: PLC0415  # The other commands need not wait for a YAML parser.

        return check.run(args.check, as_json=args.check_json)
    if args.check or args.kind is None or args.check_json:
        args.parser.error(
            f"expected one of {', '.join((*Kind, 'all'))} with its options, or --check FILE… [--json]"
        )
    try:
        settings = settings_from(args)
        kinds = kinds_of(settings) if args.kind == "all" else (Kind(args.kind),)
        texts = {kind: rendered(kind, settings) for kind in kinds}
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
        times = {
            "probing": settings.probing.as_json(),
            "alerting": settings.alerting.as_json(settings.probing),
        }
        print(json.dumps({**times, "files": files}, indent=2))
    elif written:
        print("".join(f"wrote {path}\n" for path in written.values()) + _in_words(settings))
    else:
        print("".join(texts.values()), end="")
    return 0


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


def _in_words(settings: Settings) -> str:
    probing = settings.probing
    parts = {name: duration_text(part) for name, part in probing.detection_parts.items()}
    turn = duration_text(settings.alerting.group_interval_for(probing))
    return (
        f"A worker that dies is reported within {duration_text(probing.detection)}: {probing.threshold} probes "
        f"{duration_text(probing.interval)} apart ({parts['probes']}), the last one's timeout ({parts['timeout']}), a "
        f"margin for storing it ({parts['margin']}), and the next evaluation of the rules ({parts['evaluation']}). "
        f"Alertmanager passes it on at once, or at its next turn ({turn}) if the worker had failed just before. The "
        f"receiver is blind after {duration_text(probing.watchdog_silence)} without the Watchdog, and for one worker "
        f"after {duration_text(probing.worker_silence)} without a verdict on it."
    )

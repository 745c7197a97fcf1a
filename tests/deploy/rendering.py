"""`wgfleet render` as it is called, and every option that it has."""

import argparse
import shlex

import pytest

from wgfleet.cli.monitoring import Kind
from wgfleet.cli.render import add_parser

PACE = "--interval 5s --timeout 1s500ms"
TIMES = "--resend-delay 4s"
TURNS = "--group-interval 2s --repeat-interval 20s"
RECEIVER = "--receiver https://receiver.example:9443 --receiver-ca-file /etc/receiver.pem"
SCRAPED = (
    "--replica https://r1.example:9587 --replica http://192.0.2.7:9587 --replica https://r2.example:9587 "
    "--follower http://192.0.2.8:9587"
)
CERTIFICATES = (
    "--vantage-ca-file /etc/ca.pem --vantage-cert-file /etc/cert.pem --vantage-key-file /etc/key.pem"
)
TARGETS = (
    f"--vantage 'home=[::1]:9115' --vantage far=far.example:9115 --canary far=192.0.2.9 {CERTIFICATES} "
    "--alertmanager 127.0.0.1:9093 --alertmanager http://192.0.2.1:9093 --alertmanager far.example:9093 "
    "--prometheus 127.0.0.1:9090 --prometheus far.example:9090 --external-label site=here --rules /etc/rules.yml"
)
TOKEN = "--token-file '/etc/my tokens/it'"
EXPORTER = "--exporter-scheme https --exporter-ca-file /etc/x.pem --exporter-token-file /etc/x.token"
ALERTS = "--runbooks https://wiki.example/wg --load-limit 0.7"
EVERY_OPTION = (
    f"{PACE} {TIMES} {TURNS} --window 17s {RECEIVER} {SCRAPED} {TARGETS} {TOKEN} {EXPORTER} {ALERTS}"
)
RENDERED = tuple(kind for kind in Kind if kind is not Kind.BLACKBOX_WEB)
"""What renders without certificates."""


def wgfleet(command: str) -> int:
    parser = argparse.ArgumentParser(prog="wgfleet")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(shlex.split(command))
    return int(args.run(args))


def rendered(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert wgfleet(command) == 0
    return capsys.readouterr().out

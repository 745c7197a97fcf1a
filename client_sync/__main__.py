"""`wgfleet-sync`: keeps clients pointed at a worker that serves, a worker's peers as its clients are, a vantage's tunnels."""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from client_sync import holding
from client_sync.config import ConfigurationError, Role, load
from client_sync.reached import receiver_lines, remark_lines
from client_sync.showing import hearing
from client_sync.watching import CLEAR, not_there, stale, watch
from wgfleet import __version__, logs
from wgfleet.dump import DumpError
from wgfleet.names import check_name
from wgfleet.wg import WgError

try:
    from client_sync import enrolling
    from client_sync.adopting import command as adopting
    from client_sync.by_hand import rendered
    from client_sync.daemon import run
    from client_sync.layouts import guard_of
    from client_sync.report import STATUS
    from client_sync.worker import health
    from client_sync.worker import status as worker_status
    from client_sync.worker.daemon import run as run_worker
except ModuleNotFoundError as missing:
    # The command is installed with every daemon, its packages only on clients.
    sys.exit(
        f"wgfleet-sync: the package {missing.name} is not installed here: on a client, "
        "`pip install --require-hashes -r requirements/sync.txt`"
    )

CONFIGURATION = Path("/etc/wgfleet/sync.toml")
WATCH_SECONDS = 1.0
WIDTH = len("receiver   ")
"""Of the first column of a status."""
DENIED = ("Permission denied", "Operation not permitted", "Protocol not supported")
"""The last: a userspace WireGuard's socket that others than root do not see."""
CLOSES_AGAIN = "the daemon runs, and would close it again at its next step: stop it first (`systemctl stop wgfleet-sync`)"
EXAMPLE = """\
the configuration, with all that is required:

  fleet = "example"                 # as given to `wgfleet-receiver init`
  name = "laptop-1"                 # this client's own name
  interface = "wg0"                 # one that exists, with its key and addresses; or one that the daemon makes: below
  receivers = ["https://monitoring.example.com:9587"]
  token_file = "token"              # from `wgfleet token create laptop-1 --role client`
  trusted_keys = ["..."]            # from `wgfleet signing-key`

and what may be added, with its default:

  policy = "spread"                 # or "priority": the operator's order; "latency": the quickest tunnel
  state_directory = "/var/lib/wgfleet/sync"
  ca_file = "ca.pem"                # none: the system's authorities
  local_failover = true             # leave a worker that own probes find silent, without being told to
  active_probe_interval = 1.0       # seconds; how soon a dead worker is found while no traffic flows
  standby_probe_interval = 5.0      # seconds
  failback_after = 30.0             # seconds that a worker which was left must be well before it is returned to,
  failback_spread = 300.0           # and up to so many more, each client its own
  manage_routes = true              # add routes for the workers' allowed IPs, and blackholes beneath them
  proxy = "http://proxy:3128"       # none: receivers are reached directly, whatever the environment says
  proxy_credentials_file = "proxy"  # user:password, if the proxy wants any
  textfile = "/var/lib/prometheus/node-exporter/wgfleet.prom"  # none: for node_exporter's textfile collector
  poll_interval = 10.0              # seconds between questions where the event stream does not come through
  layout = "single"                 # or "per-worker": below
  kill_switch = false               # true: what is routed through the tunnel leaves by it or not at all, daemon or no daemon
  kill_switch_allow = []            # ["192.168.0.0/16"]: but for these networks
  kill_switch_first = ["0.0.0.0/0", "::/0"]  # what it bars until the first peer set says what is routed
"""
WORKER_EXAMPLE = """\
on a worker, the same but for what concerns probes, policy and failback, and:

  role = "worker"                   # follow the client list; the token's role is worker, too
  forwarding = false                # true: let the kernel forward packets
  masquerade = []                   # ["eth0"]: what clients send out there gets this machine's address
  client_hook = "/etc/wgfleet/client-hook"  # none: run when a client becomes active here, or leaves: docs/hooks.md
  drain_on_stop = false             # true: on SIGTERM clients are sent away first, and it ends once none uses it
  drain_timeout = 120.0             # seconds that this may take
  shared_interface = "wg1"          # none: a second one, whose key workers share, for devices without the daemon,
  shared_networks = ["10.98.0.0/16"]  # and where their addresses lie: docs/dns.md
"""
BROKER_EXAMPLE = """\
on a client that follows an MQTT broker, and receivers while it cannot; without receivers and token_file, the broker alone;
at the end of the file:

  [mqtt]
  url = "mqtts://broker.example.com:8883"  # or mqtt://, without TLS: documents are signed, passwords are not
  topic = "wgfleet/example/peer-set"       # the default: wgfleet/FLEET/peer-set
  ca_file = "broker-ca.pem"                # none: the system's authorities
  cert_file = "client.pem"                 # none; with its key_file, for a broker that asks for one
  key_file = "client.key"
  username = "laptop-1"                    # none
  password_file = "broker-password"
"""
OWN = """\
on a client whose interface the daemon makes itself, at start and whenever it is gone, with the routing of a full tunnel:

  private_key_file = "private.key"  # the client's own, from `wg genkey`
  addresses = ["10.99.1.7"]         # the client's own inside the tunnel; "10.99.1.7/16" leads that network there, too

and may add, with its default:

  wireguard = "auto"                # the kernel's, else wireguard-go; or "kernel", or "userspace"
  firewall_mark = 958600            # the number of its routing table, too; of an interface that is there: what it has
"""
RESTART = """\
on a client whose interface takes changes by a restart only, all connections pausing at each change, beside:

  apply = "restart"                 # default "live"
  kill_switch = true                # has to be said then: between down and up traffic goes out in clear
  restart_command = ["wg-quick down wg0", "wg-quick up wg0"]  # or ["systemctl restart wg-quick@wg0"]
  wg_quick_file = "/etc/wireguard/wg0.conf"
"""
PER_WORKER = """\
on a client with an interface for each worker, which the daemon makes likewise, the same file says instead:

  layout = "per-worker"
  interface = "wg"                  # what the interfaces' names begin with
  private_key_file = "private.key"  # the client's own, from `wg genkey`
  addresses = ["10.99.1.7"]         # the client's own inside the tunnel

and may add, with its default:

  wireguard = "auto"                # the kernel's, else wireguard-go; or "kernel", or "userspace"
  firewall_mark = 958600            # the workers' marks and routing tables are the numbers after it
  drain_deadline = 3600.0           # seconds that connections may stay on a worker that is being left
  probe_target = "198.51.100.7"     # none. An address beyond the workers: one that leads there no more, as others do, is left
"""
VANTAGE_EXAMPLE = """\
on a monitoring host that probes workers through their tunnels, the same but for what concerns probes, policy and
failback, and:

  role = "vantage"                  # keep each worker a peer, with its tunnel address; the token's role is vantage, too
  manage_routes = true              # add routes for the workers' tunnel addresses, and blackholes beneath them
"""


def main() -> int:
    """Run the command; return its exit code: 0 done, 1 it failed, 2 it was asked or configured wrongly."""
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except (WgError, DumpError, ValueError, OSError) as error:
        beside = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        print(f"wgfleet-sync: {error}{_as_root(error)}{beside}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1  # systemd starts it again after a 1.
    except KeyboardInterrupt:
        return 130


def _as_root(error: Exception) -> str:
    """What helps where the system does not let this user do it."""
    said = str(error)
    denied = isinstance(error, PermissionError) or any(word in said for word in DENIED)
    return "; run it as root" if denied and os.geteuid() != 0 and "run as root" not in said else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wgfleet-sync",
        description="On a client: holds all workers of the fleet as WireGuard peers and moves the traffic, live, to one "
        "that serves. On a worker: keeps its peers as the fleet's clients are. On a vantage: keeps every worker a peer, for "
        "probes through the tunnel. The interface is never taken down, unless `apply` says so, and peers that others added "
        "are left alone.",
        epilog="First time: an operator makes a bundle (`wgfleet client enrol NAME`), and `wgfleet-sync enroll BUNDLE` joins "
        "with it: it writes the configuration and ends with what is left to do. Where a tunnel runs already, `wgfleet-sync "
        "adopt` says what it found. Then the unit wgfleet-sync does `run`, and `wgfleet-sync status` shows what it does.",
    )
    parser.add_argument("--version", action="version", version=f"wgfleet-sync {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, what, does in (
        ("run", _run, "follow the receiver until told to stop"),
        ("status", _status, "show what the running daemon has applied"),
        (
            "health",
            _health,
            "on a worker: 0 if it should attract traffic by an address that workers share, else 1",
        ),
        ("render", _render, "print a file for wg-quick by the last good peer set, to take over by hand"),
    ):
        command = commands.add_parser(
            name,
            help=does,
            description=does,
            epilog=f"{EXAMPLE}\n{OWN}\n{PER_WORKER}\n{RESTART}\n{BROKER_EXAMPLE}\n{WORKER_EXAMPLE}\n{VANTAGE_EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--config", type=Path, default=CONFIGURATION, help="the configuration (default: %(default)s)"
        )
        command.set_defaults(run=what)
        if name == "run":
            command.add_argument(
                "--log-format", choices=("text", "json"), default="text", help="for people or for programs"
            )
        elif name == "render":
            command.add_argument(
                "--worker", type=_name, help="through this worker (default: the one that carries the traffic)"
            )
        else:
            command.add_argument("--json", action="store_true", help="for programs")
            command.add_argument("--watch", action="store_true", help="again at each change, until Ctrl-C")
            command.add_argument(
                "--interval",
                type=_interval,
                metavar="SECONDS",
                help=f"with --watch: between looks for a change (default: {WATCH_SECONDS:g})",
            )
            command.set_defaults(parser=command)
    for name, what, does in (
        ("open", _open, "take the kill switch away until the daemon starts again; stop the daemon first"),
        (
            "close",
            _close,
            "put the kill switch back as the daemon left it, or as it is before the first peer set",
        ),
    ):
        command = commands.add_parser(name, help=does, description=does)
        command.add_argument(
            "--config", type=Path, default=CONFIGURATION, help="the configuration (default: %(default)s)"
        )
        command.set_defaults(run=what)
    enrolling.add_to(commands)
    adopting.add_to(commands, enrolling.DIRECTORY)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    logs.configure(arguments.log_format)
    config = load(arguments.config)
    with (
        holding.held(config.state_directory),
        holding.interfaces_held(holding.interfaces_of(config)),
    ):
        asyncio.run(run_worker(config) if config.role is Role.WORKER else run(config))
    return 0


def _open(arguments: argparse.Namespace) -> int:
    config = load(arguments.config)
    with holding.held(config.state_directory, otherwise=CLOSES_AGAIN):
        guard_of(config).open()
    print("open: what is routed through the tunnel may leave in clear until the daemon starts again")
    return 0


def _close(arguments: argparse.Namespace) -> int:
    config = load(arguments.config)
    if not config.kill_switch:
        raise ConfigurationError(f"{arguments.config}: kill_switch is false: nothing is to be closed")
    if not guard_of(config).close():
        print("nothing is barred: there was no peer set yet, and kill_switch_first is empty", file=sys.stderr)
        return 1
    print("closed")
    return 0


def _between_looks(arguments: argparse.Namespace) -> float:
    """Seconds. Ends the program where there is one look only, and something is said of more."""
    if arguments.interval is not None and not arguments.watch:
        arguments.parser.error("--interval belongs to --watch: without it there is one look")
    return WATCH_SECONDS if arguments.interval is None else float(arguments.interval)


def _status(arguments: argparse.Namespace) -> int:
    interval = _between_looks(arguments)
    directory = load(arguments.config).state_directory
    file = directory / STATUS
    if arguments.watch:

        def show(status: dict[str, Any]) -> None:
            clear = CLEAR if sys.stdout.isatty() and not arguments.json else ""
            print(clear + _shown(status, as_json=arguments.json), flush=True)

        watch(
            file,
            show,
            _complain,
            interval=interval,
            started=lambda: holding.runs_since(directory),
            gone=lambda: holding.is_gone(directory),
        )
    try:
        status, written = json.loads(file.read_text()), file.stat().st_mtime
    except FileNotFoundError:
        raise ValueError(not_there(file, holding.runs_since(directory))) from None
    print(_shown(status, as_json=arguments.json))
    started, gone = holding.runs_since(directory), holding.is_gone(directory)
    if (trouble := stale(status, written, started, gone=gone, now=time.time())) is not None:
        _complain(trouble)
    return 0


def _health(arguments: argparse.Namespace) -> int:
    interval = _between_looks(arguments)
    config = load(arguments.config)
    if config.role is not Role.WORKER:
        raise ConfigurationError(f"{arguments.config}: role is {config.role}: only a worker attracts traffic")
    interfaces = [one for one in (config.interface, config.shared_interface) if one is not None]

    def look() -> health.Health:
        return health.look(config.state_directory / STATUS, interfaces)

    def show(found: health.Health) -> None:
        print(found.to_json() if arguments.json else found.line, flush=True)

    if arguments.watch:
        health.watch(look, show, _complain, interval=interval)
    found = look()
    show(found)
    return 0 if found.attracts else 1


def _complain(trouble: str) -> None:
    print(f"wgfleet-sync: {trouble}", file=sys.stderr, flush=True)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: seconds were expected, from 0.1 to 3600")
    return seconds


def _shown(status: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(status)
    if status.get("role") == Role.WORKER:
        return worker_status.shown(status)
    known = status["generation"] is not None
    number = f"{status['epoch']}.{status['generation']}, monitoring {status['monitoring']}"
    why = f" ({status['reason']})" if status["reason"] else ""
    asked = ", asked again and again: its event stream does not come through"
    by = asked if status["heard_by"] == "poll" else ""
    first = f"active     {status['active'] or '(none)'}{why}"
    lines = [
        f"vantage    {hearing(status)} answer" if status.get("role") == Role.VANTAGE else first,
        *receiver_lines(status, WIDTH, by),
        f"peer set   {number if known else '(none yet)'}",
    ]
    for name, count in status.get("draining", {}).items():
        lines.append(f"leaving    {name}, connections left: {'not counted' if count is None else count}")
    for name, worker in status["workers"].items():
        lines.append(f"  {name:20} {worker['state']:10} {worker['reason']:16} {_probes(worker)}")
    return "\n".join(lines + remark_lines(status, WIDTH))


def _render(arguments: argparse.Namespace) -> int:
    config = load(arguments.config)
    print(rendered(config, config.state_directory / STATUS, arguments.worker), end="")
    return 0


def _name(value: str) -> str:
    try:
        return check_name(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _probes(worker: dict[str, Any]) -> str:
    """What its tunnel answered, the last outcomes at the end: a dot for each answer."""
    misses, rtt = worker["misses"], worker["rtt_ms"]
    if misses is None:
        return "not probed"
    took = "" if rtt is None else f" in {rtt:.1f} ms"
    said = f"answers{took}" if misses == 0 else f"silent, {misses} missed"
    return f"{said:22} {worker['history']}"


if __name__ == "__main__":
    sys.exit(main())

"""Who may import whom, and what a core may not know. An arrow that is not drawn here is a bug.

The source is read, not imported: what a branch that never runs would import counts too.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[1]

DAEMONS = ("exporter", "failover_receiver", "client_sync")
PACKAGES = ("wgfleet", *DAEMONS)

SHARED_LIBRARIES = ("cryptography", "jwt")
"""All that wgfleet may need beside the standard library: it is installed on every machine."""

PURE = {
    "wgfleet.attracting": (),
    "wgfleet.bundle": (),
    "wgfleet.clientlist": (),
    "wgfleet.device": (),
    "wgfleet.diff": (),
    "wgfleet.dump": (),
    "wgfleet.endorsements": (),
    "wgfleet.fields": (),
    "wgfleet.names": (),
    "wgfleet.pauses": (),
    "wgfleet.peerset": (),
    "wgfleet.quick": (),
    "wgfleet.spread": (),
    "wgfleet.standing": (),
    "wgfleet.wgconf": (),
    "failover_receiver.acks": (),
    "failover_receiver.alerts": ("pydantic",),
    "failover_receiver.core": (),
    "failover_receiver.firing": (),
    "failover_receiver.following.held": (),
    "failover_receiver.following.roster": (),
    "failover_receiver.following.standing": (),
    "failover_receiver.hearing": (),
    "failover_receiver.holders": (),
    "failover_receiver.limits": (),
    "failover_receiver.page.words": (),
    "failover_receiver.peersets": (),
    "failover_receiver.publishing.dns.records": (),
    "failover_receiver.registry.changes": (),
    "failover_receiver.registry.clients": (),
    "failover_receiver.registry.enrolment": (),
    "failover_receiver.registry.pools": (),
    "failover_receiver.registry.published": (),
    "failover_receiver.simulation": (),
    "failover_receiver.state": (),
    "client_sync.adopting.filling": (),
    "client_sync.adopting.found": (),
    "client_sync.adopting.saying": (),
    "client_sync.applying": (),
    "client_sync.barring": (),
    "client_sync.choice": (),
    "client_sync.core": (),
    "client_sync.peers": (),
    "client_sync.perworker.comparing": (),
    "client_sync.perworker.counting": (),
    "client_sync.perworker.draining": (),
    "client_sync.quickfile": (),
    "client_sync.tunnels.marking": (),
    "client_sync.tunnels.routing": (),
    "client_sync.worker.forwarding": (),
    "client_sync.worker.hooks": (),
    "client_sync.worker.plan": (),
    "exporter.load": ("prometheus_client",),
    "exporter.peers": ("prometheus_client",),
    "exporter.samples": ("prometheus_client",),
}
"""Modules that decide or describe, with the libraries that they may use all the same. What they import of ours is held
to the same rules, whether it stands here or not. One that does not exist yet may stand here."""

IMPURE = (
    *(
        "asyncio",
        "concurrent",
        "fcntl",
        "glob",
        "http",
        "importlib",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
    ),
    *(
        "platform",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
    ),
    *("sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"),
    *("fastapi", "httpx", "prometheus_client", "psycopg", "pydantic", "starlette", "uvicorn", "uvloop"),
)
"""What a core may not know: clock, chance, sockets, files, environment, threads, log, HTTP, metrics."""

IMPURE_CALLS = (
    *("now", "utcnow", "today", "getenv", "monotonic", "perf_counter", "time_ns"),
    *("open", "print", "input", "exec", "eval", "__import__", "import_module", "uuid1", "uuid4"),
)
"""Called by whatever name they come: `datetime.now()`, `clock.now()`, `open()`. `now` is an argument."""

OWNERS = {
    "fastapi": ("failover_receiver",),
    "starlette": ("failover_receiver",),
    "httpx": ("client_sync", "wgfleet.cli", "failover_receiver"),
    "prometheus_client": ("exporter", "failover_receiver", "client_sync.metrics"),
}
"""The modules, with all below them, that may use a library. The others' machines do not have it."""

DOOR = "wgfleet.wg"
"""The one module of wgfleet that runs programs."""


class Import(NamedTuple):
    """One import, as it stands in the source."""

    line: int
    name: str
    """`wgfleet.peerset`; of `from wgfleet.peerset import PeerSet` it is `wgfleet.peerset.PeerSet`."""


class Module(NamedTuple):
    """One source file."""

    name: str
    path: str
    tree: ast.Module
    is_package: bool

    @property
    def imports(self) -> Iterator[Import]:
        """Every import in it, wherever it stands."""
        for statement in ast.walk(self.tree):
            if isinstance(statement, ast.Import):
                yield from (Import(statement.lineno, alias.name) for alias in statement.names)
            elif isinstance(statement, ast.ImportFrom):
                origin = self._origin(statement)
                yield from (Import(statement.lineno, f"{origin}.{alias.name}") for alias in statement.names)
            elif isinstance(statement, ast.Call) and called(statement) in {"import_module", "__import__"}:
                named = (word.value for word in statement.args[:1] if isinstance(word, ast.Constant))
                yield from (Import(statement.lineno, str(name)) for name in named)

    def _origin(self, statement: ast.ImportFrom) -> str:
        """What it imports from; dots count from the package that this module is, or is in."""
        if not statement.level:
            return statement.module or ""
        parts = self.name.split(".")
        above = parts[: len(parts) + self.is_package - statement.level]
        return ".".join([*above, *([statement.module] if statement.module else [])])


Sources = dict[str, Module]


def read(root: Path) -> Sources:
    """Every module of the four packages, by its name."""
    sources = {}
    for path in sorted(file for package in PACKAGES for file in (root / package).rglob("*.py")):
        relative = path.relative_to(root)
        parts = relative.with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        sources[name] = Module(name, str(relative), ast.parse(path.read_text(), str(path)), is_package)
    return sources


def below(name: str, *tops: str) -> bool:
    """Whether the name is one of these or stands below one."""
    return any(name == top or name.startswith(f"{top}.") for top in tops)


def banned(module: Module, rule: str, *tops: str) -> Iterator[str]:
    """A finding for each import of one of these, or of what stands below one."""
    for line, name in module.imports:
        if below(name, *tops):
            yield f"{module.path}:{line}: imports {name}: {rule}"


def wgfleet_needs_little(sources: Sources) -> Iterator[str]:
    """Each machine has wgfleet, so it imports only what each machine has."""
    allowed = (*sys.stdlib_module_names, *SHARED_LIBRARIES, "wgfleet")
    rule = f"wgfleet uses the standard library, {' and '.join(SHARED_LIBRARIES)} only"
    for module in sources.values():
        if below(module.name, "wgfleet") and not below(module.name, "wgfleet.cli"):
            others = [name for _, name in module.imports if not below(name, *allowed)]
            yield from banned(module, rule, *others)


def nothing_imports_the_command(sources: Sources) -> Iterator[str]:
    """The operator's command is a leaf."""
    for module in sources.values():
        if not below(module.name, "wgfleet.cli"):
            yield from banned(module, "nothing imports wgfleet.cli but itself", "wgfleet.cli")


def no_package_imports_a_daemon(sources: Sources) -> Iterator[str]:
    """Daemons share wgfleet and nothing else; wgfleet knows no daemon."""
    for module in sources.values():
        package = module.name.partition(".")[0]
        others = [daemon for daemon in DAEMONS if daemon != package]
        yield from banned(module, f"{package} knows no other daemon", *others)


def cores_are_pure(sources: Sources) -> Iterator[str]:
    """A core, and what of ours it imports, knows the world only by its arguments."""
    for top, extra in PURE.items():
        impure = [name for name in IMPURE if name not in extra]
        for module in closure(sources, top):
            rule = "is pure" if module.name == top else f"is imported by {top}, which is pure"
            yield from banned(module, f"{module.name} {rule}", *impure)
            for call in ast.walk(module.tree):
                if isinstance(call, ast.Call) and called(call) in IMPURE_CALLS:
                    yield f"{module.path}:{call.lineno}: calls {called(call)}(): {module.name} {rule}"


def closure(sources: Sources, top: str) -> Iterator[Module]:
    """The module and what of ours it imports, and what that imports."""
    seen: set[str] = set()
    ahead = [top]
    while ahead:
        name = ahead.pop()
        if name in sources and name not in seen:
            seen.add(name)
            yield sources[name]
            ahead += [owner(sources, imported.name) for imported in sources[name].imports]


def owner(sources: Sources, name: str) -> str:
    """The module that an imported name is of: `wgfleet.peerset.PeerSet` is of `wgfleet.peerset`."""
    while name not in sources and "." in name:
        name = name.rpartition(".")[0]
    return name


def called(call: ast.Call) -> str:
    """The last word of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def libraries_stay_with_their_owners(sources: Sources) -> Iterator[str]:
    """A library is used where its extra is installed."""
    for module in sources.values():
        for library, owners in OWNERS.items():
            if not below(module.name, *owners):
                yield from banned(module, f"{library} is for {', '.join(owners)}", library)


def programs_are_run_through_one_door(sources: Sources) -> Iterator[str]:
    """Only wgfleet.wg runs `wg`, so only it can let a key slip, hang or ask for all interfaces."""
    for module in sources.values():
        if below(module.name, "wgfleet") and module.name != DOOR:
            yield from banned(module, f"within wgfleet, programs are run by {DOOR} only", "subprocess")


RULES = (
    wgfleet_needs_little,
    nothing_imports_the_command,
    no_package_imports_a_daemon,
    cores_are_pure,
    libraries_stay_with_their_owners,
    programs_are_run_through_one_door,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule: Callable[[Sources], Iterator[str]]) -> None:
    """Each import of it."""
    assert not sorted(set(rule(read(REPOSITORY))))


def test_every_package_is_read() -> None:
    """A rule over nothing would always be kept."""
    names = read(REPOSITORY).keys()

    assert {"wgfleet.wg", "wgfleet.diff", "exporter.__main__", *PACKAGES} <= names


# The checker itself: each row is a module that breaks a rule, and what is said of it.
PLANTED = [
    (wgfleet_needs_little, "wgfleet/a.py", "import yaml", "1: imports yaml"),
    (wgfleet_needs_little, "wgfleet/a/b.py", "\n\nfrom httpx import get", "3: imports httpx.get"),
    (wgfleet_needs_little, "wgfleet/a.py", "def f():\n    import rich.table", "2: imports rich.table"),
    (wgfleet_needs_little, "wgfleet/a.py", "import_module('jinja2')", "1: imports jinja2"),
    (nothing_imports_the_command, "wgfleet/a.py", "from wgfleet import cli", "1: imports wgfleet.cli"),
    (nothing_imports_the_command, "wgfleet/a.py", "from . import cli", "1: imports wgfleet.cli"),
    (nothing_imports_the_command, "exporter/a.py", "import wgfleet.cli.api", "1: imports wgfleet.cli.api"),
    (no_package_imports_a_daemon, "wgfleet/cli/a.py", "import exporter", "1: imports exporter"),
    (
        no_package_imports_a_daemon,
        "exporter/a.py",
        "from client_sync import core",
        "1: imports client_sync.core",
    ),
    (
        no_package_imports_a_daemon,
        "client_sync/a.py",
        "import failover_receiver.state",
        "1: imports failover_receiver.state",
    ),
    (cores_are_pure, "failover_receiver/core.py", "from time import time", "1: imports time.time"),
    (cores_are_pure, "client_sync/core.py", "import os.path as p", "1: imports os.path"),
    (cores_are_pure, "wgfleet/diff.py", "datetime.now(UTC)", "1: calls now()"),
    (cores_are_pure, "wgfleet/diff.py", "datetime.datetime.utcnow()", "1: calls utcnow()"),
    (cores_are_pure, "wgfleet/dump.py", "x = open('wg0')", "1: calls open()"),
    (cores_are_pure, "failover_receiver/alerts.py", "import pydantic, httpx", "1: imports httpx"),
    (libraries_stay_with_their_owners, "client_sync/a.py", "import fastapi", "1: imports fastapi"),
    (libraries_stay_with_their_owners, "exporter/a.py", "from starlette import x", "1: imports starlette.x"),
    (libraries_stay_with_their_owners, "exporter/a.py", "import httpx", "1: imports httpx"),
    (
        libraries_stay_with_their_owners,
        "client_sync/core.py",
        "import prometheus_client",
        "1: imports prometheus_client",
    ),
    (programs_are_run_through_one_door, "wgfleet/a.py", "import subprocess", "1: imports subprocess"),
    (
        programs_are_run_through_one_door,
        "wgfleet/cli/a.py",
        "from subprocess import run",
        "1: imports subprocess.run",
    ),
]


def plant(root: Path, **files: str) -> Sources:
    """A tree of source files; two underscores stand for a slash."""
    for name, source in files.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return read(root)


@pytest.mark.parametrize(("rule", "path", "source", "finding"), PLANTED)
def test_a_planted_violation_is_found(
    tmp_path: Path, rule: Callable[[Sources], Iterator[str]], path: str, source: str, finding: str
) -> None:
    """Once, with file, line and what is imported or called."""
    (found,) = rule(plant(tmp_path, **{path.removesuffix(".py").replace("/", "__"): source}))

    assert found.startswith(f"{path}:{finding}: ")


def test_a_core_is_not_pure_if_what_it_imports_is_not(tmp_path: Path) -> None:
    """However far away; the finding names the core."""
    sources = plant(
        tmp_path,
        client_sync__core="from client_sync.a import A",
        client_sync__a="from .b import B",
        client_sync__b="import socket",
    )

    assert list(cores_are_pure(sources)) == [
        "client_sync/b.py:1: imports socket: client_sync.b is imported by client_sync.core, which is pure"
    ]


def test_what_is_drawn_is_allowed(tmp_path: Path) -> None:
    """Every arrow of the design passes every rule."""
    sources = plant(
        tmp_path,
        wgfleet__wg="import subprocess, jwt\nfrom cryptography import x\nfrom wgfleet.diff import arguments",
        wgfleet__diff="from datetime import datetime\nfrom .device import Device\ndef f(now): return now",
        wgfleet__cli__show="import httpx, rich, jinja2\nfrom wgfleet.cli import api\nfrom .api import get",
        exporter__server="import prometheus_client, socket\nfrom wgfleet import wg\nfrom exporter import metrics",
        failover_receiver__app="import fastapi, httpx, starlette.responses, prometheus_client, time",
        failover_receiver__alerts="from pydantic import BaseModel\nfrom failover_receiver.state import Alert",
        client_sync__metrics="import prometheus_client",
        client_sync__driver="import time, httpx, subprocess\nfrom client_sync.core import step\ntime.time()",
        client_sync__core="from wgfleet.peerset import PeerSet",
    )

    assert [finding for rule in RULES for finding in rule(sources)] == []

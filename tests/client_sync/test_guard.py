"""Tests of client_sync/guard.py: when the rules are loaded, and what is kept for a start at which nothing is known."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from client_sync.barring import OPEN, Barred, ruleset
from client_sync.guard import KEPT, Guard, Guarded, GuardError, load_rules
from client_sync.interface import Interface
from client_sync.tunnels.programs import LayoutError
from tests.client_sync.device import MARK, FakeDevice, interface, named
from tests.client_sync.samples import ALL, worker
from tests.client_sync.scene import said
from wgfleet.peerset import WorkerState

TWO = named(worker(1), worker(2))
NOTHING = Barred((), MARK, known=False)
FIRST = Barred((ALL, "::/0"), MARK, known=False)
"""What is barred before the first peer set."""
OWN = ("10.99.0.1/32", "10.99.0.2/32")
"""The workers' tunnel addresses, as the samples have them."""


@dataclass
class Rules:
    """Stands behind the door to nftables."""

    loaded: list[str] = field(default_factory=list)
    broken: str = ""

    def load(self, rules: str) -> None:
        """As `load_rules`."""
        if self.broken:
            raise LayoutError(self.broken)
        self.loaded.append(rules)


def guard(directory: Path, rules: Rules, first: Barred = NOTHING) -> Guard:
    """For one interface; `first` is what is barred beforehand."""
    return Guard(directory, "wg0", ["192.168.0.0/16"], beforehand=lambda: first, load=rules.load)


def guarded(inner: Interface, switch: Guard, *, ours: bool = True) -> Guarded:
    """The interface with it, which the daemon makes, or others; names of endpoints have no address."""
    return Guarded(inner, switch, lambda host, _port: (host,) if host[0].isdigit() else (), ours=ours)


def expected(*prefixes: str, mark: int | None = MARK, endpoints: tuple[str, ...] = ()) -> str:
    """The rules for these."""
    return ruleset(Barred(tuple(sorted(prefixes)), mark, endpoints), "wg0", ["192.168.0.0/16"])


def addresses(*numbers: int) -> list[str]:
    """The tunnel addresses of these workers."""
    return [address for number in numbers for address in worker(number).tunnel_addresses]


def test_it_is_barred_before_a_peer_is_touched(tmp_path: Path) -> None:
    """The first packet into a tunnel must find it closed."""
    rules, fake = Rules(), FakeDevice()
    when = []
    fake.on_set = lambda: when.append(len(rules.loaded))
    layout = guarded(interface(fake), guard(tmp_path, rules))
    layout.read()

    layout.configure(TWO, "w1")

    assert when == [1]
    assert rules.loaded == [expected(ALL, *addresses(1, 2))]


def test_the_same_again_is_loaded_again(tmp_path: Path) -> None:
    """A firewall that starts anew may have flushed everything."""
    rules = Rules()
    layout = guarded(interface(FakeDevice()), guard(tmp_path, rules))
    layout.read()
    layout.configure(TWO, "w1")

    layout.configure(TWO, "w2")

    assert rules.loaded == [expected(ALL, *addresses(1, 2))] * 2


def test_rules_that_cannot_be_loaded_hold_up_no_move(tmp_path: Path) -> None:
    """It is said, and tried again; until then the former ones hold."""
    rules, fake = Rules(broken="`nft -f -` failed"), FakeDevice()
    layout = guarded(interface(fake), guard(tmp_path, rules))
    layout.read()

    with pytest.raises(LayoutError, match="nft"):
        layout.configure(TWO, "w2")

    assert layout.holder(TWO) == "w2"
    rules.broken = ""
    layout.configure(TWO, "w2")
    assert rules.loaded == [expected(ALL, *addresses(1, 2))]


def test_a_peer_set_without_workers_opens_nothing(tmp_path: Path) -> None:
    """An operator who removed them all did not ask for clear traffic."""
    rules = Rules()
    layout = guarded(interface(FakeDevice()), guard(tmp_path, rules))
    layout.read()
    layout.configure(TWO, "w1")

    layout.configure({}, None)

    assert set(rules.loaded) == {expected(ALL, *addresses(1, 2))}


def test_another_mark_is_let_through_once_the_interface_has_it(tmp_path: Path) -> None:
    """An interface made anew may have been given another."""
    rules, fake = Rules(), FakeDevice()
    layout = guarded(interface(fake), guard(tmp_path, rules))
    layout.read()
    layout.configure(TWO, "w1")
    fake.device = replace(fake.device, firewall_mark=7)

    layout.configure(TWO, "w1")

    assert rules.loaded[-1] == expected(ALL, *addresses(1, 2), mark=7)


def test_without_a_mark_endpoints_are_let_through_but_for_those_of_banned_workers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said, once."""
    rules, fake = Rules(), FakeDevice()
    fake.device = replace(fake.device, firewall_mark=None)
    layout = guarded(interface(fake), guard(tmp_path, rules))
    layout.read()
    workers = named(worker(1), worker(2, WorkerState.BANNED))
    caplog.set_level(logging.WARNING)

    for _ in range(2):
        layout.configure(workers, "w1")

    assert rules.loaded[0] == expected(ALL, *addresses(1, 2), mark=None, endpoints=worker(1).endpoints)
    assert [
        record.getMessage() for record in caplog.records if "no firewall mark" in record.getMessage()
    ] == [caplog.records[0].getMessage()]


def test_where_others_make_the_interface_endpoints_are_let_through_beside_the_mark(tmp_path: Path) -> None:
    """wg-quick sets the mark when the first handshake is on its way already."""
    rules = Rules()
    layout = guarded(interface(FakeDevice()), guard(tmp_path, rules), ours=False)
    layout.read()

    layout.configure(TWO, "w1")

    both = (*worker(1).endpoints, *worker(2).endpoints)
    assert rules.loaded == [expected(ALL, *addresses(1, 2), endpoints=both)]


def test_at_the_next_start_the_same_is_barred_before_anything_is_known(tmp_path: Path) -> None:
    """From the disk; with what the configuration says now."""
    first, then = Rules(), Rules()
    layout = guarded(interface(FakeDevice()), guard(tmp_path, first))
    layout.read()
    layout.configure(TWO, "w1")

    assert guard(tmp_path, then).close()

    assert then.loaded == first.loaded


def test_before_the_first_peer_set_it_is_closed_all_the_same(tmp_path: Path) -> None:
    """With what is known by then, each time anew; and the machine's next start finds that there is something to close."""
    rules = Rules()
    switch = guard(tmp_path, rules, FIRST)

    assert switch.close()
    assert (tmp_path / KEPT).exists()
    assert guard(tmp_path, rules, replace(FIRST, mark=7)).close()

    assert rules.loaded == [
        ruleset(replace(FIRST, mark=mark), "wg0", ["192.168.0.0/16"]) for mark in (MARK, 7)
    ]
    assert switch.remark == (
        "kill switch: until the first peer set says what is routed, 0.0.0.0/0, ::/0 is barred (`kill_switch_first` in "
        "sync.toml)"
    )


def test_the_first_peer_set_says_what_is_barred_from_then_on(tmp_path: Path) -> None:
    """In this run and in the next."""
    rules = Rules()
    switch = guard(tmp_path, rules, FIRST)
    switch.close()
    layout = guarded(interface(FakeDevice()), switch)
    layout.read()

    layout.configure(TWO, "w1")
    guard(tmp_path, rules, FIRST).close()

    assert rules.loaded[1:] == [expected(ALL, *addresses(1, 2))] * 2
    assert switch.remark is None


def test_a_first_peer_set_without_workers_opens_nothing(tmp_path: Path) -> None:
    """A fleet that has no worker yet says nothing of what is routed."""
    rules = Rules()
    switch = guard(tmp_path, rules, FIRST)
    switch.close()
    layout = guarded(interface(FakeDevice()), switch)
    layout.read()

    layout.configure({}, None)

    assert set(rules.loaded) == {ruleset(FIRST, "wg0", ["192.168.0.0/16"])}


def test_nothing_is_barred_where_nothing_is_to_be(tmp_path: Path) -> None:
    """But a machine without nftables is found out now."""
    rules = Rules()

    assert not guard(tmp_path, rules).close()

    assert rules.loaded == [OPEN]
    with pytest.raises(LayoutError, match="nft"):
        guard(tmp_path, Rules(broken="`nft -f -` failed")).close()


def test_what_cannot_be_read_leaves_nothing_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As after a damaged disk: it is closed by the last peer set or the configuration, and noted again; and that is said."""
    (tmp_path / KEPT).write_text("{")
    rules = Rules()

    assert guard(tmp_path, rules, FIRST).close()

    assert "counter drop" in rules.loaded[-1]
    assert [facts["error"] for facts in said(caplog, "kill switch closed by what else is known")]
    caplog.clear()
    guard(tmp_path, Rules(), FIRST).close()
    assert not caplog.records, "it is noted again"


def test_what_cannot_be_read_opens_nothing(tmp_path: Path) -> None:
    """Where nothing else says what to bar: it is said, and the daemon does not run with an open switch."""
    (tmp_path / KEPT).write_text("{")
    rules = Rules()

    with pytest.raises(GuardError, match=r"guard\.json cannot be read"):
        guard(tmp_path, rules).close()

    assert rules.loaded == []


def test_one_that_is_wanted_no_more_is_taken_away_once(tmp_path: Path) -> None:
    """A machine that never had one is not asked for nftables."""
    rules = Rules()
    switch = guard(tmp_path, rules)
    switch.forget()
    assert rules.loaded == []
    switch.bar(Barred((ALL,), MARK))

    switch.forget()
    switch.forget()

    assert rules.loaded[1:] == [OPEN]
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_nftables_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the package."""
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(GuardError, match="install the package nftables"):
        load_rules(OPEN)


def test_a_name_that_has_another_address_by_now_is_let_through(tmp_path: Path) -> None:
    """A worker moved, and is looked for there: by a session made anew, or by the active one's endpoint."""
    rules, found = Rules(), ["192.0.2.1"]
    two = named(worker(1, endpoints=("fra1.example.com:51820",)))
    switch = Guarded(interface(FakeDevice()), guard(tmp_path, rules), lambda _host, _port: found, ours=False)
    switch.configure(two, "w1")

    for number, look in enumerate((switch.recreate, switch.redirect), start=2):
        found[:] = [f"192.0.2.{number}"]
        look(two["w1"])
        assert f"192.0.2.{number} . 51820" in rules.loaded[-1]

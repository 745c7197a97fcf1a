"""What the record of a probe says. The packets here are written by hand: one each 10 ms from second 100 on."""

from dataclasses import astuple
from pathlib import Path
from socket import inet_aton

import pytest

from tests.lab.addresses import worker_lan
from tests.lab.inside.probe import NOWHERE, RECORD, REPLY, SENT
from tests.lab.traffic import Traffic
from tests.lab.waiting import WaitedInVainError

BEGIN = 100.0


def record(path: Path, count: int, via: dict[range, int]) -> Traffic:
    """So many packets; those in each range are answered after 1 ms through the worker of that number."""
    written = b""
    for sequence in range(count):
        at = BEGIN + sequence / 100
        written += RECORD.pack(SENT, sequence, at, NOWHERE)
        for answered, number in via.items():
            if sequence in answered:
                written += RECORD.pack(REPLY, sequence, at + 0.001, inet_aton(worker_lan(number)))
    path.write_bytes(written)
    return Traffic(path)


def test_an_outage_is_the_silence_between_two_replies(tmp_path: Path) -> None:
    traffic = record(tmp_path / "record", 200, {range(50): 1, range(80, 200): 2})
    outage = traffic.outage(since=100.3)
    assert astuple(outage) == pytest.approx((100.491, 100.801, 0.31, 30, "w1", "w2"))
    assert traffic.outage(since=100.6) == outage
    assert traffic.via(at=100.6) == "w1"
    assert traffic.via() == "w2"
    assert traffic.lost_between(100.4, 100.7) == 20


def test_after_the_outage_there_is_only_the_beat(tmp_path: Path) -> None:
    traffic = record(tmp_path / "record", 200, {range(50): 1, range(80, 200): 2})
    after = traffic.outage(since=101)
    assert after.lost == 0
    assert after.seconds == pytest.approx(0.01)


def test_an_outage_that_lasts_has_no_end(tmp_path: Path) -> None:
    outage = record(tmp_path / "record", 200, {range(50): 1}).outage(since=100.3)
    assert (outage.first_reply, outage.via_after) == (None, None)
    assert outage.lost == 150
    assert outage.seconds == pytest.approx(1.5, abs=0.01)


def test_a_silence_from_the_beginning(tmp_path: Path) -> None:
    outage = record(tmp_path / "record", 200, {range(50, 200): 3}).outage(since=BEGIN)
    assert outage.last_reply is None
    assert outage.lost == 50
    assert outage.seconds == pytest.approx(0.501)
    assert outage.via_after == "w3"


def test_nothing_ever_came_back(tmp_path: Path) -> None:
    traffic = record(tmp_path / "record", 10, {})
    assert traffic.via() is None
    outage = traffic.outage(since=BEGIN)
    assert (outage.last_reply, outage.first_reply, outage.lost) == (None, None, 10)
    with pytest.raises(WaitedInVainError, match="for a packet to come back through w1"):
        traffic.wait_until_flowing(0.01, via="w1")


def test_an_unfinished_record_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "record"
    traffic = record(path, 3, {range(3): 1})
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    assert len(traffic.refresh().replies) == 2
    path.write_bytes(whole)
    assert len(traffic.refresh().replies) == 3
    assert len(traffic.sent) == 3

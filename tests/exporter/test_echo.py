"""Tests of exporter/echo.py: echo packets, without a network."""

import socket

import pytest

from exporter.echo import HEADER, Echo

IP_HEADER = bytes([0x46]) + bytes(23)
"""With four bytes of options: its length is to be read, not assumed."""


def reply(request: bytes, kind: int) -> bytes:
    """What the other side makes of it; a ping socket's identifier is the kernel's."""
    return HEADER.pack(kind, 0, 0, 4711, 1) + request[HEADER.size :]


def test_an_echos_checksum_is_right() -> None:
    """The sum over the whole, checksum included, is all ones (RFC 1071)."""
    request = Echo(socket.AF_INET).request()
    total = sum(int.from_bytes(request[at : at + 2]) for at in range(0, len(request), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)

    assert total == 0xFFFF


@pytest.mark.parametrize(("family", "kind"), [(socket.AF_INET, 0), (socket.AF_INET6, 129)])
def test_a_reply_with_the_echos_body_answers_it(family: socket.AddressFamily, kind: int) -> None:
    """Whatever its identifier; a raw IPv4 socket gives the IP header as well."""
    echo = Echo(family)
    answer = reply(echo.request(), kind)

    assert echo.is_answered_by(answer, raw=False)
    assert echo.is_answered_by(IP_HEADER + answer if family == socket.AF_INET else answer, raw=True)


def test_nothing_else_answers_it() -> None:
    """Not another's reply, nor our own request come back, nor a piece."""
    echo, other = Echo(socket.AF_INET), Echo(socket.AF_INET)
    answer = reply(echo.request(), 0)

    assert not echo.is_answered_by(reply(other.request(), 0), raw=False)
    assert not echo.is_answered_by(echo.request(), raw=False)
    assert not echo.is_answered_by(answer[:-1], raw=False)
    assert not echo.is_answered_by(b"", raw=True)

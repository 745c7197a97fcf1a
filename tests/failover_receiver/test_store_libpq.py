"""Tests of failover_receiver/store/libpq.py: what libpq and psycopg say, as it was said, in one line."""

import pytest

from failover_receiver.store.libpq import in_a_line

HINT = "\n\tIs the server running on that host and accepting TCP/IP connections?"
REFUSED = 'connection to server at "127.0.0.{0}", port {0} failed: Connection refused' + HINT


SAID = {
    f"connection failed: {REFUSED.format(1)}": "Connection refused",
    'connection failed: connection to server at "db" (10.0.0.1), port 5432 failed: FATAL:  password authentication '
    'failed for user "wgfleet"': 'password authentication failed for user "wgfleet"',
    'connection is bad: connection to server on socket "/run/.s.PGSQL.5432" failed: No such file or directory\n\t'
    "Is the server running locally and accepting connections on that socket?": "No such file or directory",
    "consuming input failed: server closed the connection unexpectedly\n\tThis probably means the server terminated "
    "abnormally\n\tbefore or while processing the request.": "server closed the connection unexpectedly",
    "failed to resolve host 'db': [Errno -2] Name or service": "failed to resolve host 'db': [Errno -2] Name or service",
    "": "",
}


@pytest.mark.parametrize(("said", "line"), SAID.items())
def test_one_failure_is_its_reason(said: str, line: str) -> None:
    """Where it was stands before it already, in the URI."""
    assert in_a_line(said) == line


def test_of_several_addresses_each_is_said_with_its_own_and_none_twice() -> None:
    """The last one is said twice."""
    each = [
        f"- host: 'db', port: '{n}', hostaddr: '127.0.0.{n}': connection failed: {REFUSED.format(n)}"
        for n in (1, 2)
    ]
    said = (
        f"connection failed: {REFUSED.format(2)}\nMultiple connection attempts failed. All failures were:\n"
        + "\n".join(each)
    )  # fmt: skip

    assert in_a_line(said) == "127.0.0.1:1: Connection refused; 127.0.0.2:2: Connection refused"


def test_of_one_address_that_was_tried_twice_each_reason_is_said() -> None:
    """It asks once more without TLS."""
    said = "\n".join(
        f'connection to server at "::1", port 5432 failed: FATAL:  no pg_hba.conf entry, {what}'
        for what in ("SSL encryption", "no encryption", "no encryption")
    )

    assert in_a_line(said) == "no pg_hba.conf entry, SSL encryption; no pg_hba.conf entry, no encryption"

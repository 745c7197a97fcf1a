"""Tests of client_sync/carrying.py: what an enrolment leaves as it was."""

import tomllib

from client_sync.carrying import added, lines

EARLIER = b"""fleet = "example"
token_file = "token"
kill_switch = true
kill_switch_allow = ["192.0.2.0/24"]
standby_probe_interval = 2.5

[mqtt]
url = "mqtts://broker.example.com"
"""


def test_what_is_no_enrolments_to_say_is_carried_over_as_it_was() -> None:
    """Tables too, and last, where TOML has them."""
    kept = added(EARLIER, "client")

    said = lines({"mqtt": kept.pop("mqtt"), "fleet": "another", **kept})

    assert tomllib.loads("\n".join(said))["mqtt"] == {"url": "mqtts://broker.example.com"}
    assert said[:4] == [
        'fleet = "another"',
        "kill_switch = true",
        'kill_switch_allow = ["192.0.2.0/24"]',
        "standby_probe_interval = 2.5",
    ]


def test_another_roles_or_a_broken_file_leaves_nothing() -> None:
    """It would be refused, or cannot be told."""
    assert added(EARLIER, "worker") == {}
    assert added(b"fleet = ", "client") == {}
    assert added(b"\xff", "client") == {}
    assert added(b"", "client") == {}

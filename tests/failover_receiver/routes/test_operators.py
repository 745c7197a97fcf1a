"""Tests of failover_receiver/routes/operators.py."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from failover_receiver.access import Role
from tests.failover_receiver.parts import BODY, NOON, Parts, seen
from tests.failover_receiver.story import spec

pytestmark = pytest.mark.anyio

WORKER = {
    "public_key": spec(1).public_key,
    "endpoints": ["192.0.2.1:51820"],
    "tunnel_addresses": ["10.99.0.1"],
    "allowed_ips": ["0.0.0.0/0"],
    "keepalive": 25,
    "mtu": None,
    "dns": [],
    "weight": 100,
    "priority": 0,
    "region": "",
    "exporter_port": 9586,
    "state": "joining",
    "reason": "registered",
    "failed_at": None,
    "up_since": None,
    "drain": False,
    "drain_own": False,
}
"""What is answered of a worker that was described by BODY."""


async def ask(parts: Parts, method: str, path: str, body: Any = None) -> httpx.Response:
    """An operator asks."""
    async with parts.ask(Role.OPERATOR) as http:
        return await http.request(method, path, json=body)


async def refusal(parts: Parts, body: Mapping[str, Any], name: str = "ams1") -> tuple[int, str]:
    """Status and text when this worker is added; nothing may have changed."""
    before = parts.state
    answer = await ask(parts, "PUT", f"/v1/workers/{name}", body)
    assert parts.state is before
    return answer.status_code, answer.json()["error"]


async def test_a_worker_is_added_with_what_was_said_and_what_was_not(parts: Parts) -> None:
    """The answer is the whole fleet as it is now."""
    answer = await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert (answer.status_code, answer.json()) == (
        200,
        {"epoch": 1, "generation": 1, "monitoring": "blind", "workers": {"fra1": WORKER}},
    )
    assert (await ask(parts, "GET", "/v1/workers")).json() == answer.json()


async def test_a_worker_is_written_in_one_form(parts: Parts) -> None:
    """Addresses in their shortest, prefixes in wg's own: equal things are equal."""
    said = {
        **BODY,
        "endpoints": ["[2001:0DB8::0001]:51820", "vpn.example.org:51820"],
        "tunnel_addresses": ["10.99.0.1", "FD00:0::1"],
        "allowed_ips": ["0.0.0.0/0", "0::/0"],
        "dns": ["10.99.0.1"],
    }

    worker = (await ask(parts, "PUT", "/v1/workers/fra1", said)).json()["workers"]["fra1"]

    assert worker["endpoints"] == ["[2001:db8::1]:51820", "vpn.example.org:51820"]
    assert worker["tunnel_addresses"] == ["10.99.0.1", "fd00::1"]
    assert worker["allowed_ips"] == ["0.0.0.0/0", "::/0"]


async def test_a_worker_that_is_described_anew_keeps_what_was_learnt(parts: Parts) -> None:
    """A change of its weight moves nobody."""
    await parts.serve("fra1")

    answer = await ask(parts, "PUT", "/v1/workers/fra1", {**BODY, "weight": 50})

    worker = answer.json()["workers"]["fra1"]
    assert (worker["weight"], worker["state"]) == (50, "serving")


async def test_a_worker_may_be_described_by_the_same_again(parts: Parts) -> None:
    """Its own key and address are no duplicates, and nothing is published."""
    first = await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    again = await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert (again.status_code, again.json()) == (200, first.json())


async def test_another_key_under_an_old_name_must_be_meant(parts: Parts) -> None:
    """A slip would take the worker from every client; when it is meant, the worker begins anew."""
    await parts.serve("fra1", "ams1")
    other = {**BODY, "public_key": spec(9).public_key}

    refused = await ask(parts, "PUT", "/v1/workers/fra1", other)
    unchanged = (await ask(parts, "GET", "/v1/workers")).json()["workers"]["fra1"]
    meant = await ask(parts, "PUT", "/v1/workers/fra1?new_key=true", other)

    assert refused.status_code == 409
    assert refused.json()["error"] == (
        f"worker 'fra1' has the public_key '{BODY['public_key']}', not '{spec(9).public_key}': "
        "every client would lose it; choose another name, or say that it has a new key (--new-key)"
    )
    assert (unchanged["public_key"], unchanged["state"]) == (BODY["public_key"], "serving")
    worker = meant.json()["workers"]["fra1"]
    assert (worker["public_key"], worker["state"], worker["reason"]) == (
        spec(9).public_key,
        "joining",
        "registered",
    )


async def test_a_drained_worker_with_a_new_key_stays_drained(parts: Parts) -> None:
    """The operator's wish is for the name."""
    await parts.serve("fra1", "ams1")
    await ask(parts, "PUT", "/v1/workers/fra1/drain")
    other = {**BODY, "public_key": spec(9).public_key}

    answer = await ask(parts, "PUT", "/v1/workers/fra1?new_key=true", other)

    assert answer.json()["workers"]["fra1"]["drain"] is True


# What is refused, in which words.

KEY = "44 characters of base64, as `wg pubkey` prints"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (
            {"public_key": "short"},
            f"body.public_key: is 'short': 'short' is not a WireGuard public key: {KEY}",
        ),
        (
            {"endpoints": ["192.0.2.1"]},
            (
                "body.endpoints.0: is '192.0.2.1': '192.0.2.1' is not an endpoint: "
                "host:port with a port from 1 to 65535, as 192.0.2.1:51820"
            ),
        ),
        (
            {"endpoints": ["192.0.2.1:51820", "2001:db8::1:51820"]},
            (
                "body.endpoints.1: is '2001:db8::1:51820': '2001:db8::1:51820' is not an endpoint: "
                "an IPv6 address stands in brackets, as [2001:db8::1]:51820"
            ),
        ),
        (
            {"tunnel_addresses": ["10.99.0.1/32"]},
            (
                "body.tunnel_addresses.0: is '10.99.0.1/32': "
                "'10.99.0.1/32' is not an IP address: as 10.0.0.1 or fd00::1"
            ),
        ),
        (
            {"allowed_ips": ["10.0.0.1/8"]},
            (
                "body.allowed_ips.0: is '10.0.0.1/8': '10.0.0.1/8' is not a network: "
                "10.0.0.1/8 has host bits set; as 10.0.0.0/24 or ::/0"
            ),
        ),
        (
            {"dns": ["resolver"]},
            "body.dns.0: is 'resolver': 'resolver' is not an IP address: as 10.0.0.1 or fd00::1",
        ),
        ({"keepalive": 0}, "body.keepalive: is 0: 1 or more was expected"),
        ({"mtu": 100}, "body.mtu: is 100: 576 or more was expected"),
        ({"weight": 0}, "body.weight: is 0: 1 or more was expected"),
        (
            {"exporter_port": 65536},
            "body.exporter_port: is 65536: 65535 or less was expected",
        ),
        ({"wieght": 10}, "body.wieght: there is no such key"),
        (
            {"endpoints": []},
            "body.endpoints: is []: 1 or more of them were expected",
        ),
        (
            {"tunnel_addresses": []},
            "body.tunnel_addresses: is []: 1 or more of them were expected",
        ),
        (
            {"allowed_ips": []},
            "body.allowed_ips: is []: 1 or more of them were expected",
        ),
    ],
)
async def test_a_worker_that_is_described_wrongly_is_refused(
    parts: Parts, said: dict[str, Any], error: str
) -> None:
    """With the field, its value and what would be right."""
    assert await refusal(parts, {**BODY, **said}) == (422, error)


async def test_everything_that_is_missing_is_said_at_once(parts: Parts) -> None:
    """One look, one repair."""
    assert await refusal(parts, {}) == (
        422,
        (
            "body.public_key: is missing; body.endpoints: is missing; "
            "body.tunnel_addresses: is missing; body.allowed_ips: is missing"
        ),
    )


async def test_a_name_that_cannot_be_a_host_or_a_label_is_refused(parts: Parts) -> None:
    """It becomes both."""
    assert await refusal(parts, BODY, name="FRA_1") == (
        422,
        (
            "path.name: is 'FRA_1': 'FRA_1' is not a name: "
            "lower-case letters, digits and inner hyphens, 1 to 63 of them"
        ),
    )


async def test_a_key_of_another_worker_is_refused(parts: Parts) -> None:
    """One WireGuard key, one peer: clients could hold only one of the two."""
    await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert await refusal(parts, {**BODY, "tunnel_addresses": ["10.99.0.2"]}) == (
        409,
        f"public_key '{BODY['public_key']}' is already that of worker 'fra1': each has its own",
    )


@pytest.mark.parametrize("addresses", [["10.99.0.1"], ["10.99.0.2", "10.99.0.1"]])
async def test_a_tunnel_address_of_another_worker_is_refused(parts: Parts, addresses: list[str]) -> None:
    """Probes and clients could not tell the two apart."""
    await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert await refusal(
        parts, {**BODY, "public_key": spec(2).public_key, "tunnel_addresses": addresses}
    ) == (
        409,
        "tunnel_addresses: 10.99.0.1 is already that of worker 'fra1'",
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/workers/lon1"),
        ("PUT", "/v1/workers/lon1/drain"),
        ("DELETE", "/v1/workers/lon1/drain"),
        ("PUT", "/v1/workers/lon1/ban"),
        ("DELETE", "/v1/workers/lon1/ban"),
        ("POST", "/v1/workers/lon1/admit"),
    ],
)
async def test_a_command_for_an_unknown_worker_names_the_known_ones(
    parts: Parts, method: str, path: str
) -> None:
    """A slip of the finger at night."""
    await parts.serve("fra1", "ams1")

    answer = await ask(parts, method, path)

    error = "there is no worker 'lon1'; registered: ams1, fra1"
    assert (answer.status_code, answer.json()) == (404, {"error": error})


# Commands.


@pytest.mark.parametrize(("wish", "state"), [("drain", "draining"), ("ban", "banned")])
async def test_what_an_operator_wishes_holds_until_he_wishes_otherwise(
    parts: Parts, wish: str, state: str
) -> None:
    """Whatever alerts say meanwhile."""
    await parts.serve("fra1", "ams1")

    wished = await ask(parts, "PUT", f"/v1/workers/fra1/{wish}")
    await parts.hear(seen("up", "fra1", NOON), seen("up", "ams1", NOON))
    kept = await ask(parts, "GET", "/v1/workers")
    ended = await ask(parts, "DELETE", f"/v1/workers/fra1/{wish}")

    states = [answer.json()["workers"]["fra1"]["state"] for answer in (wished, kept, ended)]
    assert states == [state, state, "serving"]
    assert wished.json()["workers"]["ams1"]["state"] == "serving"


async def test_a_removed_worker_is_gone(parts: Parts) -> None:
    """And may come again, as a new one."""
    await parts.serve("fra1", "ams1")

    removed = await ask(parts, "DELETE", "/v1/workers/fra1")
    again = await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert list(removed.json()["workers"]) == ["ams1"]
    assert again.json()["workers"]["fra1"]["reason"] == "registered"


async def test_a_worker_is_admitted_without_waiting(parts: Parts) -> None:
    """While the receiver is blind too."""
    await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    answer = await ask(parts, "POST", "/v1/workers/fra1/admit")

    assert answer.json()["monitoring"] == "blind"
    assert answer.json()["workers"]["fra1"]["state"] == "serving"


async def test_a_worker_is_admitted_against_an_alert_only_by_force(parts: Parts) -> None:
    """The refusal names the alert and what may be done; the alert's repetition does not undo it."""
    await parts.serve("fra1", "ams1")
    await parts.hear(seen("down", "fra1", NOON), seen("up", "ams1", NOON))

    refused = await ask(parts, "POST", "/v1/workers/fra1/admit")
    forced = await ask(parts, "POST", "/v1/workers/fra1/admit", {"force": True})
    state = await parts.hear(seen("down", "fra1", NOON), seen("up", "ams1", NOON))

    error = "WireGuardWorkerDown fires for fra1: mend the worker, or admit it with --force"
    assert (refused.status_code, refused.json()) == (409, {"error": error})
    assert forced.json()["workers"]["fra1"]["state"] == "serving"
    assert {worker.state for worker in state.published} == {"serving"}


async def test_the_history_names_the_operator(parts: Parts) -> None:
    """By the name of his token."""
    await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    event = parts.store.events(1)[0]

    assert (event.who, event.subject, event.after, event.reason) == (
        "operator",
        "fra1",
        "joining",
        "registered",
    )

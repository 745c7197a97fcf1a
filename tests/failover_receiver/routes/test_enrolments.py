"""Tests of failover_receiver/routes/enrolments.py and failover_receiver/enrolments.py."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failover_receiver.access import Role
from failover_receiver.limits import BURST
from failover_receiver.registry.enrolment import LIFETIME, REMEMBERED
from tests.failover_receiver.parts import BODY, FLEET, NOON, SIGNER, Parts, build, seen
from tests.failover_receiver.routes.joining import KEY, ask, itself, make, refusal, use
from tests.failover_receiver.story import spec
from wgfleet.bundle import Bundle

pytestmark = pytest.mark.anyio
URL = "https://vpn.example.com:9587"
OTHER = spec(102).public_key
WORKER = {key: value for key, value in BODY.items() if key != "public_key"}
REFUSED = (
    "this bundle opens nothing here: it was used, has expired, was cancelled or replaced by a newer one of the same name, or is "
    "another fleet's; ask for a new one"
)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """A receiver that gives addresses and says where it is."""
    wired = build(tmp_path, client_pools=["10.99.0.0/16"], public_urls=[URL])
    yield wired
    wired.close()


# Clients.


async def test_a_bundle_says_all_that_a_machine_needs(parts: Parts) -> None:
    """Where the receiver is and whom to believe; the answer shows it this once."""
    answer = await ask(parts, "POST", "/v1/enrolments", {"name": "ann", "role": "client", "ca": "PEM"})

    said = answer.json()
    bundle = Bundle.from_text(said.pop("bundle"))
    assert said == {
        "name": "ann",
        "role": "client",
        "again": False,
        "state": "open",
        "made_by": "operator",
        "made_at": NOON,
        "expires_at": NOON + LIFETIME,
        "used_at": None,
        "receivers": [URL],
    }
    assert bundle == Bundle(
        FLEET, (URL,), "ann", "client", bundle.secret, NOON + LIFETIME, (SIGNER.public_text,), "PEM"
    )
    assert len(bundle.secret) >= 43
    assert bundle.secret not in (await ask(parts, "GET", "/v1/enrolments")).text


async def test_a_client_joins_with_the_key_that_it_made(parts: Parts) -> None:
    """It gets addresses and a token, is on the list at once, and in the history."""
    answer = await use(parts, await make(parts, "ann"))

    said = answer.json()
    token = said.pop("token")
    assert said == {
        "name": "ann",
        "role": "client",
        "tunnel_addresses": ["10.99.0.1"],
        "receivers": [URL],
        "fleet": FLEET,
        "signing_keys": [SIGNER.public_text],
    }
    assert (await itself(parts, token)).json()["public_key"] == KEY
    assert parts.receiver.registrar.number == (1, 1)
    assert [(event.who, event.what) for event in parts.store.events(9)] == [
        ("operator", "enrolment made"),
        ("ann", "client added"),
        ("ann", "client enrolled"),
    ]


async def test_a_client_gets_the_addresses_that_were_said(parts: Parts) -> None:
    """And the networks behind it."""
    bundle = await make(parts, "ann", addresses=["10.6.0.2"], networks=["192.168.7.0/24"])

    assert (await use(parts, bundle)).json()["tunnel_addresses"] == ["10.6.0.2"]
    assert parts.receiver.registrar.roll.clients["ann"].networks == ("192.168.7.0/24",)


async def test_without_public_urls_the_operators_way_is_said(tmp_path: Path) -> None:
    """What his command reaches; or, if it says nothing, where the receiver listens."""
    parts = build(tmp_path, client_pools=["10.99.0.0/16"], listen_address="::1", listen_port=9999)

    said = await make(parts, "ann", receivers=["https://10.0.0.1:9587/"])
    own = await make(parts, "bob")

    assert (said.receivers, own.receivers) == (("https://10.0.0.1:9587",), ("http://[::1]:9999",))
    assert (await use(parts, said)).json()["receivers"] == ["https://10.0.0.1:9587"]
    parts.close()


# Once, for an hour, and what is refused looks alike.


async def test_a_bundle_works_once(parts: Parts) -> None:
    """The second one is told nothing but that it does not."""
    bundle = await make(parts, "ann")

    first, second = await use(parts, bundle), await use(parts, bundle, OTHER)

    assert (first.status_code, second.status_code, second.json()) == (200, 401, {"error": REFUSED})
    assert parts.receiver.registrar.roll.clients["ann"].public_key == KEY


async def test_of_two_that_race_one_wins(parts: Parts) -> None:
    """And has the token."""
    bundle = await make(parts, "ann")

    answers = await asyncio.gather(
        *(use(parts, bundle, spec(100 + number).public_key) for number in range(8))
    )

    (won,) = (answer for answer in answers if answer.status_code == 200)
    assert sorted(answer.status_code for answer in answers) == [200, *[401] * 7]
    assert (await itself(parts, won.json()["token"])).status_code == 200


async def test_a_bundle_works_for_an_hour(parts: Parts) -> None:
    """Not a moment longer."""
    early, late = await make(parts, "ann"), await make(parts, "bob")

    parts.clock.now += LIFETIME - 1
    in_time = await use(parts, early)
    parts.clock.now += 1
    too_late = await use(parts, late, OTHER)

    assert (in_time.status_code, too_late.status_code, too_late.json()) == (200, 401, {"error": REFUSED})


async def test_an_unknown_secret_looks_like_a_used_one(parts: Parts) -> None:
    """Whoever guesses learns nothing."""
    await make(parts, "ann")
    guessed = Bundle(FLEET, (URL,), "ann", "client", "guessed", NOON, ("key",))

    answer = await use(parts, guessed)

    assert (answer.status_code, answer.json()) == (401, {"error": REFUSED})


async def test_whoever_guesses_is_slowed_down_and_others_are_not(parts: Parts) -> None:
    """Even from the same address: a bundle that is right is always taken."""
    bundle = await make(parts, "ann")
    guessed = Bundle(FLEET, (URL,), "ann", "client", "guessed", NOON, ("key",))

    answers = [await use(parts, guessed) for _ in range(BURST + 2)]

    assert {answer.status_code for answer in answers} == {401, 429}
    assert answers[-1].status_code == 429
    assert (await use(parts, bundle)).status_code == 200


async def test_a_bundle_survives_a_restart_and_its_use_too(parts: Parts) -> None:
    """The secret is not in the store, only its digest."""
    used, open_ = await make(parts, "ann"), await make(parts, "bob")
    await use(parts, used)
    parts.close()
    directory = parts.receiver.settings.store_file.parent

    again = build(directory, client_pools=["10.99.0.0/16"])

    assert (await use(again, used, OTHER)).status_code == 401
    assert (await use(again, open_, OTHER)).status_code == 200
    again.close()
    for file in directory.glob("receiver.db*"):
        assert open_.secret.encode() not in file.read_bytes()


async def test_what_is_refused_leaves_the_bundle_good(parts: Parts) -> None:
    """A machine that sent another's key may try again with its own."""
    await use(parts, await make(parts, "ann"))
    bundle = await make(parts, "bob")

    refused, taken = await use(parts, bundle, KEY), await use(parts, bundle, OTHER)

    assert (refused.status_code, taken.status_code) == (409, 200)
    assert refused.json()["error"] == f"public_key '{KEY}' is already that of client 'ann': each has its own"


# Known names.


async def test_a_known_name_is_enrolled_again_only_on_demand(parts: Parts) -> None:
    """Then its key and its token are replaced, at use and not before; its addresses stay."""
    first = (await use(parts, await make(parts, "ann"))).json()
    refused = await refusal(parts, name="ann", role="client")
    bundle = await make(parts, "ann", again=True)
    meanwhile = (await itself(parts, first["token"])).status_code

    second = (await use(parts, bundle, OTHER)).json()

    assert refused == (
        409,
        "client 'ann' is known: to replace its key and token, say that it is enrolled again (--again)",
    )
    assert (meanwhile, (await itself(parts, first["token"])).status_code) == (200, 401)
    assert (await itself(parts, second["token"])).json()["public_key"] == OTHER
    assert second["tunnel_addresses"] == first["tunnel_addresses"]
    assert list(parts.receiver.registrar.roll.revocations) == [KEY]


async def test_an_adopted_client_may_keep_its_key(parts: Parts) -> None:
    """It has a key and no token; nothing changes for workers."""
    await ask(parts, "PUT", "/v1/clients/ann", {"public_key": KEY, "addresses": ["10.6.0.2"]})

    said = (await use(parts, await make(parts, "ann", again=True))).json()

    assert (await itself(parts, said["token"])).json()["public_key"] == KEY
    assert (parts.receiver.registrar.roll.revocations, parts.receiver.registrar.number) == ({}, (1, 1))


async def test_a_new_bundle_makes_the_older_one_good_for_nothing(parts: Parts) -> None:
    """The operator made it out because the first was lost, or seen."""
    older, newer = await make(parts, "ann"), await make(parts, "ann")

    assert [(await use(parts, older)).status_code, (await use(parts, newer)).status_code] == [401, 200]


async def test_a_revoked_client_cannot_come_back_by_a_bundle(parts: Parts) -> None:
    """Whether it was made out for a new client or for one that enrols again."""
    await use(parts, await make(parts, "ann"))
    bundle = await make(parts, "ann", again=True)

    await ask(parts, "DELETE", "/v1/clients/ann")

    assert (await use(parts, bundle, OTHER)).status_code == 401
    assert (await ask(parts, "GET", "/v1/enrolments")).json()[0]["state"] == "used"


async def test_a_bundle_for_a_new_client_dies_with_the_client_of_its_name(parts: Parts) -> None:
    """It was added by its key meanwhile, and revoked: the operator wants nobody of that name."""
    bundle = await make(parts, "ann")
    await ask(parts, "PUT", "/v1/clients/ann", {"public_key": KEY})

    await ask(parts, "DELETE", "/v1/clients/ann")

    assert (await use(parts, bundle, OTHER)).status_code == 401


async def test_bundles_are_listed_and_cancelled(parts: Parts) -> None:
    """Those that are over too, for a day: so an operator sees why one does not work."""
    for name in ("ann", "bob", "cat"):
        await make(parts, name)
    await use(parts, await make(parts, "dan"))

    cancelled = await ask(parts, "DELETE", "/v1/enrolments/ann")
    again = await ask(parts, "DELETE", "/v1/enrolments/ann")
    parts.clock.now += LIFETIME
    listed = (await ask(parts, "GET", "/v1/enrolments")).json()
    parts.clock.now += REMEMBERED + 1
    later = (await ask(parts, "GET", "/v1/enrolments")).json()

    assert (cancelled.status_code, again.status_code) == (204, 404)
    assert sorted((one["name"], one["state"]) for one in listed) == [
        ("bob", "expired"),
        ("cat", "expired"),
        ("dan", "used"),
    ]
    assert later == []


@pytest.mark.parametrize(
    ("said", "status", "error"),
    [
        ({"name": "fra1", "role": "client"}, 409, "name 'fra1' is already that of a worker: choose another"),
        (
            {"name": "operator", "role": "client"},
            409,
            "name 'operator' is that of a token with the role operator: choose another",
        ),
        (
            {"name": "zoe", "role": "client", "again": True},
            404,
            "there is no client 'zoe' to enrol again: enrol it as a new one",
        ),
        (
            {"name": "zoe", "role": "client", "addresses": ["10.99.0.1"]},
            409,
            "addresses: 10.99.0.1 overlaps with an address of worker 'fra1': choose another",
        ),
        (
            {"name": "ams1", "role": "worker"},
            409,
            "worker 'ams1' is new: say its endpoints and tunnel addresses",
        ),
        (
            {"name": "ams1", "role": "worker", "worker": WORKER},
            409,
            "tunnel_addresses: 10.99.0.1 is already that of worker 'fra1'",
        ),
        (
            {"name": "fra1", "role": "worker", "worker": WORKER},
            409,
            "worker 'fra1' is known: to replace its key and token, say that it is enrolled again (--again)",
        ),
    ],
)
async def test_what_could_not_be_used_is_not_made_out(
    parts: Parts, said: dict[str, Any], status: int, error: str
) -> None:
    """The operator is told, not the machine."""
    await ask(parts, "PUT", "/v1/workers/fra1", BODY)

    assert await refusal(parts, **said) == (status, error)


@pytest.mark.parametrize(
    "said",
    [
        {"role": "operator"},
        {"worker": WORKER},
        {"role": "worker", "worker": WORKER, "addresses": ["10.6.0.2"]},
        {"role": "worker", "worker": {**WORKER, "public_key": KEY}},
        {"receivers": ["ftp://x"]},
        {"ca": "-----BEGIN PRIVATE KEY-----"},
    ],
)
async def test_a_wish_that_is_wrong_in_itself_is_refused(parts: Parts, said: dict[str, Any]) -> None:
    """A bundle never gives an operator's rights, and never holds a private key."""
    status, _ = await refusal(parts, **{"name": "ann", "role": "client", **said})

    assert status == 422


# Workers.


async def test_a_worker_is_scraped_at_once_and_serves_when_it_is_up(parts: Parts) -> None:
    """It is in Prometheus's discovery with its first answer, and joining until an Up is heard."""
    await parts.serve("ams1", "lon1")
    bundle = await make(parts, "fra1", "worker", worker={**WORKER, "tunnel_addresses": ["10.99.0.9"]})
    before = (await ask(parts, "GET", "/v1/sd/workers")).json()

    said = (await use(parts, bundle)).json()
    scraped = (await ask(parts, "GET", "/v1/sd/workers")).json()
    probed = (await ask(parts, "GET", "/v1/sd/probes?probe=tunnel")).json()
    joining = parts.states["fra1"]
    await parts.hear(*(seen("up", name, parts.clock.now) for name in ("ams1", "lon1", "fra1")))

    assert (said["role"], said["tunnel_addresses"]) == ("worker", ["10.99.0.9"])
    assert [one["labels"]["worker"] for one in before] == ["ams1", "lon1"]
    assert {"targets": ["192.0.2.1:9586"], "labels": {"worker": "fra1"}} in scraped
    assert {"targets": ["10.99.0.9"], "labels": {"worker": "fra1"}} in probed
    assert (joining, parts.states["fra1"]) == ("joining", "serving")
    assert (await itself(parts, said["token"])).json()["public_key"] == KEY


async def test_a_worker_enrols_again_with_what_is_said_of_it(parts: Parts) -> None:
    """It has a new key, so it begins anew; what operators said of it stays."""
    await parts.serve("ams1", "fra1")
    region = {**BODY, "tunnel_addresses": ["10.99.0.2"], "public_key": spec(2).public_key, "region": "eu"}
    await ask(parts, "PUT", "/v1/workers/fra1", region)

    await use(parts, await make(parts, "fra1", "worker", again=True))

    worker = parts.state.workers["fra1"]
    assert (worker.spec.public_key, worker.spec.region, parts.states["fra1"]) == (KEY, "eu", "joining")


async def test_a_worker_that_was_removed_cannot_come_back_by_a_bundle(parts: Parts) -> None:
    """Its name is free for another."""
    await parts.serve("ams1", "fra1")
    bundle = await make(parts, "fra1", "worker", again=True)

    await ask(parts, "DELETE", "/v1/workers/fra1")

    assert (await use(parts, bundle)).status_code == 401


async def test_a_worker_with_a_clients_key_is_refused(parts: Parts) -> None:
    """And may try again with its own."""
    await use(parts, await make(parts, "ann"))
    bundle = await make(parts, "fra1", "worker", worker={**WORKER, "tunnel_addresses": ["10.98.0.1"]})

    refused, taken = await use(parts, bundle, KEY), await use(parts, bundle, OTHER)

    assert (refused.status_code, refused.json()["error"]) == (
        409,
        f"public_key '{KEY}' is already that of client 'ann'",
    )
    assert (taken.status_code, taken.json()["role"]) == (200, Role.WORKER)

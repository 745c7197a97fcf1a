"""A worker and a client join by their bundles; what the registry says becomes the worker's peers, and nothing else does."""

import contextlib
import json
import stat
import time
from collections.abc import Iterator

import pytest

from tests.lab.host import CommandError
from tests.lab.journal import Journal
from tests.lab.keys import new_key_pair
from tests.lab.machines import Client
from tests.lab.own import OwnClient
from tests.lab.waiting import wait_until
from tests.system.site import LIMIT, Site
from wgfleet.dump import parse_dump

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """The worker has joined, and its daemon runs."""
    with Site() as site:
        worker = site.worker
        bundle = site.bundle(
            "worker", "w1", "--endpoint", worker.endpoint, "--tunnel-address", worker.tunnel_address,
            "--allowed-ips", "0.0.0.0/0",
        )  # fmt: skip
        site.enroll(worker, bundle)
        site.sync = site.run_daemon(worker, ready='"event": "following"')
        yield site


@pytest.fixture
def monitoring(site: Site) -> Iterator[None]:
    """See that the monitoring host's peer, which an operator added by hand, is as it was."""
    key = site.network.monitoring.public_key
    before = site.device().peer(key)
    yield
    after = site.device().peer(key)
    assert before is not None
    assert after is not None
    assert (after.endpoint, after.allowed_ips, after.persistent_keepalive) == (
        before.endpoint,
        before.allowed_ips,
        before.persistent_keepalive,
    )


def mark(client: Client) -> bool:
    """Give the interface its firewall mark. The first call to a userspace WireGuard has been seen to fail."""
    with contextlib.suppress(CommandError):
        client.wg0.set("fwmark", str(client.wg0.firewall_mark))
        return True
    return False


def added(site: Site, *names: str) -> dict[str, str]:
    """Clients that an operator adds, by name, with the keys that the worker has as peers then."""
    keys = {name: new_key_pair().public for name in names}
    for name, key in keys.items():
        site.wgfleet("client", "add", name, "--public-key", key)
    for key in keys.values():
        site.wait_for_peer(key)
    # It tells of a list once it is kept.
    there = len(site.peers()) - 1
    wait_until(
        lambda: site.status(site.worker)["peers"]["ours"] == there, LIMIT, "the worker to have kept it"
    )
    return keys


def test_what_enrolment_writes_is_read_by_its_owner_alone(site: Site) -> None:
    """Configuration, token and authority; the bundle's secret is in none."""
    home = site.sync_home(site.worker)

    written = {file.name: file for file in home.iterdir() if file.is_file()}

    assert written.keys() == {"sync.toml", "token", "ca.pem"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in written.values()} == {0o600}
    assert 'role = "worker"' in written["sync.toml"].read_text()


@pytest.mark.usefixtures("monitoring")
def test_a_client_that_enrols_is_a_peer_within_a_moment_and_reaches_the_worker(site: Site) -> None:
    """Its interface had no key: it is made there, kept for its owner alone, and its packets pass."""
    client = site.client
    client.wg0.kill()
    client.wg0.carrier.start()
    # As where a full tunnel is up that leads nowhere: what is not marked goes into it.
    wait_until(lambda: mark(client), LIMIT, "the interface to take its mark")
    client.ip("link set wg0 up", "route add default dev wg0 table 51820")

    said = site.enroll(client, site.bundle("client", "ann"))

    device = client.wg0.device()
    assert device.public_key is not None
    key_file = site.sync_home(client) / "wg0.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert key_file.read_text().strip() not in said
    site.wait_for_peer(device.public_key)
    peer = site.device().peer(device.public_key)
    assert peer is not None
    (address,) = peer.allowed_ips
    assert f"Address = {address}" in said
    client.ip(f"address add {address} dev wg0")
    daemon = site.run_daemon(client, ready='"event": "following"')
    wait_until(lambda: client.reaches(site.worker.tunnel_address), LIMIT, "an echo through the tunnel")
    daemon.terminate()


@pytest.fixture
def bare(site: Site) -> OwnClient:
    """A machine without any interface, which the worker does not know."""
    client = site.network.add_client(OwnClient)
    assert isinstance(client, OwnClient)
    site.worker.wg0.set("peer", client.public_key, "remove")
    site.worker.wg0.peers = [site.network.monitoring.as_peer()]
    return client


@pytest.mark.usefixtures("monitoring")
@pytest.mark.parametrize("layout", ["single", "per-worker"])
def test_a_machine_without_an_interface_needs_its_bundle_and_the_daemon_and_nothing_else(
    site: Site, bare: OwnClient, layout: str
) -> None:
    """Key, interface, address and routes of the full tunnel are made; what is sent comes out of the worker, none in clear."""
    name = f"ida-{layout}"
    site.enroll(bare, site.bundle("client", name), "--layout", layout)
    interfaces = bare.run("ip", "-brief", "link", "show")

    daemon = site.run_daemon(bare, ready='"event": "following"')

    wait_until(lambda: site.status(bare)["active"] == "w1", LIMIT, "the first peer set to be applied")
    bare.traffic().wait_until_flowing(via="w1")
    made = {"single": "wg0", "per-worker": "wg-w1"}[layout]
    assert made not in interfaces
    key = parse_dump(made, bare.run("wg", "show", made, "dump").encode()).public_key
    known = json.loads(site.wgfleet("client", "list", "--json"))["clients"][name]
    assert known["public_key"] == key != bare.public_key
    (key_file,) = site.sync_home(bare).glob("*.key")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert bare.leaked() == 0
    daemon.terminate()


def test_a_bundle_works_once_and_what_was_there_stays(site: Site) -> None:
    """The second use is refused with what to do, and the files of the first are as they were."""
    home = site.sync_home(site.worker)
    bundle = site.bundle("client", "ann", "--again")
    site.enroll(site.client, bundle, "--force")
    before = {
        file.name: file.read_bytes() for file in site.sync_home(site.client).iterdir() if file.is_file()
    }

    with pytest.raises(
        CommandError, match=r"does not take the bundle: this bundle opens nothing here: it was used"
    ):
        site.enroll(site.client, bundle, "--force")
    with pytest.raises(CommandError, match=r"there already, and the bundle was not used\. With --force"):
        site.enroll(site.worker, bundle)

    after = {file.name: file.read_bytes() for file in site.sync_home(site.client).iterdir() if file.is_file()}
    assert before == after
    assert not [file for file in home.iterdir() if file.name.startswith(".")]


@pytest.mark.usefixtures("monitoring")
def test_revoke_waits_until_the_worker_has_forgotten_the_client(site: Site) -> None:
    """When the command returns, the peer is gone."""
    (key,) = added(site, "dan").values()

    said = json.loads(site.wgfleet("client", "revoke", "dan", "--wait", "--json"))

    assert key not in site.peers()
    assert (site.status(site.worker)["epoch"], site.status(site.worker)["generation"]) >= (
        said["epoch"],
        said["generation"],
    )


@pytest.mark.usefixtures("monitoring")
def test_a_revoked_clients_peer_that_others_added_stays_and_carries_nothing(site: Site) -> None:
    """It is not ours to remove; its packets are dropped all the same."""
    key = new_key_pair().public
    site.worker.wg0.set("peer", key, "allowed-ips", "10.99.1.200/32", "persistent-keepalive", "7")
    site.wgfleet("client", "add", "eve", "--public-key", key, "--address", "10.99.1.200")

    site.wgfleet("client", "revoke", "eve", "--wait")

    peer = site.device().peer(key)
    assert peer is not None
    assert (peer.allowed_ips, peer.persistent_keepalive) == ((), 7)
    wait_until(lambda: site.status(site.worker)["cut_off"] == [key], LIMIT, "the status to say it")
    site.worker.wg0.set("peer", key, "remove")


@pytest.mark.usefixtures("monitoring")
def test_a_worker_that_restarts_without_the_receiver_has_its_clients_again(site: Site) -> None:
    """From the list on its disk, and nobody is taken away for it."""
    keys = added(site, "fay", "gil")
    site.receiver.kill()
    site.sync.kill()
    site.worker.wg0.restart()
    assert not site.peers() & set(keys.values())

    site.sync.launch()

    for key in keys.values():
        site.wait_for_peer(key)
    site.receiver.start()
    site.sync.wait_for_line('"event": "following"', LIMIT)


@pytest.mark.usefixtures("monitoring")
def test_an_interface_that_is_brought_up_anew_gets_its_clients_again(site: Site) -> None:
    """The daemon runs on, and sees it by itself."""
    (key,) = added(site, "hal").values()

    site.worker.wg0.restart()

    site.wait_for_peer(key)


@pytest.mark.usefixtures("monitoring")
def test_a_list_that_was_emptied_is_refused_until_an_operator_confirms_it(site: Site) -> None:
    """The peers stay, the log and the status say why, and the receiver is told the old list's number."""
    keys = set(added(site, *(f"many{number}" for number in range(8))).values())
    applied = site.status(site.worker)["generation"]
    began = time.time()

    site.forget_clients()

    refused = Journal(site.sync.log).wait_for(
        "client list refused, the old one stays", since=began, timeout=LIMIT
    )
    assert "nobody revoked" in refused["reason"]
    assert "wgfleet client confirm-removals" in refused["reason"]
    wait_until(lambda: site.status(site.worker)["refused"], LIMIT, "the status to say it")
    assert keys <= site.peers()
    assert site.status(site.worker)["generation"] == applied

    site.wgfleet("client", "confirm-removals")

    for key in keys:
        site.wait_for_peer(key, there=False)
    assert site.status(site.worker)["refused"] is None

"""What `wgfleet-sync adopt` says: what it found, what could fight with the daemon, what to do next. Pure."""

import json
from dataclasses import dataclass

from client_sync.adopting.found import Found, Known, Maker, Tunnel


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of it."""

    found: Found
    makers: tuple[Maker, ...]
    file: str
    is_complete: bool
    """The daemon can be started with the file."""
    peer_set: bool
    """One is known."""
    said: dict[str, object]
    """What the file says now, or would."""


def fights(adopted: Adopted) -> list[str]:
    """What could undo the daemon's work, each with what to do."""
    interface, said = adopted.found.device.interface, []
    for maker in adopted.makers:
        if maker.saves:
            said.append(
                f"{maker.where} says SaveConfig = true: `wg-quick down` would write the workers into it as peers, and they "
                "would be others' then. Take the line out"
            )
        if maker.name == "systemd-networkd":
            said.append(
                f"systemd-networkd clears routes and rules that it does not know when it restarts, and `networkctl "
                f"reconfigure {interface}` sets its own peers: in networkd.conf say ManageForeignRoutingPolicyRules=no and "
                "ManageForeignRoutes=no"
            )
        if maker.name == "NetworkManager":
            said.append(
                f"NetworkManager sets its own peers whenever {maker.where} is activated or reapplied: do neither while the "
                "daemon runs; it mends them with its next document"
            )
        if maker.peer_routes:
            said.append(
                f"NetworkManager routes what peers are allowed: `nmcli connection modify {maker.where} wireguard.peer-routes "
                "no`, and the daemon does it"
            )
    strangers = [known.peer.public_key for known in adopted.found.peers if known.worker is None]
    if "private_key_file" in adopted.said and adopted.peer_set and strangers:
        said.append(
            f"the daemon makes the interface with the workers only: after it was gone, these peers are not there again: "
            f"{', '.join(strangers)}"
        )
    said += [f"a full tunnel lacks {one}" for one in adopted.found.missing]
    said += [
        f"{one.prefix} of the peer {one.public_key} is what the fleet routes, too: it goes to the active worker"
        for one in adopted.found.overlaps
        if one.prefix == one.routed
    ]
    return said


def steps(adopted: Adopted) -> list[str]:
    """What to do next."""
    interface = adopted.found.device.interface
    said = []
    if not adopted.is_complete:
        said.append(
            f"fill in what {adopted.file} leaves open; or have a bundle made (`wgfleet client enrol NAME`), "
            f"`wgfleet-sync enroll BUNDLE --interface {interface} --force`, and adopt again"
        )
    if "private_key_file" in adopted.said:
        if any(maker.name == "wg-quick" for maker in adopted.makers):
            said.append(f"systemctl disable wg-quick@{interface}    # not stop: that would take it down")
        said.append(
            "the drop-in wgfleet-sync.service.d of deploy/systemd is needed, as for every interface that the daemon makes"
        )
    said.append("systemctl enable wgfleet-sync && systemctl restart wgfleet-sync")
    return said


def described(adopted: Adopted, *, dry: bool) -> dict[str, object]:
    """For programs."""
    there = adopted.found
    return {
        "interface": there.device.interface,
        "public_key": there.device.public_key,
        "listen_port": there.device.listen_port,
        "firewall_mark": there.device.firewall_mark,
        "addresses": list(there.addresses),
        "made_by": [{"name": maker.name, "where": maker.where} for maker in adopted.makers],
        "peer_set_known": adopted.peer_set,
        "peers": [
            {
                "public_key": known.peer.public_key,
                "endpoint": known.peer.endpoint,
                "allowed_ips": list(known.peer.allowed_ips),
                "worker": known.worker,
            }
            for known in there.peers
        ],
        "overlaps": [
            {"public_key": one.public_key, "prefix": one.prefix, "routed": one.routed}
            for one in there.overlaps
        ],
        "tunnel": there.tunnel,
        "fights": fights(adopted),
        "file": adopted.file,
        "written": not dry,
        "complete": adopted.is_complete,
        "next": steps(adopted),
    }


def told(adopted: Adopted, *, dry: bool) -> str:
    """For people."""
    there = adopted.found
    by = ", ".join(f"{maker.name} ({maker.where})" for maker in adopted.makers)
    full = {
        Tunnel.FULL: "all traffic, with the mark and the rules that it needs",
        Tunnel.UNLED: "all traffic is meant, but does not get there",
        Tunnel.PARTIAL: "some networks",
    }
    lines = [
        f"{there.device.interface}, which was left as it is:",
        f"  public key     {there.device.public_key}",
        f"  addresses      {', '.join(there.addresses) or '(none)'}",
        f"  made by        {by or 'nobody that could be asked'}",
        f"  firewall mark  {there.device.firewall_mark or '(none)'}",
        f"  carries        {full[there.tunnel]}",
        "peers:",
        *(_of_peer(known, peer_set=adopted.peer_set) for known in there.peers),
        *(["  (none)"] if not there.peers else []),
        *(["what could fight with the daemon:"] if fights(adopted) else []),
        *(f"  - {one}" for one in fights(adopted)),
        f"{'would be written' if dry else 'written'}: {adopted.file}"
        + "".join(f"\n  {key} = {json.dumps(value)}" for key, value in adopted.said.items()),
        "What is left to do:",
        *(f"  {number}. {step}" for number, step in enumerate(steps(adopted), start=1)),
    ]
    return "\n".join(lines)


def _of_peer(known: Known, *, peer_set: bool) -> str:
    peer = known.peer
    who = known.worker or ("others': it stays" if peer_set else "no peer set is known yet")
    return f"  {peer.public_key}  {who}  {peer.endpoint or '(no endpoint)'}  {', '.join(peer.allowed_ips) or '(none)'}"

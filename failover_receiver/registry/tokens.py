"""Whose name a token may have: a machine's is its own, and has the machine's role. Pure."""

from collections.abc import Collection

from failover_receiver.state import RefusedError

CLIENTS, WORKER = ("client", "vantage"), "worker"
"""The roles of those that are on the client list, a vantage being to workers what a client is; and of workers."""


def check_token(name: str, role: str, clients: Collection[str], workers: Collection[str]) -> str:
    """What is to be known of a token to be made; empty if nothing. Raises RefusedError for a name of somebody else's."""
    for kind, roles, names in (("client", CLIENTS, clients), ("worker", (WORKER,), workers)):
        if name in names and role not in roles:
            raise RefusedError(
                f"{name!r} is the name of a {kind}, whose token has the role {' or '.join(roles)}: choose another for one "
                f"with the role {role}"
            )
    if role == WORKER and name not in workers:
        return (
            f"there is no worker {name!r}: nothing that its daemon says is known to be of one until `wgfleet worker add "
            f"{name}`; or revoke this, and let the machine make its own by `wgfleet worker enrol`"
        )
    if role in CLIENTS and clients and name not in clients:
        return (
            f"there is no client {name!r}: workers that follow the client list do not have it as a peer until `wgfleet "
            f"client add {name}`; or revoke this, and let the machine make its own by `wgfleet {role} enrol`"
        )
    return ""

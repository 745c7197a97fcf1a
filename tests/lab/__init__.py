"""A whole WireGuard fleet on one machine: every host a network namespace, every program the real one.

The demo, the end-to-end tests and the benches stand on it. `network` lays it out and `addresses` draws it;
`preflight` says whether this machine can carry it. The fleet's own daemons are started on top.

Nothing has a name outside: namespaces are held by processes, and every process is killed by the kernel when
the Python that made it dies, however it dies.
"""

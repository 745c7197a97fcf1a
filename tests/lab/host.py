"""A machine of the lab: a network namespace without a name, held by one small process."""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.lab import inside
from tests.lab.forward import Forward, open_forward
from tests.lab.launch import Launcher, mortal
from tests.lab.process import READY_SECONDS, Process, Ready
from tests.lab.programs import program

# /var/run/wireguard is where userspace WireGuard and `wg` meet, and it is not part of a network namespace: a private
# one lets each host have a wg0. (Where nobody ever ran WireGuard, the empty folder is made and stays.) A fresh /sys
# shows this namespace's interfaces. rp_filter: loose, as systemd sets it, whatever this machine has.
# `cat` ends when its standard input does: a second way, beside the parent-death signal, to hear that the lab is gone.
HOLD = """
mkdir -p /var/run/wireguard
mount -t tmpfs -o mode=0700 wireguard /var/run/wireguard
mount -t sysfs sysfs /sys
ip link set lo up
echo 2 > /proc/sys/net/ipv4/conf/all/rp_filter
echo 2 > /proc/sys/net/ipv4/conf/default/rp_filter
echo holding
exec cat
"""

LISTENING = "0A"
"""A TCP socket's state in /proc/net/tcp."""


class CommandError(RuntimeError):
    """A short command inside a host failed; the text has the command and what it said."""


class Host:
    """One machine. `address` is where others reach it outside any tunnel."""

    def __init__(self, launcher: Launcher, name: str, address: str) -> None:
        """Begin to make it; `wait` until it is there."""
        self.name = name
        self.address = address
        self.directory = launcher.directory
        self._launcher = launcher
        self._port: tuple[Host, str] | None = None
        hold = [program("unshare"), "--net", "--mount", "/bin/sh", "-ec", HOLD]
        self._holder = Process(launcher, f"{name}.holder", hold, ready="holding", lifeline=True)
        self._holder.launch()

    def wait(self) -> None:
        """Wait until programs can be started in it."""
        self._holder.wait_until_ready()

    @property
    def pid(self) -> int:
        """The process whose namespaces are this machine."""
        return self._holder.pid

    @property
    def way_in(self) -> str:
        """What a person types to get a shell on this machine."""
        return f"nsenter --target {self.pid} --net --mount"

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The command, as it is run in this machine.

        Without `--pid` nsenter does not fork but becomes the command, which so keeps the process id and receives the
        signals. Entering the mounts leaves the current folder behind, so it is set again, to the lab's own.
        """
        enter = [program("nsenter"), "--target", str(self.pid), "--net", "--mount", "--"]
        return [*enter, program("env"), f"--chdir={self.directory}", *map(str, command)]

    def run(self, *command: str | Path, given: str = "", timeout: float = READY_SECONDS) -> str:
        """Run a short command and return what it prints. Secrets go in by `given`, its standard input.

        Raises:
            CommandError: its exit status is not 0, or it takes too long.

        """
        try:
            done = subprocess.run(
                [*mortal(), *self.inside(command)],
                input=given,
                env=self._launcher.environment(),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CommandError(f"{self._said(command)} takes longer than {timeout:g} s") from None
        if done.returncode != 0:
            said = (done.stderr + done.stdout).strip()
            raise CommandError(f"{self._said(command)} failed with {done.returncode}: {said}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Carry out lines in the words of ip, as `address add 192.0.2.1/24 dev eth0`, in one call."""
        self.run("ip", "-batch", "-", given="\n".join(lines) + "\n")

    def nft(self, rules: str) -> None:
        """Load nftables rules."""
        self.run("nft", "-f", "-", given=rules)

    def sysctl(self, key: str, value: int) -> None:
        """Set a value, as `net.ipv4.ip_forward`."""
        self.run("/bin/sh", "-ec", f"echo {value} > /proc/sys/{key.replace('.', '/')}")

    def spawn(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        ready: Ready = None,
        timeout: float = READY_SECONDS,
        environment: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Process:
        """Start a program on this machine and wait until it is ready. Its log is `<host>.<name>.log`."""
        prepared = self.prepare(
            name, command, ready=ready, timeout=timeout, environment=environment, pass_fds=pass_fds
        )
        prepared.start()
        return prepared

    def prepare(self, name: str, command: Sequence[str | Path], **how: Any) -> Process:
        """What `spawn` does, short of starting it."""
        return Process(self._launcher, f"{self.name}.{name}", self.inside(command), **how)

    def reaches(self, address: str, *, timeout: float = 1.0, mark: int = 0) -> bool:
        """Whether an ICMP echo comes back in time, sent with this firewall mark."""
        ping = self.inside(inside.command("ping", address, timeout, mark))
        done = subprocess.run([*mortal(), *ping], env=self._launcher.environment(), check=False)
        return done.returncode == 0

    def listens(self, port: int) -> bool:
        """Whether a program on this machine listens on this TCP port; a `ready` for those that log nothing."""
        tables = [
            Path(f"/proc/{self.pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")
        ]
        sockets = [line.split() for table in tables for line in table]
        return any(
            state == LISTENING and int(local.rpartition(":")[2], 16) == port
            for _, local, _, state, *_ in sockets
        )

    def file(self, path: str) -> Path:
        """A path as this machine sees it, for a Python outside.

        Symbolic links are followed first: an absolute one, as Debian's /var/run, would lead back outside.
        """
        return Path(f"/proc/{self.pid}/root{Path(path).resolve()}")

    def forward(self, port: int, *, local_port: int = 0, address: str = "127.0.0.1") -> Forward:
        """Open 127.0.0.1:`local_port` (0: any) outside as a way to `address:port` on this machine."""
        return open_forward(self.spawn, port, local_port=local_port, address=address)

    def attach(self, interface: str, other: "Host", port: str, *, bridge: str) -> None:
        """Lay a cable from a new interface here to a new port of a bridge on another machine.

        Both ends are made where they belong: no interface of the lab is ever seen outside.
        """
        cable = f"link add name {interface} netns {self.pid} type veth peer name {port} netns {other.pid}"
        subprocess.run([*mortal(), program("ip"), *shlex.split(cable)], check=True, capture_output=True)
        other.ip(f"link set {port} master {bridge} up")
        self._port = self._port or (other, port)

    def cut_off(self) -> None:
        """Let nothing in or out on the first cable, silently: the carrier stays, no sender sees an error."""
        self._set_port("0")

    def mend(self) -> None:
        """Undo `cut_off`."""
        self._set_port("3")

    def _set_port(self, state: str) -> None:
        """0 is "disabled", 3 is "forwarding": the states of a bridge's port in bridge(8)."""
        if self._port is None:
            raise CommandError(f"{self.name} has no cable to cut")
        other, port = self._port
        other.run("bridge", "link", "set", "dev", port, "state", state)

    def _said(self, command: Sequence[str | Path]) -> str:
        return f"on {self.name}, `{shlex.join(map(str, command))}`"

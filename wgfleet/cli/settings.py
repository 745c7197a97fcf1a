"""Everything that the rendered files depend on, and which of it cannot work together."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlsplit

from wgfleet.cli.alerting import Alerting
from wgfleet.cli.places import Place, Vantage, parse_canary, parse_label
from wgfleet.cli.probing import Probing, SettingsError
from wgfleet.names import check_endpoint

Parsed = TypeVar("Parsed")


class Deciding(StrEnum):
    """The probe by whose answers a worker is up or down."""

    TUNNEL = "tunnel"
    ICMP = "icmp"
    TCP = "tcp"

    @property
    def what(self) -> str:
        """The probe in an alert's words."""
        return {
            Deciding.TUNNEL: "ICMP echo through the tunnel",
            Deciding.ICMP: "ICMP echo to its public address",
            Deciding.TCP: "TCP connection to its public address",
        }[self]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the files depend on."""

    probing: Probing = Probing()  # noqa: RUF009  # Frozen, so it may be shared.
    deciding: Deciding = Deciding.TUNNEL
    alerting: Alerting = Alerting()  # noqa: RUF009  # Frozen, so it may be shared.
    receivers: tuple[str, ...] = ("http://127.0.0.1:9587",)
    """Whom Prometheus asks for workers and probes, and Alertmanager tells: the receiver, or what balances several; or those that
    share a PostgreSQL and stand behind no load balancer, each by its own URL."""
    replicas: tuple[str, ...] = ()
    """Each receiver by its own URL, where several share a store behind one: these are scraped. None: the receivers are."""
    followers: tuple[str, ...] = ()
    """URLs of those that are scraped."""
    receiver_ca_file: str = ""
    """The authority of the certificates of receivers and followers; empty: the system's."""
    vantages: tuple[str, ...] = ("main",)
    """NAME=HOST:PORT of each blackbox exporter, or NAME for the one on this host."""
    canaries: tuple[str, ...] = ()
    """NAME=ADDRESS: what this vantage pings that is no worker; a vantage without one asks the receiver."""
    vantage_ca_file: str = ""
    """The authority that signs the certificates of the monitoring hosts, and of nobody else."""
    vantage_cert_file: str = ""
    """This host's certificate, by which the others know it."""
    vantage_key_file: str = ""
    alertmanagers: tuple[str, ...] = ("127.0.0.1:9093",)
    prometheis: tuple[str, ...] = ("127.0.0.1:9090",)
    external_labels: tuple[str, ...] = ()
    """NAME=VALUE: what tells this Prometheus from another in remote storage. It reaches no alert."""
    rules: str = "rules.yml"
    """As Prometheus reads it: beside prometheus.yml unless it is absolute."""
    prometheus_token_file: str = "/etc/wgfleet/prometheus.token"  # noqa: S105  # A path.
    alertmanager_token_file: str = "/etc/wgfleet/alertmanager.token"  # noqa: S105  # A path.
    exporter_scheme: str = "http"
    exporter_ca_file: str = ""
    """The authority of the exporters' certificates; empty: the system's."""
    exporter_cert_file: str = ""
    """By which the exporters know Prometheus."""
    exporter_key_file: str = ""
    exporter_token_file: str = ""
    exporter_username: str = ""
    exporter_password_file: str = ""
    runbooks: str = "https://github.com/wgfleet/wgfleet/blob/main/docs/runbooks"
    """The folder of the pages that alerts lead to, one for each alert."""
    load_limit: float = 0.85
    """The load ratio above which a worker is overloaded: some of it is left for the clients of one that fails."""

    def __post_init__(self) -> None:
        self.alerting.check(self.probing)
        self._check_receivers()
        self._check_scraped()
        _check_page("runbooks", self.runbooks)
        if not 0 < self.load_limit <= 1:
            raise SettingsError(
                f"load_limit is {self.load_limit:g}, expected a number above 0 and up to 1: it is a share of what a "
                "worker can carry"
            )
        self._check_paths()
        self._check_vantages()
        self._check_other_hosts()
        self._check_exporters()

    @property
    def parsed_vantages(self) -> tuple[Vantage, ...]:
        """The vantages, in the order in which they were given."""
        return _each("vantage", self.vantages, Vantage.parse)

    @property
    def parsed_canaries(self) -> tuple[tuple[str, str], ...]:
        """Each a vantage's name and an address."""
        return _each("canary", self.canaries, parse_canary)

    @property
    def parsed_alertmanagers(self) -> tuple[Place, ...]:
        """Where alerts go."""
        return _each("alertmanager", self.alertmanagers, Place.parse)

    @property
    def parsed_prometheis(self) -> tuple[Place, ...]:
        """Which Prometheis tell of themselves."""
        return _each("prometheus", self.prometheis, Place.parse)

    @property
    def parsed_labels(self) -> tuple[tuple[str, str], ...]:
        """Each a label's name and value."""
        return _each("external_label", self.external_labels, parse_label)

    def check_mutual_tls(self) -> None:
        """Raise SettingsError unless monitoring hosts can know each other by certificates."""
        for field in ("vantage_ca_file", "vantage_cert_file", "vantage_key_file"):
            if not getattr(self, field):
                raise SettingsError(
                    f"{field} is not given, expected the paths of an authority, this host's certificate and its key: "
                    "the blackbox exporter is to answer those alone who have a certificate of that authority"
                )

    def _check_receivers(self) -> None:
        for receiver in self.receivers:
            _check_url("receiver", receiver)
            if self.receivers.count(receiver) > 1:
                raise SettingsError(
                    f"receiver {receiver!r} is given {self.receivers.count(receiver)} times, expected once"
                )
            if self.receiver_ca_file and urlsplit(receiver).scheme != "https":
                raise SettingsError(
                    f"receiver_ca_file is {self.receiver_ca_file!r} and receiver {receiver!r}, expected https://: "
                    "in clear nobody shows a certificate"
                )
        if len({urlsplit(receiver).scheme for receiver in self.receivers}) > 1:
            raise SettingsError(
                f"receiver is {' and '.join(map(repr, self.receivers))}, expected https:// for all of them, or for none"
            )

    def _check_paths(self) -> None:
        if not self.rules:
            raise SettingsError("rules is '', expected a path on one line")
        for field in self.__slots__:
            path = getattr(self, field)
            if field == "rules" or field.endswith("_file") or field == "exporter_username":
                needed = field in {"rules", "prometheus_token_file", "alertmanager_token_file"}
                if (needed and not path) or not path.isprintable():
                    raise SettingsError(f"{field} is {path!r}, expected a path on one line")

    def _check_scraped(self) -> None:
        for field, urls in (("replica", self.replicas), ("follower", self.followers)):
            for url in urls:
                _check_url(field, url)
                if urls.count(url) > 1:
                    raise SettingsError(f"{field} {url!r} is given {urls.count(url)} times, expected once")

    def _check_vantages(self) -> None:
        names = [vantage.name for vantage in self.parsed_vantages]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(
                    f"vantage {name!r} is given {names.count(name)} times, expected each name once"
                )
        places = [vantage.place.address for vantage in self.parsed_vantages]
        for vantage, place in zip(self.parsed_vantages, places, strict=True):
            if places.count(place) > 1:
                raise SettingsError(
                    f"vantage {vantage.name!r} is {place}, as another one is: expected a place of its own for each, or the "
                    "same eyes would count twice"
                )
        for name, _ in self.parsed_canaries:
            if name not in names:
                raise SettingsError(f"canary is for the vantage {name!r}, expected one of {', '.join(names)}")
        labels = [name for name, _ in self.parsed_labels]
        for name in labels:
            if labels.count(name) > 1:
                raise SettingsError(
                    f"external_label {name!r} is given {labels.count(name)} times, expected once"
                )

    def _check_other_hosts(self) -> None:
        _check_pair(self, "vantage_cert_file", "vantage_key_file")
        places = [
            *(("vantage", vantage.place) for vantage in self.parsed_vantages),
            *(("alertmanager", place) for place in self.parsed_alertmanagers),
            *(("prometheus", place) for place in self.parsed_prometheis),
        ]
        for field, place in places:
            if place.scheme == "https" and not self.vantage_cert_file:
                raise SettingsError(
                    f"{field} is https://{place.address} and vantage_cert_file is not given, expected this host's "
                    f"certificate and key beside it (or http://{place.address} where the way there is safe by itself, "
                    "as a tunnel between the monitoring hosts): whoever reaches it needs no password"
                )

    def _check_exporters(self) -> None:
        if self.exporter_scheme not in {"http", "https"}:
            raise SettingsError(f"exporter_scheme is {self.exporter_scheme!r}, expected http or https")
        _check_pair(self, "exporter_cert_file", "exporter_key_file")
        _check_pair(self, "exporter_username", "exporter_password_file")
        if self.exporter_token_file and self.exporter_username:
            raise SettingsError(
                f"exporter_token_file is {self.exporter_token_file!r} and exporter_username "
                f"{self.exporter_username!r}, expected one of them: a request carries one kind of authorization"
            )
        for field in ("exporter_ca_file", "exporter_cert_file"):
            if getattr(self, field) and self.exporter_scheme != "https":
                raise SettingsError(
                    f"{field} is {getattr(self, field)!r} and exporter_scheme 'http', expected https: "
                    "in clear nobody shows a certificate"
                )


def _each(field: str, texts: tuple[str, ...], parse: Callable[[str], Parsed]) -> tuple[Parsed, ...]:
    try:
        return tuple(parse(text) for text in texts)
    except ValueError as error:
        raise SettingsError(f"{field}: {error}") from None


def _check_pair(settings: Settings, first: str, second: str) -> None:
    for given, missing in ((first, second), (second, first)):
        if getattr(settings, given) and not getattr(settings, missing):
            raise SettingsError(
                f"{given} is {getattr(settings, given)!r} and {missing} is not given, expected both or neither"
            )


def _check_url(field: str, value: str) -> None:
    # A token in the URL would be logged by both programs, and a path would be lost in the scrape target.
    wrong = SettingsError(f"{field} is {value!r}, expected http://host:port or https://host:port")
    try:
        url = urlsplit(value)
        check_endpoint(url.netloc)
    except ValueError:
        raise wrong from None
    if url.scheme not in {"http", "https"} or url.path not in {"", "/"} or url.query or url.fragment:
        raise wrong


def _check_page(field: str, value: str) -> None:
    # It stands in annotations, so it is text that people click.
    try:
        url = urlsplit(value)
    except ValueError:
        url = urlsplit("")
    if url.scheme not in {"http", "https"} or not url.hostname or not value.isprintable() or " " in value:
        raise SettingsError(
            f"{field} is {value!r}, expected a folder's URL, as https://wiki.example/runbooks"
        )

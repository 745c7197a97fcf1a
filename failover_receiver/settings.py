"""The receiver's configuration: one TOML file. An unknown key is an error, because it is a misspelt one."""

import ipaddress
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from failover_receiver.faults import worded
from failover_receiver.publishing.dns.place import Dns
from failover_receiver.publishing.places import File, Mqtt, Upload, Webhook
from failover_receiver.registry.pools import Space, span
from failover_receiver.registry.shared import Shared
from failover_receiver.state import Policy
from failover_receiver.store.dsn import Dsn, is_uri
from wgfleet.names import check_name, check_prefix
from wgfleet.tomltext import parsed

S = TypeVar("S", bound=BaseModel)
Seconds = Annotated[float, Field(gt=0, le=86400)]


def _base_url(value: str) -> str:
    """The URL without a slash at its end, or ValueError."""
    try:
        url = urllib.parse.urlsplit(value)
        usable = url.scheme in {"http", "https"} and url.hostname and url.port != 0
    except ValueError:  # Of the port, or of a bracket that is left open.
        usable = False
    if not usable:
        raise ValueError("not a URL: as http://127.0.0.1:9093")
    if url.username is not None:
        raise PydanticCustomError("secret", "holds a password, which would be logged")
    return value.rstrip("/")


def _network(value: str) -> str:
    """An address or a network, or ValueError."""
    try:
        ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("not an address or a network: as 127.0.0.1 or 10.0.0.0/24") from None
    return value


def _apart(networks: list[str]) -> list[str]:
    """Networks that do not overlap, or ValueError."""
    space = Space()
    for network in networks:
        other = space.owner(span(network))
        if other is not None:
            raise ValueError(f"{network} overlaps with {other}: each address is given from one network")
        space.take([span(network)], network)
    return networks


def _store(value: object) -> object:
    """What is meant to be a URI as a Dsn; whatever else as it is."""
    if not isinstance(value, str) or not is_uri(value):
        return value
    try:
        return Dsn.parse(value)
    except ValueError as error:
        raise PydanticCustomError("secret", "{error}", {"error": str(error)}) from None


BaseUrl = Annotated[str, AfterValidator(_base_url)]
Network = Annotated[str, AfterValidator(_network)]


class ConfigurationError(ValueError):
    """The file cannot be used; the text names every faulty key, its value and what would be right."""


class Settings(BaseModel):
    """What `receiver.toml` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    fleet: Annotated[str, AfterValidator(check_name)]
    """The fleet's name; documents carry it, and clients refuse those of another."""
    listen_address: str = "127.0.0.1"
    """For clients to reach it: `0.0.0.0` or `::`, with TLS or behind a proxy."""
    listen_port: int = Field(default=9587, ge=0, le=65535)
    """0: any that is free, as the log says."""
    processes: int = Field(default=1, ge=1, le=64)
    """Processes that share the port: one decides, and all of them hold streams. At most one for each processor core."""
    store: Annotated[Path | Dsn, BeforeValidator(_store)]
    """The SQLite file; or `postgresql://…`, for several receivers on one PostgreSQL (docs/replicas.md)."""
    store_password_file: Path | None = None
    """Holds PostgreSQL's password, which need not stand in `store` then."""
    signing_key_file: Path
    """The key that documents are signed with, and the endorsements that led to it."""
    alertmanagers: list[BaseUrl] = ["http://127.0.0.1:9093"]
    """Whose active alerts are read, beside their webhooks; empty: webhooks alone."""
    read_interval: Seconds = 3.0
    """Seconds between readings of Alertmanagers' active alerts."""
    alertmanager_ca_file: Path | None = None
    """The authority of Alertmanagers' certificates; without it, those that the system trusts."""
    alertmanager_cert_file: Path | None = None
    """The certificate that is shown to Alertmanagers that ask for one."""
    alertmanager_key_file: Path | None = None
    """Its key."""
    alertmanager_token_file: Path | None = None
    """Holds the bearer token that they ask for."""
    prometheis: list[BaseUrl] = ["http://127.0.0.1:9090"]
    """Asked for the workers' loads, which people see and nothing is decided by; empty: nobody is asked."""
    load_interval: Seconds = 15.0
    """Seconds between askings."""
    canaries: list[str] = []
    """What a vantage pings to know that it is itself not cut off; empty: this host's default gateway."""
    open_health: bool = False
    """Answer /health and /metrics without a token."""
    probe_interval: Seconds = 30.0
    """Seconds between probes, as `wgfleet render --interval` was told: six without a word, and a worker is not monitored."""
    hold_down: Seconds = 30.0
    """Seconds that a worker must be up before it serves again."""
    hold_down_factor: float = Field(default=2.0, ge=1, le=10)
    """Each further failure within an hour multiplies the hold-down by this."""
    hold_down_max: Seconds = 600.0
    """Seconds; the longest hold-down."""
    least_serving: float = Field(default=0.5, ge=0, le=1)
    """The panic limit: with a smaller part of the workers that could serve left, alerts are no longer believed."""
    fresh_for: float = Field(default=3600.0, ge=60, le=86400)
    """Seconds that a document counts as fresh; it is issued anew at half of that."""
    keep_events_days: float = Field(default=400.0, gt=0, le=36500)
    """Days; older history is forgotten."""
    trusted_proxies: list[Network] = []
    """Addresses or networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    client_pools: Annotated[list[Annotated[str, AfterValidator(check_prefix)]], AfterValidator(_apart)] = []
    """Networks, IPv4 and IPv6, that clients' tunnel addresses are given from; empty: operators say them."""
    public_urls: list[BaseUrl] = []
    """Where machines that enrol reach this receiver, best first; empty: where the operator's command does."""
    tls_certificate_file: Path | None = None
    """With it, the receiver speaks https; the chain, in PEM."""
    tls_key_file: Path | None = None
    """Its key, without a password."""
    mqtt: Mqtt | None = None
    """The peer set as a retained message on an MQTT broker, which clients may follow in this receiver's place."""
    webhooks: list[Webhook] = []
    """A notice of each change, posted to another program."""
    file: File | None = None
    """The peer set as a file, for a web server, a cache or rsync."""
    uploads: list[Upload] = []
    """The peer set by HTTP PUT, into a bucket or by WebDAV."""
    dns: Dns | None = None
    """A name that leads to what serves only, kept by dynamic updates, for devices without the daemon."""
    shared: Shared | None = None
    """An identity that several workers share, for devices without the daemon."""

    @field_validator("shared")
    @classmethod
    def _pools_apart(cls, shared: Shared | None, known: ValidationInfo) -> Shared | None:
        if shared is not None:
            _apart([*known.data.get("client_pools", []), *shared.pools])
        return shared

    @property
    def store_file(self) -> Path:
        """The SQLite file. Raises ConfigurationError where it is a PostgreSQL."""
        if isinstance(self.store, Dsn):
            raise ConfigurationError(f"store: is {self.store}, and this is for a store in a file")
        return self.store

    @property
    def policy(self) -> Policy:
        """The numbers that decisions depend on."""
        return Policy(
            probe_interval=self.probe_interval,
            hold_down=self.hold_down,
            hold_down_factor=self.hold_down_factor,
            hold_down_max=max(self.hold_down, self.hold_down_max),
            least_serving=self.least_serving,
            fresh_for=self.fresh_for,
        )


def load(path: Path) -> Settings:
    """Read the file; relative paths in it count from its own folder."""
    return read(path, Settings, otherwise="`wgfleet-receiver init` makes one")


def read(path: Path, kind: type[S], *, otherwise: str) -> S:
    """Read a file of this kind; `otherwise` is where one comes from that is not there."""
    try:
        said = parsed(path.read_text())
    except FileNotFoundError:
        raise ConfigurationError(f"{path} is not there: {otherwise}") from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    try:
        settings = kind(**said)
    except ValidationError as error:
        raise ConfigurationError(_explain(path, error, kind)) from None
    return _absolute(settings, path.parent)


M = TypeVar("M", bound=BaseModel)


def _absolute(said: M, folder: Path) -> M:
    """The same with every relative path counted from the folder."""
    return said.model_copy(update={name: _from(value, folder) for name, value in said})


def _from(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, BaseModel):
        return _absolute(value, folder)
    return [_from(one, folder) for one in value] if isinstance(value, list) else value


def check_readable(settings: BaseModel) -> None:
    """Raise ConfigurationError for a TLS file that is not there or not ours to read: uvicorn would not name it."""
    for key in ("tls_certificate_file", "tls_key_file"):
        file: Path | None = getattr(settings, key)
        try:
            if file is not None:
                file.open("rb").close()
        except OSError as error:
            raise ConfigurationError(
                f"{key}: {file} cannot be read: {error.strerror}; is it there, and this user's to read?"
            ) from None


def _explain(path: Path, error: ValidationError, kind: type[BaseModel]) -> str:
    faults = (worded(fault, known=", ".join(sorted(_known(kind, fault["loc"])))) for fault in error.errors())
    return f"{path}:\n  " + "\n  ".join(faults)


def _known(table: type[BaseModel], where: tuple[int | str, ...]) -> Iterable[str]:
    """The keys of the table within this one in which that one stands."""
    for part in where[:-1]:
        if isinstance(part, str):
            table = table_of(table.model_fields[part]) or table
    return table.model_fields


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """What the table, or each of the tables, of this key may say; None of a key that is none."""
    kinds = [field.annotation, *get_args(field.annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)

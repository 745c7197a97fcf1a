"""Bundles: operators make them out, machines use them."""

from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from failover_receiver.access import DeniedError, Holder, Role
from failover_receiver.enrolments import InvalidBundleError
from failover_receiver.receiver import Receiver
from failover_receiver.registry.enrolment import Asked, Enrolment, Standing
from failover_receiver.routes.clients import MOST_ADDRESSES, MOST_NETWORKS, Address, Key, Name, Network
from failover_receiver.routes.operators import WorkerBody
from wgfleet.bundle import Bundle, check_url

MOST_URLS = 8
CERTIFICATE_LENGTH = 65536
"""Characters: a chain of several authorities."""


class WorkerWithoutKeyBody(WorkerBody):
    """A worker as an operator describes it before it has made its key."""

    public_key: Literal[""] = ""
    """It comes when the bundle is used."""


class EnrolmentBody(BaseModel):
    """A bundle to make out."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    role: Literal["client", "worker", "vantage"]
    again: bool = False
    """It is known: its key and token are replaced when the bundle is used."""
    addresses: Annotated[list[Address], Field(min_length=1, max_length=MOST_ADDRESSES)] | None = None
    networks: Annotated[list[Network], Field(max_length=MOST_NETWORKS)] | None = None
    worker: WorkerWithoutKeyBody | None = None
    receivers: Annotated[list[Annotated[str, AfterValidator(check_url)]], Field(max_length=MOST_URLS)] = []
    """Where the operator reaches the receiver; what the configuration says goes before."""
    ca: Annotated[str, Field(max_length=CERTIFICATE_LENGTH)] | None = None
    """The authority of the receiver's certificate, in PEM."""

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        if self.role != "worker" and self.worker is not None:
            raise ValueError(f"worker is for the role worker; a {self.role} has addresses and networks")
        if self.role == "worker" and (self.addresses is not None or self.networks is not None):
            raise ValueError("addresses and networks are for clients and vantages; a worker has worker")
        if self.ca is not None and "PRIVATE KEY" in self.ca:
            raise ValueError("ca has a private key in it: give the authority's certificate alone")
        return self

    def asked(self, receivers: tuple[str, ...]) -> Asked:
        """The same as a value of the registry."""
        return Asked(
            again=self.again,
            addresses=None if self.addresses is None else tuple(self.addresses),
            networks=None if self.networks is None else tuple(self.networks),
            worker=None if self.worker is None else self.worker.spec(),
            receivers=receivers,
        )


class EnrolBody(BaseModel):
    """What a machine sends to join."""

    secret: SecretStr
    """Of the bundle. Never shown again, in an error neither."""
    public_key: Key


def routes(receiver: Receiver) -> APIRouter:
    """`/v1/enrolments` for operators, `/v1/enrol` for whoever has a bundle."""
    router = APIRouter(prefix="/v1")
    operator = receiver.allow(Role.OPERATOR)
    enrolments = receiver.enrolments
    Who = Annotated[Holder, Depends(operator)]  # noqa: N806 - a type, made here because it needs the receiver.

    @router.get("/enrolments", dependencies=[Depends(operator)])
    async def made() -> list[dict[str, Any]]:
        """Bundles that were made out lately; their secrets are not known here."""
        return [_told(one, standing) for one, standing in enrolments.all()]

    @router.post("/enrolments", status_code=201)
    async def make(body: EnrolmentBody, who: Who) -> dict[str, Any]:
        """Make out a bundle, good once and for an hour; it is shown this once."""
        urls = tuple(receiver.settings.public_urls or body.receivers or [_own_url(receiver)])
        one, secret = await enrolments.make(body.name, Role(body.role), body.asked(urls), who=who.name)
        bundle = Bundle(
            fleet=receiver.settings.fleet,
            receivers=urls,
            name=one.name,
            role=one.role,
            secret=secret,
            expires_at=one.expires_at,
            signing_keys=(receiver.signing_key,),
            ca=body.ca,
        )
        return {**_told(one, Standing.OPEN), "receivers": urls, "bundle": bundle.to_text()}

    @router.delete("/enrolments/{name}", status_code=204)
    async def cancel(name: str, who: Who) -> None:
        """Let nobody use the open bundle of that name."""
        await enrolments.cancel(name, who=who.name)

    @router.post("/enrol")
    async def enrol(request: Request, body: EnrolBody) -> dict[str, Any]:
        """Join by a bundle: once. The answer has the token, which is shown this once."""
        address = "" if request.client is None else request.client.host
        try:
            joined = await enrolments.use(body.secret.get_secret_value(), body.public_key)
        except InvalidBundleError:
            receiver.gate.may_try(address)
            receiver.gate.failed(address)
            raise DeniedError(
                401,
                "this bundle opens nothing here: it was used, has expired, was cancelled or replaced by a newer one of the same "
                "name, or is another fleet's; ask for a new one",
            ) from None
        return {
            **asdict(joined),
            "fleet": receiver.settings.fleet,
            "signing_keys": [receiver.signing_key],
        }

    return router


def _own_url(receiver: Receiver) -> str:
    said = receiver.settings
    host = f"[{said.listen_address}]" if ":" in said.listen_address else said.listen_address
    return f"{'http' if said.tls_certificate_file is None else 'https'}://{host}:{said.listen_port}"


def _told(one: Enrolment, standing: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "role": one.role,
        "again": one.asked.again,
        "state": standing,
        "made_by": one.made_by,
        "made_at": one.made_at,
        "expires_at": one.expires_at,
        "used_at": one.used_at,
    }

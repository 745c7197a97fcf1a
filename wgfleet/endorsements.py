"""One signing key vouches for the next, so that who trusts the old one can trust the new one without being asked.

An endorsement is a JWS by the old key that names the new one. A receiver that has rotated its key sends all of them, oldest
first, in the header `endorsements` of every document: so a client that was off for several rotations follows them
all at once. Pure: values in, values out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wgfleet import jws
from wgfleet.jws import SignatureRefusedError, key_id, key_text

TYPE = "wgfleet/signing-key"
HEADER = "endorsements"
MOST = 10
"""Endorsements. Each makes every document half a kilobyte longer; who missed more rotations pins the key anew."""
MOST_CHARACTERS = 600
"""Of one endorsement; a fleet with the longest name needs 400."""

Keys = Mapping[str, Ed25519PublicKey]
"""Public keys by their ids."""


def endorse(new: Ed25519PublicKey, old: Ed25519PrivateKey, *, fleet: str, now: float) -> str:
    """Let the old key vouch for the new one. When it did is for people: nothing depends on a clock."""
    said = {"type": TYPE, "fleet": fleet, "public_key": key_text(new), "issued_at": int(now)}
    return jws.sign(json.dumps(said, separators=(",", ":")).encode(), old).decode()


def chain_of(header: Mapping[str, Any]) -> tuple[str, ...]:
    """The endorsements that a header brings; how many and how long is checked before anything is verified."""
    chain = header.get(HEADER, [])
    if not isinstance(chain, list) or len(chain) > MOST:
        raise SignatureRefusedError(f"its header {HEADER} is not a list of at most {MOST}")
    for link in chain:
        if not isinstance(link, str) or len(link) > MOST_CHARACTERS or not link.isascii():
            raise SignatureRefusedError(
                f"its header {HEADER} has an entry that is no text of at most {MOST_CHARACTERS} ASCII characters"
            )
    return tuple(chain)


def signers(chain: Sequence[str]) -> frozenset[str]:
    """The ids of the keys that have signed a chain which was checked."""
    return frozenset(str(jws.unverified_header(link.encode()).get("kid")) for link in chain)


def lead(chain: Sequence[str], trusted: Keys, *, fleet: str) -> Keys:
    """The keys that the chain leads through, from the first trusted one on; empty if no trusted key is in it.

    Raises:
        SignatureRefusedError: one of the endorsements from there on is not what it should be.

    """
    signers = [jws.unverified_header(link.encode()).get("kid") for link in chain]
    for number, signer in enumerate(signers):
        if isinstance(signer, str) and signer in trusted:
            return _walk(chain, number, trusted[signer], fleet)
    return {}


def check(chain: Sequence[str], last: Ed25519PublicKey, *, fleet: str | None) -> None:
    """Raise SignatureRefusedError unless the chain leads to this key. That its first signer be trusted is not asked."""
    keys = _walk(chain, 0, None, fleet)
    if chain and key_id(last) not in list(keys)[-1:]:
        raise SignatureRefusedError(f"they do not lead to key {key_id(last)}")


def _walk(chain: Sequence[str], start: int, key: Ed25519PublicKey | None, fleet: str | None) -> Keys:
    """Verify each endorsement with the key that the one before it names."""
    keys = {} if key is None else {key_id(key): key}
    for number, link in enumerate(chain[start:], start=start + 1):
        try:
            key = _endorsed(link.encode(), key, fleet)
            _must_lead_on(key, keys)
        except SignatureRefusedError as error:
            raise SignatureRefusedError(f"endorsement {number} of {len(chain)}: {error}") from error
        keys[key_id(key)] = key
    return keys


def _must_lead_on(key: Ed25519PublicKey, keys: Keys) -> None:
    if key_id(key) in keys:
        raise SignatureRefusedError(f"it leads back to key {key_id(key)}")


def _endorsed(link: bytes, signer: Ed25519PublicKey | None, fleet: str | None) -> Ed25519PublicKey:
    kid = jws.unverified_header(link).get("kid")
    if signer is not None and kid != key_id(signer):
        raise SignatureRefusedError(f"it is by another key than {key_id(signer)}")
    said = _fields(jws.unverified(link) if signer is None else jws.verified(link, signer))
    if said.get("type") != TYPE:
        raise SignatureRefusedError(f"type is {_shown(said.get('type'))}, expected {TYPE!r}")
    if fleet is not None and said.get("fleet") != fleet:
        raise SignatureRefusedError(f"fleet is {_shown(said.get('fleet'))}, expected {fleet!r}")
    key = said.get("public_key")
    if not isinstance(key, str):
        raise SignatureRefusedError(f"public_key is {_shown(key)}, expected text")
    try:
        return jws.read_key(key)
    except ValueError as error:
        raise SignatureRefusedError(f"public_key: {error}") from None


def _fields(payload: bytes) -> Mapping[str, object]:
    try:
        said = json.loads(payload)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise SignatureRefusedError("it holds no JSON object")
    return said


def _shown(value: object) -> str:
    """Enough of it to recognise, in a line of log."""
    return repr(value)[:80]

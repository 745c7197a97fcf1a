"""Tests of wgfleet/signing.py. Forgeries are made by hand here, as somebody would who knows all but the key."""

import base64
import hashlib
import hmac
import json
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wgfleet.signing import SignatureRefusedError, Signer, Verifier, key_id

NEXT = "; if the receiver has another key now, pin the one that `wgfleet signing-key` prints"
"""What a refusal of an unknown key ends in."""

# The first test vector of RFC 8032.
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
KID = "21fe31dfa154a261"


def base64_of(key: bytes) -> str:
    """The key's text."""
    return base64.b64encode(key).decode()


SIGNER = Signer.from_text(base64_of(SECRET))
VERIFIER = Verifier([SIGNER.public_text])
PAYLOAD = b'{"generation":7}'


def segment(raw: bytes) -> bytes:
    """A part of a JWS."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def jws(header: object, payload: bytes = PAYLOAD, *, key: bytes = SECRET) -> bytes:
    """A JWS with any header, signed with Ed25519 whatever the header says."""
    signed = segment(json.dumps(header, separators=(",", ":")).encode()) + b"." + segment(payload)
    return signed + b"." + segment(Ed25519PrivateKey.from_private_bytes(key).sign(signed))


def refusal(document: bytes) -> str:
    """What is said against the document."""
    with pytest.raises(SignatureRefusedError) as caught:
        VERIFIER.payload(document)
    return str(caught.value)


def test_a_document_is_a_jws_that_any_library_can_verify() -> None:
    """Every byte of it: three parts, a header with algorithm and key, the payload as it was given."""
    assert SIGNER.sign(PAYLOAD) == jws({"alg": "EdDSA", "kid": KID})


@given(st.binary())
def test_what_was_signed_comes_back_byte_for_byte(payload: bytes) -> None:
    """Whatever the bytes are."""
    assert VERIFIER.payload(SIGNER.sign(payload)) == payload


def test_the_key_id_is_the_keys_own_digest() -> None:
    """So that receiver and clients need not agree on names."""
    assert hashlib.sha256(PUBLIC).hexdigest()[:16] == KID
    assert key_id(Ed25519PrivateKey.from_private_bytes(SECRET).public_key()) == KID


def test_keys_survive_their_text() -> None:
    """The signer's key file, with the newline that editors add, and what clients pin."""
    again = Signer.from_text(f"{SIGNER.to_text()}\n")

    assert again.sign(PAYLOAD) == SIGNER.sign(PAYLOAD)
    assert SIGNER.to_text() == base64_of(SECRET)
    assert SIGNER.public_text == base64_of(PUBLIC)


def test_two_generated_keys_differ() -> None:
    """A document of the one is not the other's."""
    with pytest.raises(SignatureRefusedError):
        Verifier([Signer.generate().public_text]).payload(Signer.generate().sign(PAYLOAD))


def test_several_keys_can_be_pinned() -> None:
    """While keys rotate, documents of the old and of the new one are taken."""
    new = Signer.generate()
    verifier = Verifier([SIGNER.public_text, f" {new.public_text}\n"])

    assert [verifier.payload(signer.sign(PAYLOAD)) for signer in (SIGNER, new)] == [PAYLOAD, PAYLOAD]


@given(st.data())
def test_no_other_payload_passes(damage: st.DataObject) -> None:
    """A document damaged anywhere is refused, or (base64 may be padded) says exactly what was signed."""
    document = bytearray(SIGNER.sign(PAYLOAD))
    where = damage.draw(st.integers(0, len(document)))
    document[where : where + damage.draw(st.integers(0, 3))] = damage.draw(st.binary(max_size=3))

    try:
        payload = VERIFIER.payload(bytes(document))
    except SignatureRefusedError:
        payload = PAYLOAD

    assert payload == PAYLOAD


@given(st.binary() | st.lists(st.binary().map(segment), min_size=2, max_size=4).map(b".".join))
def test_noise_is_refused(document: bytes) -> None:
    """With our exception and no other, whatever the bytes are."""
    with pytest.raises(SignatureRefusedError):
        VERIFIER.payload(document)


@pytest.mark.parametrize("length", range(0, len(SIGNER.sign(PAYLOAD)), 7))
def test_a_truncated_document_is_refused(length: int) -> None:
    """Wherever the connection broke."""
    assert refusal(SIGNER.sign(PAYLOAD)[:length]).startswith("not a document we can trust: ")


def test_a_changed_payload_is_refused() -> None:
    """The signature is over the payload's bytes."""
    header, _, signature = SIGNER.sign(PAYLOAD).split(b".")
    forged = b".".join([header, segment(b'{"generation":8}'), signature])

    assert refusal(forged) == "not a document we can trust: Signature verification failed"


def test_another_key_is_refused_by_its_id() -> None:
    """The text names both, so that a forgotten rotation is recognised."""
    other = Signer.generate()
    other_id = repr(other).removeprefix("Signer(").removesuffix(")")

    assert refusal(other.sign(PAYLOAD)) == f"signed with key '{other_id}', trusted are {KID}{NEXT}"


def test_a_refusal_names_every_trusted_key() -> None:
    """In an order that does not change from one line of log to the next."""
    ids = sorted([KID, key_id(Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key())])
    verifier = Verifier([Signer.from_text(base64_of(bytes(32))).public_text, SIGNER.public_text])

    with pytest.raises(SignatureRefusedError, match=f"^signed with key None, trusted are {', '.join(ids)};"):
        verifier.payload(jws({"alg": "EdDSA"}))


def test_another_key_under_our_id_is_refused() -> None:
    """The id chooses the key; the signature must be that key's."""
    forged = jws({"alg": "EdDSA", "kid": KID}, key=bytes(32))

    assert refusal(forged) == "not a document we can trust: Signature verification failed"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"alg": "EdDSA"}, f"signed with key None, trusted are {KID}{NEXT}"),
        ({"alg": "EdDSA", "kid": ""}, f"signed with key '', trusted are {KID}{NEXT}"),
        ({"alg": "EdDSA", "kid": KID.upper()}, f"signed with key {KID.upper()!r}, trusted are {KID}{NEXT}"),
        (
            {"alg": "EdDSA", "kid": [KID]},
            "not a document we can trust: Key ID header parameter must be a string",
        ),
        ({"kid": KID}, "not a document we can trust: Algorithm not specified"),
        ({"alg": "none", "kid": KID}, "not a document we can trust: The specified alg value is not allowed"),
        ({"alg": "RS256", "kid": KID}, "not a document we can trust: The specified alg value is not allowed"),
        (
            {"alg": "EdDSA", "kid": KID, "crit": ["exp"]},
            "not a document we can trust: its header asks for an extension",
        ),
        ([], "not a document we can trust: Invalid header string: must be a json object"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(header: object, message: str) -> None:
    """Even over a signature that our own key made: another key, algorithm or extension is not what we speak."""
    assert refusal(jws(header)) == message


def test_a_header_that_is_too_long_is_not_even_parsed() -> None:
    """The longest of ours is a third of that; whoever sends a longer one wants to keep us busy."""
    assert refusal(jws({"alg": "EdDSA", "kid": KID, "x": "x" * 12_300})) == (
        "not a document we can trust: its header has 16463 bytes, at most 16384 were expected"
    )


def test_a_long_name_of_a_key_does_not_fill_the_log() -> None:
    """Only its beginning is quoted."""
    assert refusal(jws({"alg": "EdDSA", "kid": "k" * 5000})).startswith(
        f"signed with key '{'k' * 39}, trusted are {KID};"
    )


def test_no_signature_is_not_a_signature() -> None:
    """`alg: none` with an empty signature is the oldest forgery."""
    forged = segment(json.dumps({"alg": "none", "kid": KID}).encode()) + b"." + segment(PAYLOAD) + b"."

    assert refusal(forged) == "not a document we can trust: The specified alg value is not allowed"


@pytest.mark.parametrize("secret", [PUBLIC, base64.b64encode(PUBLIC)])
def test_the_public_key_is_not_taken_for_a_shared_secret(secret: bytes) -> None:
    """HS256 keyed with what everybody knows: the second oldest."""
    signed = segment(json.dumps({"alg": "HS256", "kid": KID}).encode()) + b"." + segment(PAYLOAD)
    forged = signed + b"." + segment(hmac.digest(secret, signed, "sha256"))

    assert refusal(forged) == "not a document we can trust: The specified alg value is not allowed"


def with_dirt(text: str) -> str:
    """The same with a character that careless decoders skip."""
    return f"{text[:9]}!{text[9:]}"


@pytest.mark.parametrize(
    "text", ["", "secret", base64_of(SECRET[1:]), with_dirt(base64_of(SECRET)), SECRET.hex(), "ä"]
)
def test_a_signing_key_that_is_none_is_refused_unquoted(text: str) -> None:
    """It may be one that was damaged."""
    with pytest.raises(ValueError, match=r"^not a signing key: 32 bytes in base64 were expected$"):
        Signer.from_text(text)


@pytest.mark.parametrize(
    "text", ["", "key", base64_of(PUBLIC[1:]), with_dirt(base64_of(PUBLIC)), PUBLIC.hex()]
)
def test_a_pinned_key_that_is_none_is_refused_unquoted(text: str) -> None:
    """At start, and not when the first document comes; it may be a secret that was put in the wrong place."""
    expected = (
        f"a text of {len(text)} characters is not a public signing key: 32 bytes in base64 were expected, "
        "as `wgfleet signing-key` prints them"
    )

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        Verifier([text])


def test_pinning_no_key_is_refused() -> None:
    """Such a client would refuse every document, and say so much later."""
    with pytest.raises(ValueError, match=r"^no trusted key: pin at least the receiver's public signing key$"):
        Verifier([])


def test_a_signer_does_not_show_its_secret() -> None:
    """Neither printed nor in a container."""
    assert repr(SIGNER) == str(SIGNER) == f"Signer({KID})"
    assert str([SIGNER]) == f"[Signer({KID})]"

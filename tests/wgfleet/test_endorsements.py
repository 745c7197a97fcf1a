"""Tests of wgfleet/endorsements.py, and of what signing.py does with them: a receiver's key rotates, its clients follow.

Forged endorsements are made by hand, as somebody would who knows all keys but the one that counts.
"""

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgfleet import endorsements, jws
from wgfleet.signing import SignatureRefusedError, Signer, Verifier

FLEET = "example"
NOON = 1_795_348_800.0
PAYLOAD = b'{"generation":7}'
FIRST = Signer.generate()
SECOND = FIRST.successor(fleet=FLEET, now=NOON)
THIRD = SECOND.successor(fleet=FLEET, now=NOON)
THIEF = Signer.generate()


def link(by: Signer, to: Signer, *, kid: str | None = None, **said: Any) -> str:
    """An endorsement of any kind, signed by anybody."""
    payload = {
        "type": endorsements.TYPE,
        "fleet": FLEET,
        "public_key": to.public_text,
        "issued_at": 0,
        **said,
    }
    header = {} if kid is None else {"kid": kid}
    return jws.sign(json.dumps(payload).encode(), by._key, **header).decode()


def bringing(signer: Signer, chain: object) -> bytes:
    """A document by this signer whose header brings anything."""
    return jws.sign(PAYLOAD, signer._key, endorsements=chain)


def refusal(document: bytes, *trusted: Signer) -> str:
    """Why a client that trusts these keys does not take it."""
    with pytest.raises(SignatureRefusedError) as caught:
        Verifier(signer.public_text for signer in trusted).verify(document, fleet=FLEET)
    return str(caught.value)


def trusted_after(document: bytes, *trusted: Signer) -> set[str]:
    """Whom a client trusts that trusted these and has accepted the document."""
    said = Verifier(signer.public_text for signer in trusted).verify(document, fleet=FLEET)
    assert said.payload == PAYLOAD
    return set(said.trust.public_keys)


def chain(length: int) -> list[Signer]:
    """A key and as many after it."""
    return list(
        itertools.accumulate(
            range(length), lambda one, _: one.successor(fleet=FLEET, now=NOON), initial=FIRST
        )
    )


# What is sent.


def test_before_the_first_rotation_nothing_is_added() -> None:
    """Every byte is as it always was."""
    header = FIRST.sign(PAYLOAD).split(b".")[0]

    assert json.loads(base64.urlsafe_b64decode(header + b"==")) == {"alg": "EdDSA", "kid": FIRST.key_id}


def test_an_endorsement_names_the_fleet_the_new_key_and_when() -> None:
    """A JWS by the old key, in the documents' header, that any library can verify."""
    header = json.loads(base64.urlsafe_b64decode(SECOND.sign(PAYLOAD).split(b".")[0] + b"=="))
    (endorsement,) = header["endorsements"]

    assert header["kid"] == SECOND.key_id
    assert json.loads(Verifier([FIRST.public_text]).payload(endorsement.encode())) == {
        "type": "wgfleet/signing-key",
        "fleet": FLEET,
        "public_key": SECOND.public_text,
        "issued_at": 1_795_348_800,
    }


def test_only_the_last_ten_endorsements_are_sent() -> None:
    """Documents do not grow for ever; the newest stands last."""
    *before, last = chain(12)

    assert len(last.endorsements) == 10
    assert json.loads(jws.unverified(last.endorsements[-1].encode()))["public_key"] == last.public_text
    assert trusted_after(last.sign(PAYLOAD), before[2]) == {last.public_text}


def test_the_longest_chain_of_the_longest_fleet_is_within_the_bounds() -> None:
    """Or a receiver would lock itself out by rotating."""
    fleet, signer = "f" * 63, FIRST
    for _ in range(10):
        signer = signer.successor(fleet=fleet, now=1e11)

    document = signer.sign(PAYLOAD)
    assert Verifier([FIRST.public_text]).verify(document, fleet=fleet).payload == PAYLOAD
    assert max(map(len, signer.endorsements)) <= 400
    assert 3 * document.index(b".") <= jws.MOST_HEADER_BYTES


# Who follows.


@pytest.mark.parametrize("missed", range(1, 11))
def test_a_client_follows_over_as_many_rotations_as_it_missed(missed: int) -> None:
    """Up to ten of them, at once; then it trusts the newest key alone."""
    *_, last = chain(missed)

    assert trusted_after(last.sign(PAYLOAD), FIRST) == {last.public_text}


def test_a_client_that_missed_more_is_told_what_to_do() -> None:
    """It has to be given the key by hand."""
    first, *_, last = chain(11)

    assert refusal(last.sign(PAYLOAD), first) == (
        f"signed with key '{last.key_id}', trusted are {first.key_id}; "
        "if the receiver has another key now, pin the one that `wgfleet signing-key` prints"
    )


@pytest.mark.parametrize("behind", [FIRST, SECOND], ids=["first", "second"])
def test_who_has_followed_refuses_every_key_before(behind: Signer) -> None:
    """A withdrawn key that was stolen is worth nothing there, whatever it endorses."""
    stolen = Signer(behind._key, behind.endorsements).successor(fleet=FLEET, now=NOON)

    assert refusal(behind.sign(PAYLOAD), THIRD).startswith(f"signed with key '{behind.key_id}', trusted are ")
    assert refusal(stolen.sign(PAYLOAD), THIRD).startswith(f"signed with key '{stolen.key_id}', trusted are ")


def test_a_document_by_a_pinned_key_changes_nobodys_trust() -> None:
    """A key that an operator has pinned for later stays trusted."""
    assert trusted_after(FIRST.sign(PAYLOAD), FIRST, THIEF) == {FIRST.public_text, THIEF.public_text}


def test_a_key_pinned_for_later_outlives_rotations() -> None:
    """It is what is left when the receiver's own key was stolen."""
    spare = Signer.generate()

    assert trusted_after(THIRD.sign(PAYLOAD), FIRST, spare) == {THIRD.public_text, spare.public_text}


@pytest.mark.parametrize("pinned", [(FIRST, SECOND), (SECOND, FIRST), (FIRST, SECOND, THIRD), (FIRST, THIRD)])
def test_of_several_pinned_keys_those_behind_the_newest_are_dropped(pinned: tuple[Signer, ...]) -> None:
    """Also when the signer itself was pinned."""
    assert trusted_after(THIRD.sign(PAYLOAD), *pinned) == {THIRD.public_text}


def test_a_verifier_never_changes() -> None:
    """Whom to trust next is an answer: a document that is not accepted for what it says moves nobody."""
    verifier = Verifier([FIRST.public_text])
    verifier.verify(THIRD.sign(PAYLOAD), fleet=FLEET)

    assert verifier.public_keys == [FIRST.public_text]


def test_older_links_that_nobody_asked_for_are_not_looked_at() -> None:
    """Who trusts the second key has no first one to verify them with."""
    document = bringing(THIRD, [link(THIEF, SECOND), *THIRD.endorsements[1:]])

    assert trusted_after(document, SECOND) == {THIRD.public_text}


# Who is refused.


def test_an_endorsement_by_nobody_trusted_leads_nowhere() -> None:
    """However good its signature is."""
    thief = THIEF.successor(fleet=FLEET, now=NOON)

    assert refusal(thief.sign(PAYLOAD), FIRST).startswith(
        f"signed with key '{thief.key_id}', trusted are {FIRST.key_id};"
    )


def test_an_endorsement_under_a_trusted_keys_name_is_forged() -> None:
    """The name of a key proves nothing."""
    document = bringing(THIEF, [link(THIEF, THIEF, kid=FIRST.key_id)])

    assert refusal(document, FIRST) == (
        "endorsement 1 of 1: not a document we can trust: Signature verification failed"
    )


def test_a_true_chain_does_not_help_a_thief() -> None:
    """It leads to its own key and to no other."""
    assert refusal(bringing(THIEF, list(THIRD.endorsements)), FIRST) == (
        f"its endorsements lead to key {THIRD.key_id}, it is signed with '{THIEF.key_id}'"
    )


def test_a_true_chain_under_the_true_name_does_not_help_a_thief() -> None:
    """The document itself must be by the key that the chain leads to."""
    document = jws.sign(PAYLOAD, THIEF._key, kid=THIRD.key_id, endorsements=list(THIRD.endorsements))

    assert refusal(document, FIRST) == "not a document we can trust: Signature verification failed"


def test_a_chain_with_a_link_missing_is_refused() -> None:
    """Each key is vouched for by the one before."""
    document = bringing(THIRD, [link(FIRST, THIEF), *THIRD.endorsements[1:]])

    assert refusal(document, FIRST) == f"endorsement 2 of 2: it is by another key than {THIEF.key_id}"


def test_a_chain_that_goes_on_after_the_signer_is_refused() -> None:
    """A document is by the newest key that it knows."""
    assert refusal(bringing(SECOND, list(THIRD.endorsements)), FIRST) == (
        f"its endorsements lead to key {THIRD.key_id}, it is signed with '{SECOND.key_id}'"
    )


@pytest.mark.parametrize("keys", [(FIRST, FIRST), (FIRST, SECOND, FIRST), (FIRST, SECOND, THIRD, SECOND)])
def test_a_chain_that_goes_round_is_refused(keys: tuple[Signer, ...]) -> None:
    """Though every link is signed as it should be: a key that was left is not returned to."""
    links = [link(one, two) for one, two in itertools.pairwise(keys)]

    assert refusal(bringing(keys[-1], links), FIRST) == (
        f"endorsement {len(links)} of {len(links)}: it leads back to key {keys[-1].key_id}"
    )


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"fleet": "other"}, "fleet is 'other', expected 'example'"),
        ({"fleet": None}, "fleet is None, expected 'example'"),
        ({"type": "wgfleet/peer-set"}, "type is 'wgfleet/peer-set', expected 'wgfleet/signing-key'"),
        ({"public_key": 7}, "public_key is 7, expected text"),
        (
            {"public_key": "abc"},
            (
                "public_key: a text of 3 characters is not a public signing key: 32 bytes in base64 were expected, "
                "as `wgfleet signing-key` prints them"
            ),
        ),
    ],
)
def test_an_endorsement_of_something_else_is_refused(said: dict[str, Any], text: str) -> None:
    """Another fleet's, or another kind of document that the key has signed."""
    document = bringing(SECOND, [link(FIRST, SECOND, **said)])

    assert refusal(document, FIRST) == f"endorsement 1 of 1: {text}"


def test_a_document_is_no_endorsement() -> None:
    """What the key signs all day vouches for nobody."""
    document = bringing(SECOND, [FIRST.sign(b"[]").decode()])

    assert refusal(document, FIRST) == "endorsement 1 of 1: it holds no JSON object"


def test_an_endorsement_is_no_document() -> None:
    """It has another type, which whoever reads the payload checks."""
    payload = Verifier([FIRST.public_text]).payload(SECOND.endorsements[0].encode())

    assert json.loads(payload)["type"] == "wgfleet/signing-key"


LIST = "its header endorsements is not a list of at most 10"
ENTRY = "its header endorsements has an entry that is no text of at most 600 ASCII characters"


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("abc", LIST),
        ({}, LIST),
        (None, LIST),
        (["e"] * 11, LIST),
        ([7], ENTRY),
        ([["e"]], ENTRY),
        (["e" * 601], ENTRY),
        (["\ud800"], ENTRY),
        (["e"], "not a document we can trust: Not enough segments"),
        (["."], "not a document we can trust: Not enough segments"),
    ],
)
def test_a_chain_that_is_none_is_refused(sent: object, text: str) -> None:
    """How many and how long is looked at before anything is verified."""
    assert refusal(bringing(SECOND, sent), FIRST) == text


def test_nothing_is_verified_of_a_chain_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends it wants to keep us busy."""
    monkeypatch.setattr(jws, "verified", pytest.fail)
    document = bringing(SECOND, [*chain(11)[-1].endorsements, link(FIRST, SECOND)])

    assert refusal(document, FIRST) == LIST


@settings(deadline=None)
@given(where=st.integers(0, 10_000), byte=st.characters(codec="ascii"), which=st.integers(0, 1))
def test_no_damaged_chain_leads_elsewhere(where: int, byte: str, which: int) -> None:
    """It is refused, or (base64 has idle bits) leads to the same key."""
    links = list(THIRD.endorsements)
    at = where % len(links[which])
    links[which] = links[which][:at] + byte + links[which][at + 1 :]
    try:
        after = trusted_after(bringing(THIRD, links), FIRST)
    except SignatureRefusedError:
        return

    assert after == {THIRD.public_text}


# What is kept.


def test_key_and_endorsements_survive_their_text() -> None:
    """The secret stands in the first line, and below it what leads to it."""
    text = THIRD.to_text()

    assert Signer.from_text(f"{text}\n", fleet=FLEET).sign(PAYLOAD) == THIRD.sign(PAYLOAD)
    assert text.splitlines()[1:] == list(THIRD.endorsements)
    assert text.splitlines()[0] == Signer(THIRD._key).to_text()


@pytest.mark.parametrize(
    ("below", "why"),
    [
        (
            "garbage-that-may-be-a-secret",
            "endorsement 1 of 1: not a document we can trust: Not enough segments",
        ),
        (link(FIRST, SECOND), f"they do not lead to key {THIRD.key_id}"),
        (link(FIRST, THIRD, fleet="other"), "endorsement 1 of 1: fleet is 'other', expected 'example'"),
        (
            f"{link(FIRST, SECOND)}\n{link(FIRST, THIRD)}",
            f"endorsement 2 of 2: it is by another key than {SECOND.key_id}",
        ),
        (
            f"{link(FIRST, SECOND)}\n{link(THIEF, THIRD, kid=SECOND.key_id)}",
            "endorsement 2 of 2: not a document we can trust: Signature verification failed",
        ),
        ("\n".join([link(FIRST, THIRD)] * 11), LIST),
    ],
    ids=["garbage", "another end", "another fleet", "a gap", "forged", "too many"],
)
def test_a_file_whose_endorsements_do_not_lead_to_its_key_is_refused(below: str, why: str) -> None:
    """Clients would refuse all that it signs; nothing of it is quoted."""
    secret = THIRD.to_text().splitlines()[0]

    with pytest.raises(ValueError, match="below the signing key") as caught:
        Signer.from_text(f"{secret}\n{below}", fleet=FLEET)

    assert str(caught.value) == (
        f"what stands below the signing key does not lead to it: {why}; take the whole file from a backup"
    )


@pytest.mark.parametrize(
    ("document", "same"),
    [
        (THIRD.sign(b"another payload"), True),
        (SECOND.sign(PAYLOAD), False),
        (bringing(THIRD, list(THIRD.endorsements[1:])), False),
        (Signer(THIRD._key).sign(PAYLOAD), False),
        (b"", False),
    ],
    ids=["ours", "the key before", "another chain", "no chain", "nothing"],
)
def test_a_signer_knows_what_it_would_sign_anew(document: bytes, *, same: bool) -> None:
    """By key and chain, whatever the document says."""
    assert THIRD.signed(document) is same

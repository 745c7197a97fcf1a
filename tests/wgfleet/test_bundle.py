"""Tests of wgfleet/bundle.py."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfleet.bundle import Bundle, BundleError, check_url

SECRET = "s3cr3t-of-the-bundle"
BUNDLE = Bundle(
    fleet="acme",
    receivers=("https://vpn.example.com:9587", "https://192.0.2.9:9587"),
    name="ann-laptop",
    role="client",
    secret=SECRET,
    expires_at=1795366220.0,
    signing_keys=("TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=",),
    ca="-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
)


def said(**changed: Any) -> dict[str, Any]:
    """What the bundle says, changed."""
    packed = BUNDLE.to_text().removeprefix("wgfleet-bundle-1.")
    fields: dict[str, Any] = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    return {**fields, **changed}


def packed(fields: object) -> str:
    """As text."""
    return "wgfleet-bundle-1." + base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def test_a_bundle_is_one_line_that_is_read_whole() -> None:
    """Fit for a terminal, a chat or a QR code; the newline at its end does not matter."""
    text = BUNDLE.to_text()

    assert re.fullmatch(r"wgfleet-bundle-1\.[A-Za-z0-9_-]+", text)
    assert Bundle.from_text(f"  {text}\n") == BUNDLE


def test_its_repr_does_not_show_the_secret() -> None:
    """So that it can be logged by mistake."""
    assert SECRET not in repr(BUNDLE)


def test_what_it_says_is_agreed() -> None:
    """Field for field: an older daemon reads it. There is no private key in it."""
    assert said() == {
        "fleet": "acme",
        "receivers": ["https://vpn.example.com:9587", "https://192.0.2.9:9587"],
        "name": "ann-laptop",
        "role": "client",
        "secret": SECRET,
        "expires_at": 1795366220.0,
        "signing_keys": ["TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="],
        "ca": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
    }


def test_unknown_fields_are_ignored() -> None:
    """An older daemon reads a newer receiver's bundle; and the authority may be left out."""
    fields = said(tunnel="wg0")
    del fields["ca"]

    assert Bundle.from_text(packed(fields)).ca is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "this is no bundle: one line that begins with wgfleet-bundle-1. was expected"),
        (SECRET, "this is no bundle: one line that begins with wgfleet-bundle-1. was expected"),
        ("wgfleet-bundle-2.e30", "the bundle is of another version: this program reads wgfleet-bundle-1."),
        (
            BUNDLE.to_text()[:-9],
            "the bundle is damaged: copy the whole line that begins with wgfleet-bundle-1.",
        ),
        (
            BUNDLE.to_text() + "!",
            "the bundle is damaged: copy the whole line that begins with wgfleet-bundle-1.",
        ),
        (packed([]), "bundle is list, expected an object"),
        (packed(said(secret=[SECRET])), "bundle: secret is missing, or no text"),
        (packed(said(secret="")), "bundle: secret is empty"),
        (
            packed(said(role="operator")),
            "bundle: role: 'operator' is no role: one of client, worker, vantage",
        ),
        (packed(said(receivers=[])), "bundle: receivers is empty: one at least was expected"),
        (packed(said(signing_keys=[])), "bundle: signing_keys is empty: one at least was expected"),
        (packed(said(expires_at="soon")), "bundle: expires_at is 'soon', expected a number"),
        (
            packed(said(receivers=["ftp://x"])),
            "bundle: receivers: not a receiver's URL: as https://vpn.example.com:9587",
        ),
    ],
)
def test_what_is_no_bundle_is_refused(text: str, error: str) -> None:
    """With what is wrong, and never its text."""
    with pytest.raises(BundleError) as caught:
        Bundle.from_text(text)

    assert str(caught.value) == error


@given(st.text() | st.binary().map(lambda raw: "wgfleet-bundle-1." + base64.urlsafe_b64encode(raw).decode()))
def test_nothing_but_its_own_error_comes_of_noise(text: str) -> None:
    """Any text, and anything that is packed as a bundle is."""
    with pytest.raises(BundleError):
        Bundle.from_text(text)


@pytest.mark.parametrize("url", ["https://vpn.example.com", "http://[2001:db8::1]:9587", "https://x/wgfleet"])
def test_a_receivers_url_is_one_of_http(url: str) -> None:
    """A slash at its end is dropped, because paths are put behind it."""
    assert check_url(f"{url}/") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "vpn.example.com",
        "ftp://x",
        "https://",
        "https://x:0",
        "https://x:99999",
        "https://x?a=b",
        "http://[::1",
    ],
)
def test_anything_else_is_no_url(url: str) -> None:
    """It would fail on another machine, and later."""
    with pytest.raises(ValueError, match=r"^not a receiver's URL: as https://vpn\.example\.com:9587$"):
        check_url(url)


def test_a_url_with_a_password_is_refused_and_not_quoted() -> None:
    """It would be logged by everybody who uses it."""
    with pytest.raises(ValueError, match=r"^a receiver's URL with a password in it, which would be logged$"):
        check_url("https://ann:hunter2@vpn.example.com")

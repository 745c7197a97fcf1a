"""Tests of failover_receiver/publishing/dns/keyfile.py: the forms of a key, and what is said of others, without quoting."""

import dns.name
import pytest

from failover_receiver.publishing.dns.keyfile import EXPECTED, read

SECRET = "c2VjcmV0c2VjcmV0c2VjcmV0"
BIND = f"""
# made by tsig-keygen
key "Wgfleet.example" {{
    algorithm hmac-sha512;  // strong
    secret "{SECRET}";
}};
"""


@pytest.mark.parametrize(
    ("text", "said", "name", "algorithm"),
    [
        (BIND, None, "wgfleet.example.", "hmac-sha512."),
        (BIND, "hmac-sha512", "wgfleet.example.", "hmac-sha512."),
        (f"key wg {{ secret {SECRET}; }};", None, "wg.", "hmac-sha256."),
        (f"key wg {{ secret {SECRET}; }};", "hmac-sha1", "wg.", "hmac-sha1."),
        (
            f"/* key old {{}} */ key wg {{ algorithm HMAC-SHA384; secret {SECRET}; }};",
            None,
            "wg.",
            "hmac-sha384.",
        ),
        (f"wg:{SECRET}", None, "wg.", "hmac-sha256."),
        (f"wg {SECRET}", "hmac-sha512", "wg.", "hmac-sha512."),
        (f"hmac-md5:wg:{SECRET}", None, "wg.", "hmac-md5.sig-alg.reg.int."),
    ],
)
def test_a_key_is_read_as_others_write_it(text: str, said: str | None, name: str, algorithm: str) -> None:
    """BIND's tools, nsupdate, and one's own hand."""
    key = read(text, said)

    assert (key.name, key.algorithm) == (dns.name.from_text(name), dns.name.from_text(algorithm))
    assert key.secret == b"secretsecretsecret"


@pytest.mark.parametrize(
    ("text", "said", "why"),
    [
        ("S3CRET", None, EXPECTED),
        ("key wg { algorithm hmac-sha256; };", None, f"its key has no secret: {EXPECTED}"),
        ("wg:S3CRET", None, f"its secret is no base64, or its name no domain: {EXPECTED}"),
        (f"{'S3CRET' * 20}:{SECRET}", None, f"its secret is no base64, or its name no domain: {EXPECTED}"),
        (
            f"hmac-sha512:wg:{SECRET}",
            "hmac-sha256",
            "its key is for hmac-sha512, and algorithm is hmac-sha256: take that away, or make another key",
        ),
        (
            f"hmac-sha3:wg:{SECRET}",
            None,
            (
                "its key is for an algorithm that is not known here: one of hmac-sha256, hmac-sha512, hmac-sha384, "
                "hmac-sha224, hmac-sha1, hmac-md5 was expected"
            ),
        ),
    ],
)
def test_what_is_no_key_is_said_and_not_quoted(text: str, said: str | None, why: str) -> None:
    """It goes to the log."""
    with pytest.raises(ValueError, match=r".") as refused:
        read(text, said)

    assert str(refused.value) == why

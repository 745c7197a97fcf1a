"""Tests of exporter/web.py and exporter/fields.py: the web config file."""

from pathlib import Path

import pytest

from exporter.fields import WebConfigError
from exporter.web import ClientAuth, RateLimit, Tls, WebConfig, read_config

HASH = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"
KEY = "-----BEGIN PRIVATE KEY-----\nSECRETSECRETSECRET\n-----END PRIVATE KEY-----\n"
TLS = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n"

WHOLE = f"""\
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example, 10.90.0.2]
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
    X-XSS-Protection: 1
    Content-Security-Policy: ""
basic_auth_users:
  alice: {HASH}
  yes: {HASH}
rate_limit:
  interval: 1m1.5s
  burst: 20
"""


def write(folder: Path, text: str) -> Path:
    """A web config, beside the files that it may name."""
    for name, content in (("cert.pem", "certificate"), ("key.pem", KEY), ("ca.pem", "authority")):
        (folder / name).write_text(content)
    (folder / "web.yml").write_text(text)
    return folder / "web.yml"


def refusal(folder: Path, text: str) -> str:
    """What is said of a wrong file, without the file's name; no foreign error stands behind it."""
    path = write(folder, text)
    with pytest.raises(WebConfigError) as caught:
        read_config(path)
    assert caught.value.__suppress_context__
    before, _, said = str(caught.value).partition(": ")
    assert before == str(path)
    return said.replace(str(folder), "")


def test_every_field_is_read(tmp_path: Path) -> None:
    """The paths count from the file's folder; users may have YAML's own words for names."""
    assert read_config(write(tmp_path, WHOLE)) == WebConfig(
        tls=Tls(
            certificate=b"certificate",
            key=KEY.encode(),
            client_auth=ClientAuth.REQUIRE,
            client_ca=b"authority",
            allowed_names=frozenset({"prometheus.example", "10.90.0.2"}),
            cipher_suites=("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",),
            prefer_own_ciphers=False,
            curves=("X25519",),
        ),
        headers=(("X-Frame-Options", "deny"), ("X-XSS-Protection", "1")),
        users={"alice": HASH.encode(), "yes": HASH.encode()},
        rate_limit=RateLimit(61.5, 20),
    )


def test_certificates_may_stand_in_the_file_itself(tmp_path: Path) -> None:
    """As the toolkit takes them."""
    text = "tls_server_config:\n  cert: a\n  key: b\n  client_ca: c\n  client_auth_type: VerifyClientCertIfGiven\n"

    tls = read_config(write(tmp_path, text)).tls

    assert tls == Tls(b"a", b"b", client_auth=ClientAuth.VERIFY_IF_GIVEN, client_ca=b"c")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "tls_server_config:\nbasic_auth_users: {}\n",
        "rate_limit:\n  interval: 0\n  burst: 0\n",
    ],
)
def test_an_empty_file_asks_for_nothing(tmp_path: Path, text: str) -> None:
    """Nor does one whose sections are empty."""
    assert read_config(write(tmp_path, text)) == WebConfig()


@pytest.mark.parametrize(
    ("written", "seconds"), [("500ms", 0.5), ("1h", 3600.0), ("1.5s", 1.5), ("2m3s", 123.0)]
)
def test_lengths_of_time_are_as_go_writes_them(tmp_path: Path, written: str, seconds: float) -> None:
    """With units, several in a row."""
    text = f"rate_limit: {{interval: {written}, burst: 1}}"

    assert read_config(write(tmp_path, text)).rate_limit == RateLimit(seconds, 1)


@pytest.mark.parametrize(
    "auth", ["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]
)
def test_readers_certificates_may_be_asked_for(tmp_path: Path, auth: str) -> None:
    """In all ways that Python's ssl has."""
    tls = read_config(write(tmp_path, f"{TLS}  client_auth_type: {auth}")).tls

    assert tls is not None
    assert tls.client_auth == auth


REFUSED = [
    (
        "tls_server_conf: {}",
        (
            "tls_server_conf: there is no such field; known are basic_auth_users, http_server_config, "
            "rate_limit, tls_server_config"
        ),
    ),
    ("- a", "the file: is no section: lines of `field: value` were expected"),
    ("tls_server_config: on", "tls_server_config: is no section: lines of `field: value` were expected"),
    ("a: b: c", "is not YAML in line 1, column 5"),
    ("a: 1\na: 2", "is not YAML in line 2, column 1"),
    ("a: \x01", "is not YAML"),
    ("[" * 5000, "is not YAML"),
    (
        "tls_server_config: {}\ntls_server_confg: {}",
        (
            "tls_server_confg: there is no such field; known are basic_auth_users, http_server_config, "
            "rate_limit, tls_server_config"
        ),
    ),
    (
        "tls_server_config: {key_file: key.pem}",
        "tls_server_config.cert_file: is missing or empty; TLS needs cert_file and key_file",
    ),
    (
        "tls_server_config: {cert_file: cert.pem}",
        "tls_server_config.key_file: is missing or empty; TLS needs cert_file and key_file",
    ),
    (
        "tls_server_config: {cert_filse: cert.pem, key_file: key.pem}",
        (
            "tls_server_config.cert_filse: there is no such field; known are cert, cert_file, "
            "cipher_suites, client_allowed_sans, client_auth_type, client_ca, client_ca_file, curve_preferences, key, key_file, "
            "max_version, min_version, prefer_server_cipher_suites"
        ),
    ),
    (f"{TLS}  cert: abc", "tls_server_config.cert: stands beside cert_file; one of the two was expected"),
    (
        "tls_server_config: {cert_file: no.pem, key_file: key.pem}",
        "tls_server_config.cert_file: is '/no.pem': there is no such file",
    ),
    (
        "tls_server_config: {cert_file: ., key_file: key.pem}",
        "tls_server_config.cert_file: is '': cannot be read: Is a directory; is it this user's to read?",
    ),
    (
        f"{TLS}  client_auth_type: Required",
        (
            "tls_server_config.client_auth_type: is 'Required': expected one of NoClientCert, "
            "RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert, RequireClientCert"
        ),
    ),
    (
        f"{TLS}  client_auth_type: RequireAnyClientCert",
        (
            "tls_server_config.client_auth_type: is 'RequireAnyClientCert': "
            "a certificate cannot be taken here without being verified, and would prove nothing; RequireAndVerifyClientCert "
            "with a client_ca_file was expected"
        ),
    ),
    (
        f"{TLS}  client_auth_type: RequireClientCert",
        (
            "tls_server_config.client_auth_type: is 'RequireClientCert': "
            "a certificate cannot be taken here without being verified, and would prove nothing; RequireAndVerifyClientCert "
            "with a client_ca_file was expected"
        ),
    ),
    (
        f"{TLS}  client_ca_file: ca.pem",
        (
            "tls_server_config.client_auth_type: is 'NoClientCert': with a client_ca, "
            "RequireAndVerifyClientCert was expected, which uses it"
        ),
    ),
    (
        f"{TLS}  client_allowed_sans: []",
        ("tls_server_config.client_allowed_sans: is empty and would let in nobody: a name was expected"),
    ),
    (
        f"{TLS}  client_allowed_sans: [a]",
        (
            "tls_server_config.client_auth_type: is 'NoClientCert': with "
            "client_allowed_sans, RequireAndVerifyClientCert was expected"
        ),
    ),
    (
        f"{TLS}  client_allowed_sans: a",
        "tls_server_config.client_allowed_sans: is no list: lines of `- value` were expected",
    ),
    (
        f"{TLS}  min_version: TLS111",
        "tls_server_config.min_version: is 'TLS111': expected one of TLS10, TLS11, TLS12, TLS13",
    ),
    (
        f"{TLS}  min_version: TLS11",
        ("tls_server_config.min_version: is 'TLS11': is broken and not spoken here; expected TLS12 or TLS13"),
    ),
    (
        f"{TLS}  min_version: TLS13\n  max_version: TLS12",
        ("tls_server_config.max_version: is 'TLS12': at least min_version, TLS13, was expected"),
    ),
    (
        f"{TLS}  prefer_server_cipher_suites: maybe",
        ("tls_server_config.prefer_server_cipher_suites: is 'maybe': true or false was expected"),
    ),
    (
        "http_server_config: {http2: [true]}",
        "http_server_config.http2: is a list or a section: one value was expected",
    ),
    (
        "http_server_config: {http3: true}",
        "http_server_config.http3: there is no such field; known are headers, http2",
    ),
    (
        "http_server_config: {headers: {Content-Type: a}}",
        (
            "http_server_config.headers.Content-Type: is 'a': this header "
            "cannot be set; known are Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, "
            "X-Frame-Options, X-XSS-Protection"
        ),
    ),
    (
        "http_server_config: {headers: {X-Frame-Options: foo}}",
        ("http_server_config.headers.X-Frame-Options: is 'foo': expected deny or sameorigin"),
    ),
    (
        'http_server_config: {headers: {X-XSS-Protection: "a\\nSet-Cookie: b"}}',
        (
            "http_server_config.headers."
            "X-XSS-Protection: is 'a\\nSet-Cookie: b': one line of ASCII was expected"
        ),
    ),
    ("basic_auth_users: {'a:b': c}", "basic_auth_users.a:b: a name with a colon can never log in"),
    (
        "rate_limit: {interval: 1, burst: 1}",
        ("rate_limit.interval: is '1': a length of time was expected, as 1s or 500ms, or 0 for no limit"),
    ),
    (
        "rate_limit: {interval: -1s, burst: 1}",
        ("rate_limit.interval: is '-1s': a length of time was expected, as 1s or 500ms, or 0 for no limit"),
    ),
    ("rate_limit: {interval: 1s, burst: many}", "rate_limit.burst: is 'many': a whole number was expected"),
    (
        "rate_limit: {interval: 1s}",
        "rate_limit.burst: is '0': it would let in nobody; at least 1 was expected",
    ),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_wrong_is_refused_with_its_field_and_what_would_be_right(
    tmp_path: Path, text: str, said: str
) -> None:
    """Nothing is passed over."""
    assert refusal(tmp_path, text) == said


SECRETS = [
    (
        "basic_auth_users: {alice: hunter2-secret}",
        ("basic_auth_users.alice: its value is no bcrypt hash; `htpasswd -nBC 10 alice` makes one, $2y$10$…"),
    ),
    (
        "basic_auth_users: hunter2-secret",
        "basic_auth_users: is no section: lines of `field: value` were expected",
    ),
    (
        "basic_auth_users: {alice: [hunter2-secret]}",
        "basic_auth_users.alice: is a list or a section: one value was expected",
    ),
    (
        f"basic_auth_users: {{alice: {HASH}x}}",
        ("basic_auth_users.alice: its value is no bcrypt hash; `htpasswd -nBC 10 alice` makes one, $2y$10$…"),
    ),
    (f"basic_auth_users:\n  alice: {HASH}\n bob: {HASH}", "is not YAML in line 3, column 2"),
    ("basic_auth_users:\n  alice: *hunter2-secret", "is not YAML in line 2, column 10"),
    (
        f'tls_server_config: {{cert_file: cert.pem, key_file: "{KEY.strip()}"}}',
        ("tls_server_config.key_file: is no path but PEM text, which belongs into `key`"),
    ),
    (
        "tls_server_config: {cert_file: cert.pem, key: [hunter2-secret]}",
        ("tls_server_config.key: is a list or a section: one value was expected"),
    ),
]


@pytest.mark.parametrize(("text", "said"), SECRETS)
def test_no_error_repeats_a_secret(tmp_path: Path, text: str, said: str) -> None:
    """Neither a hash, nor a password or key that stands where it should not."""
    assert refusal(tmp_path, text) == said


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    """A config that is logged by mistake says nothing."""
    shown = repr(read_config(write(tmp_path, WHOLE)))

    assert "prometheus.example" in shown
    assert HASH not in shown
    assert "SECRET" not in shown


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With no traceback of the system's."""
    with pytest.raises(WebConfigError) as caught:
        read_config(tmp_path / "web.yml")

    assert str(caught.value) == f"{tmp_path / 'web.yml'}: there is no such file"

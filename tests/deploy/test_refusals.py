"""What `wgfleet render` refuses, and with which words."""

from pathlib import Path

import pytest

from tests.deploy.refusals import (
    group_interval_refusal,
    missing_half,
    repeat_refusal,
    resend_refusal,
    threshold_refusal,
    timeout_refusal,
    window_refusal,
)
from tests.deploy.rendering import wgfleet
from wgfleet.cli.monitoring import Kind


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ("--interval 30", "interval: '30' is not a duration: as 500ms, 30s or 1m30s"),
        ("--timeout ''", "timeout: '' is not a duration: as 500ms, 30s or 1m30s"),
        ("--interval 50ms", "interval is 50ms, expected 100ms to 2m"),
        ("--interval 2s --timeout 2s", timeout_refusal("2s", longest="1s950ms", interval="2s")),
        ("--threshold 1", threshold_refusal(1)),
        ("--threshold three", "threshold is 'three', expected a whole number"),
        ("--threshold -3", "threshold is '-3', expected a whole number"),
        ("--deciding http", "deciding is 'http', expected tunnel, icmp, tcp"),
        (
            "--receiver 127.0.0.1:9587",
            "receiver is '127.0.0.1:9587', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://receiver",
            "receiver is 'http://receiver', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://u:p@receiver:9587",
            "receiver is 'http://u:p@receiver:9587', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://receiver:9587/v1",
            "receiver is 'http://receiver:9587/v1', expected http://host:port or https://host:port",
        ),
        (
            "--receiver ftp://receiver:21",
            "receiver is 'ftp://receiver:21', expected http://host:port or https://host:port",
        ),
        (
            "--receiver http://[::1",
            "receiver is 'http://[::1', expected http://host:port or https://host:port",
        ),
        *(
            (
                f"--{field} 192.0.2.1:9587",
                f"{field} is '192.0.2.1:9587', expected http://host:port or https://host:port",
            )
            for field in ("replica", "follower")
        ),
        (
            "--follower http://e:1 --follower http://e:1",
            "follower 'http://e:1' is given 2 times, expected once",
        ),
        (
            "--vantage main=127.0.0.1",
            "vantage: '127.0.0.1' is not an endpoint: host:port with a port from 1 to 65535, as 192.0.2.1:51820",
        ),
        (
            "--vantage main=ftp://127.0.0.1:1",
            "vantage: 'ftp://127.0.0.1:1' is not HOST:PORT, http://HOST:PORT or https://HOST:PORT",
        ),
        ("--vantage a --vantage a", "vantage 'a' is given 2 times, expected each name once"),
        *(
            (
                f"{option} {prefix}192.0.2.1:9",
                (
                    f"{field} is https://192.0.2.1:9 and vantage_cert_file is not given, expected this host's certificate "
                    "and key beside it (or http://192.0.2.1:9 where the way there is safe by itself, as a tunnel between "
                    "the monitoring hosts): whoever reaches it needs no password"
                ),
            )
            for option, prefix, field in (
                ("--vantage", "a=", "vantage"),
                ("--alertmanager", "", "alertmanager"),
                ("--prometheus", "", "prometheus"),
            )
        ),
        ("--vantage-cert-file /c", missing_half("vantage_cert_file", "/c", "vantage_key_file")),
        ("--vantage-key-file /k", missing_half("vantage_key_file", "/k", "vantage_cert_file")),
        ("--exporter-key-file /k", missing_half("exporter_key_file", "/k", "exporter_cert_file")),
        ("--exporter-username me", missing_half("exporter_username", "me", "exporter_password_file")),
        (
            "--exporter-username me --exporter-password-file /p --exporter-token-file /t",
            (
                "exporter_token_file is '/t' and exporter_username 'me', expected one of them: a request carries one kind of "
                "authorization"
            ),
        ),
        (
            "--exporter-ca-file /ca",
            "exporter_ca_file is '/ca' and exporter_scheme 'http', expected https: in clear nobody shows a certificate",
        ),
        ("--exporter-scheme gopher", "exporter_scheme is 'gopher', expected http or https"),
        (
            "--receiver-ca-file /ca",
            (
                "receiver_ca_file is '/ca' and receiver 'http://127.0.0.1:9587', expected https://: in clear nobody shows a "
                "certificate"
            ),
        ),
        (
            "--canary 192.0.2.1",
            "canary: '192.0.2.1' is not NAME=ADDRESS, a vantage and what it pings, as main=192.0.2.1",
        ),
        ("--canary main=a_b", "canary: 'main=a_b': 'a_b' is neither an address nor a host name"),
        ("--canary far=192.0.2.1", "canary is for the vantage 'far', expected one of main"),
        ("--external-label replica", "external_label: 'replica' is not NAME=VALUE, as replica=a"),
        (
            "--external-label worker=a",
            "external_label: 'worker=a': worker says what an alert is about, expected another name, as replica=a",
        ),
        (
            "--receiver http://r1:9587 --receiver http://r1:9587",
            "receiver 'http://r1:9587' is given 2 times, expected once",
        ),
        (
            "--receiver https://r1:9587 --receiver http://r2:9587",
            "receiver is 'https://r1:9587' and 'http://r2:9587', expected https:// for all of them, or for none",
        ),
        ("--external-label a=1 --external-label a=2", "external_label 'a' is given 2 times, expected once"),
        ("--window 92s", window_refusal("1m32s", shortest="1m32s10ms", longest="1m59s999ms")),
        ("--window 2m", window_refusal("2m", shortest="1m32s10ms", longest="1m59s999ms")),
        ("--resend-delay 5s1ms", resend_refusal("5s1ms")),
        ("--resend-delay 999ms", resend_refusal("999ms")),
        ("--group-interval 30s1ms", group_interval_refusal("30s1ms", interval="30s")),
        ("--group-interval 99ms", group_interval_refusal("99ms", interval="30s")),
        ("--repeat-interval 30s1ms", repeat_refusal("30s1ms")),
        ("--repeat-interval 0s", repeat_refusal("0s")),
        (
            "--group-interval 15s",
            (
                "repeat_interval is 30s and group_interval 15s, expected less than 45s together: Alertmanager repeats at its "
                "turns only, and the receiver forgets what it has not heard for 45s"
            ),
        ),
        (
            "--alertmanager 127.0.0.1:9093 --alertmanager ::1:9093",
            "alertmanager: '::1:9093' is not an endpoint: an IPv6 address stands in brackets, as [2001:db8::1]:51820",
        ),
        (
            "--vantage 'my home'",
            "vantage: 'my home' is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them",
        ),
        ("--rules ''", "rules is '', expected a path on one line"),
        *(
            (
                f"--runbooks '{url}'",
                f"runbooks is '{url}', expected a folder's URL, as https://wiki.example/runbooks",
            )
            for url in (
                "docs",
                "ftp://wiki.example",
                "https://",
                "http://[::1",
                "https://wiki.example/my books",
            )
        ),
        ("--load-limit much", "load_limit is 'much', expected a number"),
        *(
            (
                f"--load-limit {ratio}",
                f"load_limit is {ratio}, expected a number above 0 and up to 1: it is a share of what a worker can carry",
            )
            for ratio in ("0", "1.01", "nan")
        ),
    ],
)
@pytest.mark.parametrize("kind", [Kind.PROMETHEUS, Kind.ALERTMANAGER])
def test_refusals(kind: Kind, options: str, refusal: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    What cannot work is refused with the field, its value and what would be right, and nothing is written.
    """
    assert wgfleet(f"render {kind} {options}") == 2
    assert capsys.readouterr() == ("", f"wgfleet render: {refusal}\n")


@pytest.mark.parametrize("kind", [Kind.PROMETHEUS, Kind.ALERTMANAGER])
def test_token_file_of_two_lines(kind: Kind, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A path that would break out of the comment with the command in it is refused.
    """
    assert wgfleet(f"render {kind} --token-file 'a\nb'") == 2
    assert capsys.readouterr().err == (
        f"wgfleet render: {kind}_token_file is 'a\\nb', expected a path on one line\n"
    )


def test_what_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A file that cannot be written is named.
    """
    assert wgfleet(f"render rules --output {tmp_path}/none/rules.yml") == 1
    assert capsys.readouterr() == (
        "",
        f"wgfleet render: cannot write {tmp_path}/none/rules.yml: No such file or directory\n",
    )

"""`wgfleet render --check`: nothing is said of what we render, and each planted mistake is found where it stands."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.deploy.checking import FIVE_SECONDS, texts
from tests.deploy.programs import REPOSITORY
from tests.deploy.rendering import wgfleet
from wgfleet.cli.alerting import Alerting
from wgfleet.cli.check import check
from wgfleet.cli.monitoring import Kind, kinds_of, rendered
from wgfleet.cli.probing import Probing, SettingsError
from wgfleet.cli.settings import Deciding, Settings


def milliseconds(low: int, high: int) -> st.SearchStrategy[timedelta]:
    return st.integers(low, high).map(lambda number: timedelta(milliseconds=number))


@st.composite
def any_settings(draw: st.DrawFn) -> Settings:
    interval = draw(st.sampled_from([100, 250, 1000, 5000, 17_321, 30_000, 120_000]))
    timeout, threshold = draw(st.integers(1, interval - 50)), draw(st.integers(2, 5))
    shortest, longest = threshold * interval + timeout + 10, (threshold + 1) * interval - 1
    several = draw(st.booleans())
    try:
        return Settings(
            Probing(
                timedelta(milliseconds=interval),
                timedelta(milliseconds=timeout),
                threshold,
                draw(st.none() | milliseconds(shortest, longest)),
            ),
            draw(st.sampled_from(Deciding)),
            Alerting(
                resend_delay=draw(milliseconds(1000, 5000)),
                group_interval=draw(st.none() | milliseconds(100, interval)),
                repeat_interval=draw(milliseconds(100, 30_000)),
            ),
            receivers=draw(
                st.sampled_from(
                    [("https://r1.example:443",), ("https://r1.example:9587", "https://r2.example:9587")]
                )
            ),
            replicas=draw(st.sampled_from([(), ("http://r1.example:1", "https://r2.example:1")])),
            followers=draw(st.sampled_from([(), ("https://edge.example:1",)])),
            vantages=("main", "far=far.example:9115") if several else ("main",),
            canaries=("main=192.0.2.1",) if draw(st.booleans()) else (),
            vantage_ca_file="/ca" if several else "",
            vantage_cert_file="/cert" if several else "",
            vantage_key_file="/key" if several else "",
            external_labels=draw(st.sampled_from([(), ("replica=a", "site=b")])),
        )
    except SettingsError:  # Turns and repeats that do not go together.
        return FIVE_SECONDS


def test_of_alertmanagers_file_alone_no_interval_is_taken_for_granted() -> None:
    """
    Whether its turns are too slow, the probes say, and these are in another file.
    """
    slow = Alerting(group_interval=timedelta(seconds=31), repeat_interval=timedelta(seconds=10))
    chosen = Settings(Probing(timedelta(minutes=2)), alerting=slow)

    assert check({"alertmanager.yml": rendered(Kind.ALERTMANAGER, chosen)}) == []


@settings(deadline=None, max_examples=40)
@given(any_settings(), st.data())
def test_nothing_is_found_in_what_we_render(chosen: Settings, data: st.DataObject) -> None:
    """
    Whatever the settings, nothing is said of the rendered files, together or some of them alone.
    """
    files = {kind.file_name: rendered(kind, chosen) for kind in kinds_of(chosen)}
    some = data.draw(st.sets(st.sampled_from(sorted(files)), min_size=1))

    assert check(files) == []
    assert check({name: files[name] for name in some}) == []


def test_nothing_is_found_in_the_short_rules() -> None:
    """
    The rules that these tests plant mistakes in have none.
    """
    assert check(texts()) == []


def test_the_committed_files(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The command says so of the files in deploy/, and exits with 0.
    """
    deploy = REPOSITORY / "deploy"
    names = (
        "prometheus/prometheus.yml",
        "prometheus/rules.yml",
        "alertmanager/alertmanager.yml",
        "blackbox/blackbox.yml",
    )

    assert wgfleet(f"render --check {' '.join(str(deploy / name) for name in names)}") == 0
    assert capsys.readouterr().out == "4 files: 0 errors, 0 warnings\n"


def test_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    An error is printed with its line, counted, and makes the command fail.
    """
    path = tmp_path / "mine.yml"
    path.write_text("route:\n  receiver: nobody\nreceivers:\n  - name: people\n")

    assert wgfleet(f"render --check {path}") == 1
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"{path}:2: error: route.receiver is nobody, expected one of people: Alertmanager refuses the file"
        in lines
    )
    assert lines[-1] == "1 file: 2 errors, 0 warnings"


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    As JSON it says the same to programs.
    """
    path = tmp_path / "mine.yml"
    path.write_text("modules: 5\n")

    assert wgfleet(f"render --check {path} --json") == 1
    assert json.loads(capsys.readouterr().out) == {
        "files": [str(path)],
        "findings": [
            {
                "file": str(path),
                "line": 1,
                "severity": "error",
                "field": "modules",
                "value": "5",
                "expected": "a mapping",
            }
        ],
    }


def test_warnings_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A warning is printed, and fails nothing.
    """
    path = tmp_path / "mine.yml"
    path.write_text("global: {external_labels: {site: a}}\nscrape_configs: []\n")

    assert wgfleet(f"render --check {path}") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 file: 0 errors, 1 warning"


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A file that cannot be read is named.
    """
    assert wgfleet(f"render --check {tmp_path}/none.yml") == 2
    assert capsys.readouterr() == (
        "",
        f"wgfleet render: cannot read {tmp_path}/none.yml: No such file or directory\n",
    )


@pytest.mark.parametrize("arguments", ["", "--json", "--json prometheus"])
def test_neither_or_both(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    The command renders a file or checks some, and says so to who asks for neither.
    """
    with pytest.raises(SystemExit):
        wgfleet(f"render {arguments}")

    assert "expected one of prometheus, rules" in capsys.readouterr().err or arguments.endswith(
        "a.yml prometheus"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "m.yml:1: error: file is empty, expected one YAML document"),
        (
            "a: [",
            "m.yml:1: error: file is no YAML (expected the node content, but found '<stream end>'), expected one YAML document",
        ),
        (
            "a: 1\n--- \nb: 1\n",
            "m.yml:2: error: file is no YAML (but found another document), expected one YAML document",
        ),
        (
            "tests: []\nrule_files: [a]\n",
            "m.yml:1: error: the file is of no known kind, expected one of alertmanager, rules, blackbox, web, prometheus",
        ),
        (
            "5",
            "m.yml:1: error: the file is of no known kind, expected one of alertmanager, rules, blackbox, web, prometheus",
        ),
        ("groups:\n  a: 1\n", "m.yml:2: error: groups is a mapping, expected a list"),
        ("groups:\n  - 5\n", "m.yml:2: error: groups[0] is 5, expected a mapping"),
        (
            "groups:\n  - name: a\n    interval: 5\n",
            "m.yml:3: error: groups[0].interval is 5, expected a duration, as 500ms, 30s or 1m30s",
        ),
        ("groups: []\ngroups: []\n", "m.yml:2: error: groups is given twice, expected each key once"),
        (
            "tls_server_config:\n  cert_file: a\n",
            (
                "m.yml:2: warning: tls_server_config is without client certificates, expected client_auth_type: "
                "RequireAndVerifyClientCert: else whoever reaches this daemon uses it"
            ),
        ),
    ],
)
def test_structure(text: str, said: str) -> None:
    """
    What cannot be read is said with its line, and nothing else is concluded from it.
    """
    assert [str(finding) for finding in check({"m.yml": text})] == [said]


OTHERWISE = """\
route:
  receiver: mail
  routes:
    - match: {action: watchdog}
      receiver: fleet
      group_wait: 0s
      group_interval: 10s
      repeat_interval: 9s
    - match_re: {action: "failover|hold"}
      receiver: mail
      continue: true
    - matchers: ['{action=~"failover|hold|admit|spare",alertname!="x"}']
      group_by: ["..."]
      group_wait: 0s
      group_interval: 5s
      repeat_interval: 20s
      routes:
        - receiver: fleet
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning", action=""]
receivers:
  - name: mail
  - name: fleet
    webhook_configs:
      - url: https://receiver.example/v1/alerts
        http_config: {bearer_token_file: /token}
"""


def test_another_way_to_write_it() -> None:
    """
    What does the same in other words is right: people first, nested routes, groups of one alert, matchers of old.
    """
    assert check({**texts(), "alertmanager.yml": OTHERWISE}) == []


def test_two_files_of_scrapes() -> None:
    """
    Jobs in a file of their own have the times that the main file says for all.
    """
    main, separator, jobs = texts()["prometheus.yml"].partition("scrape_configs:\n")
    files = {
        **texts(),
        "prometheus.yml": f"{main}scrape_config_files: [jobs.yml]\n",
        "jobs.yml": separator + jobs,
    }

    assert check(files) == []


def test_turns_and_repeats_together() -> None:
    """
    Where probes are rare enough for rare turns, a repeat that is due just after a turn must not come too late.
    """
    text = rendered(Kind.ALERTMANAGER, Settings()).replace("group_interval: 1s", "group_interval: 15s")

    assert [(found.field, found.value, found.expected) for found in check({"a.yml": text})] == [
        (
            "route.repeat_interval",
            "30s",
            (
                "less than 45s together with group_interval, 15s: Alertmanager repeats at its turns only, and the receiver "
                "forgets what it has not heard for so long"
            ),
        )
    ]


def test_defaults_of_prometheus() -> None:
    """
    What is not said has the program's default: one evaluation a minute is too rare.
    """
    rules = texts()["rules.yml"].replace("    interval: 1s\n", "")

    assert [(found.line, found.field, found.value) for found in check({"rules.yml": rules})] == [
        (2, "groups[0].interval", "1m (by default)")
    ] * 2

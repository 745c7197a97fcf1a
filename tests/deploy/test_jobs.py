"""prometheus.yml as it is rendered: every job, and where alerts go."""

from typing import Any

import pytest
import yaml

from tests.deploy.rendering import CERTIFICATES, EVERY_OPTION, rendered

MUTUAL_TLS = {"ca_file": "/etc/ca.pem", "cert_file": "/etc/cert.pem", "key_file": "/etc/key.pem"}


def jobs_of(text: str) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


@pytest.mark.parametrize(
    ("probe", "module"), [("tunnel", "icmp"), ("icmp", "icmp"), ("tcp", "tcp"), ("canary", "icmp")]
)
def test_probe_job(probe: str, module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A probe asks the receiver for its targets, goes through blackbox, and outlasts the probe's own timeout.
    """
    jobs = jobs_of(rendered(f"render prometheus {EVERY_OPTION}", capsys))

    assert jobs[f"wgfleet-{probe}"] == {
        "job_name": f"wgfleet-{probe}",
        "metrics_path": "/probe",
        "params": {"module": [module]},
        "scrape_timeout": "1s700ms",
        "http_sd_configs": [sd(f"/v1/sd/probes?probe={probe}")],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "vantage", "replacement": "home"},
            {"target_label": "__address__", "replacement": "[::1]:9115"},
        ],
    }


@pytest.mark.parametrize("probe", ["tunnel", "icmp", "tcp"])
def test_probe_job_of_another_vantage(probe: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Another vantage's probes are those of the first, by mutual TLS, and the rules know them by the same job.
    """
    jobs = jobs_of(rendered(f"render prometheus {EVERY_OPTION}", capsys))
    first, other = jobs[f"wgfleet-{probe}"], jobs[f"wgfleet-{probe}-far"]

    assert other == {
        **first,
        "job_name": f"wgfleet-{probe}-far",
        "scheme": "https",
        "tls_config": MUTUAL_TLS,
        "relabel_configs": [
            *first["relabel_configs"][:2],
            {"target_label": "vantage", "replacement": "far"},
            {"target_label": "job", "replacement": f"wgfleet-{probe}"},
            {"target_label": "__address__", "replacement": "far.example:9115"},
        ],
    }


def test_canary_of_a_vantage(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A vantage that has a canary of its own pings that and does not ask the receiver.
    """
    job = jobs_of(rendered(f"render prometheus {EVERY_OPTION}", capsys))["wgfleet-canary-far"]

    assert job["static_configs"] == [{"targets": ["192.0.2.9"], "labels": {"canary": "192.0.2.9"}}]
    assert "http_sd_configs" not in job


def test_other_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Receivers, followers, exporters and the daemons of monitoring are scraped, each by its own authority.
    """
    jobs = jobs_of(rendered(f"render prometheus {EVERY_OPTION}", capsys))

    assert [job for name, job in jobs.items() if job.get("metrics_path") != "/probe"] == [
        {
            "job_name": "wgfleet-receiver",
            "scheme": "https",
            "tls_config": {"ca_file": "/etc/receiver.pem"},
            "authorization": {"type": "Bearer", "credentials_file": "/etc/my tokens/it"},
            "static_configs": [
                {"targets": ["r1.example:9587", "r2.example:9587"]},
                {"targets": ["192.0.2.7:9587"], "labels": {"__scheme__": "http"}},
            ],
        },
        {
            "job_name": "wgfleet-follower",
            "scheme": "http",
            "authorization": {"type": "Bearer", "credentials_file": "/etc/my tokens/it"},
            "static_configs": [{"targets": ["192.0.2.8:9587"]}],
        },
        {
            "job_name": "wgfleet-prometheus",
            "scrape_interval": "5s",
            "static_configs": [
                {"targets": ["127.0.0.1:9090"]},
                {"targets": ["far.example:9090"], "labels": {"__scheme__": "https"}},
            ],
            "tls_config": MUTUAL_TLS,
        },
        {
            "job_name": "wgfleet-alertmanager",
            "scrape_interval": "5s",
            "static_configs": [
                {"targets": ["127.0.0.1:9093", "192.0.2.1:9093"]},
                {"targets": ["far.example:9093"], "labels": {"__scheme__": "https"}},
            ],
            "tls_config": MUTUAL_TLS,
        },
        {
            "job_name": "wgfleet-blackbox",
            "scrape_interval": "5s",
            "static_configs": [
                {"targets": ["[::1]:9115"], "labels": {"vantage": "home"}},
                {"targets": ["far.example:9115"], "labels": {"vantage": "far", "__scheme__": "https"}},
            ],
            "tls_config": MUTUAL_TLS,
        },
        {
            "job_name": "wgfleet-worker",
            "scrape_timeout": "5s",
            "scheme": "https",
            "tls_config": {"ca_file": "/etc/x.pem"},
            "authorization": {"type": "Bearer", "credentials_file": "/etc/x.token"},
            "http_sd_configs": [sd("/v1/sd/workers")],
        },
    ]


def test_a_receiver_that_stands_alone_is_scraped_where_it_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    And nothing is said of followers.
    """
    jobs = jobs_of(rendered("render prometheus --receiver http://192.0.2.1:9587", capsys))

    assert jobs["wgfleet-receiver"]["static_configs"] == [{"targets": ["192.0.2.1:9587"]}]
    assert "wgfleet-follower" not in jobs


def test_several_receivers(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Each of several receivers is scraped, is told every alert, and says which workers there are.
    """
    several = "--receiver https://r1.example:9443 --receiver https://r2.example:9587"
    jobs = jobs_of(rendered(f"render prometheus {several}", capsys))
    receivers = yaml.safe_load(rendered(f"render alertmanager {several}", capsys))["receivers"]

    one, other = "r1.example:9443", "r2.example:9587"
    assert jobs["wgfleet-receiver"]["static_configs"] == [{"targets": [one, other]}]
    for job, path in (("wgfleet-worker", "/v1/sd/workers"), ("wgfleet-tunnel", "/v1/sd/probes?probe=tunnel")):
        urls = [asked["url"] for asked in jobs[job]["http_sd_configs"]]
        assert urls == [f"https://{one}{path}", f"https://{other}{path}"]
    first, second = receivers[0]["webhook_configs"]
    assert first["url"] == f"https://{one}/v1/alerts"
    assert second == {**first, "url": f"https://{other}/v1/alerts"}


def test_exporters_by_certificate_and_password(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The exporters can ask for a certificate and a name with a password.
    """
    options = (
        "--exporter-scheme https --exporter-cert-file /c --exporter-key-file /k "
        "--exporter-username me --exporter-password-file /p"
    )
    job = jobs_of(rendered(f"render prometheus {options}", capsys))["wgfleet-worker"]

    assert (job["tls_config"], job["basic_auth"]) == (
        {"cert_file": "/c", "key_file": "/k"},
        {"username": "me", "password_file": "/p"},
    )


def sd(path: str) -> dict[str, Any]:
    return {
        "url": f"https://receiver.example:9443{path}",
        "refresh_interval": "5s",
        "authorization": {"type": "Bearer", "credentials_file": "/etc/my tokens/it"},
        "tls_config": {"ca_file": "/etc/receiver.pem"},
    }


def test_the_rest_of_prometheus(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Everything is scraped at the probes' interval, rules run every second, every Alertmanager is told, and what tells
    one Prometheus from another reaches none of them.
    """
    config = yaml.safe_load(rendered(f"render prometheus {EVERY_OPTION}", capsys))
    del config["scrape_configs"]

    assert config == {
        "global": {
            "scrape_interval": "5s",
            "evaluation_interval": "1s",
            "external_labels": {"site": "here"},
        },
        "rule_files": ["/etc/rules.yml"],
        "alerting": {
            "alert_relabel_configs": [
                {"action": "labeldrop", "regex": "prometheus|prometheus_replica|replica|site"}
            ],
            "alertmanagers": [
                {"static_configs": [{"targets": ["127.0.0.1:9093", "192.0.2.1:9093"]}]},
                {
                    "static_configs": [{"targets": ["far.example:9093"]}],
                    "scheme": "https",
                    "tls_config": MUTUAL_TLS,
                },
            ],
        },
    }


def test_slow_daemons(capsys: pytest.CaptureFixture[str]) -> None:
    """
    However fast the probes run, the daemons of monitoring are asked every 5 s.
    """
    jobs = jobs_of(rendered("render prometheus --interval 200ms", capsys))

    assert {
        name: job["scrape_interval"] for name, job in jobs.items() if "scrape_interval" in job
    } == dict.fromkeys(("wgfleet-prometheus", "wgfleet-alertmanager", "wgfleet-blackbox"), "5s")


def test_resend_delay_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """
    What Prometheus is to be started with is said where the one who starts it reads.
    """
    assert "#   --rules.alert.resend-delay=3s " in rendered("render prometheus --resend-delay 3s", capsys)


def test_alertmanager_by_options(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Alertmanager has the turns that were asked for, and checks the receiver by its own authority.
    """
    config = yaml.safe_load(rendered(f"render alertmanager {EVERY_OPTION}", capsys))
    route, webhook = config["route"], config["receivers"][0]["webhook_configs"][0]

    assert (route["group_interval"], route["repeat_interval"]) == ("2s", "20s")
    assert webhook["http_config"]["tls_config"] == {"ca_file": "/etc/receiver.pem"}


def test_blackbox_web(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Blackbox answers those alone who have a certificate of the monitoring hosts' authority.
    """
    assert yaml.safe_load(rendered(f"render blackbox-web {CERTIFICATES}", capsys)) == {
        "tls_server_config": {
            "cert_file": "/etc/cert.pem",
            "key_file": "/etc/key.pem",
            "client_auth_type": "RequireAndVerifyClientCert",
            "client_ca_file": "/etc/ca.pem",
            "min_version": "TLS12",
        }
    }

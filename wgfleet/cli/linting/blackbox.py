"""Whether the blackbox exporter's probes end before their scrapes do, and whom it lets ask."""

from collections.abc import Iterator
from datetime import timedelta

from wgfleet.cli.linting.facts import Facts
from wgfleet.cli.linting.reading import Finding
from wgfleet.cli.linting.shapes import FileKind
from wgfleet.cli.probing import TIMEOUT_OFFSET, duration_text


def check_blackbox(facts: Facts) -> Iterator[Finding]:
    """Whether the modules that decide end before the scrape does."""
    for name, module in facts.modules.items():
        scrapes = [
            (job.timeout.duration, job)
            for job in facts.jobs
            if job.ours and job.module == name and job.timeout.duration is not None
        ]
        timeout = module.get("timeout")
        if not scrapes:
            continue
        if timeout is None or not timeout.duration:
            yield module.absent(
                "timeout", "the probe's timeout: the windows of the rules depend on it", "as the scrape's"
            )
            continue
        shortest, job = min(scrapes, key=lambda scrape: scrape[0])
        if timeout.duration >= shortest:
            yield timeout.error(
                f"less than {duration_text(max(shortest - TIMEOUT_OFFSET, timedelta()))}, the scrape_timeout of "
                f"{job.field.word('job_name')} less {duration_text(TIMEOUT_OFFSET)}: a scrape that gives up first "
                "leaves no sample, and no sample is no alert"
            )


def check_web(facts: Facts) -> Iterator[Finding]:
    """Whether a daemon that listens for other hosts asks them who they are."""
    for file in facts.files(FileKind.WEB):
        asked = file.get("tls_server_config", "client_auth_type")
        if file.get("basic_auth_users") is None and (
            asked is None or asked.text != "RequireAndVerifyClientCert"
        ):
            place = asked or file.get("tls_server_config") or file
            yield place.warning(
                "client_auth_type: RequireAndVerifyClientCert: else whoever reaches this daemon uses it",
                "without client certificates" if asked is None else None,
            )

"""A set of files in which nothing is wrong, to plant mistakes in."""

from functools import cache

from wgfleet.cli.check import check
from wgfleet.cli.monitoring import kinds_of, rendered
from wgfleet.cli.probing import Probing, parse_duration
from wgfleet.cli.settings import Settings

FIVE_SECONDS = Settings(Probing(parse_duration("5s"), parse_duration("2s")))
RULES = """\
groups:
  - name: wgfleet-probes
    interval: 1s
    rules:
      - record: wgfleet:vantage_sane
        expr: max by (vantage) (min_over_time(probe_success{job=~"wgfleet-.+"}[17s500ms]))
      - alert: WireGuardWorkerDown
        expr: |
          max by (worker) (max_over_time(probe_success{job="wgfleet-tunnel"}[17s500ms])) == 0
          and on (worker)
          max by (worker) (
              count_over_time(probe_success{job="wgfleet-tunnel"}[17s500ms])
            and on (vantage)
              wgfleet:vantage_sane == 1
          ) >= 3
        labels: {severity: critical, action: failover}
      - alert: WireGuardWorkerUp
        expr: |
          min by (worker) (min_over_time(probe_success{job=~"wgfleet-(tunnel|icmp)"}[17s500ms])) == 1
          and on (worker) max by (worker) (count_over_time(probe_success{job!="pages"}[17s500ms])) > 2
        labels: {severity: none, action: admit}
  - name: wgfleet-watchdog
    interval: 5s
    rules:
      - alert: Watchdog
        expr: vector(1) > 0
        labels: {severity: none, action: watchdog}
"""


@cache
def texts() -> dict[str, str]:
    """What is rendered for a probe every 5 s, with short rules that do not change with ours."""
    return {kind.file_name: rendered(kind, FIVE_SECONDS) for kind in kinds_of(FIVE_SECONDS)} | {
        "rules.yml": RULES
    }


def planted(file: str, old: str, new: str) -> list[str]:
    """What is said when one text in one file is another; each with the line itself instead of its number."""
    files = dict(texts())
    assert old in files[file]
    files[file] = files[file].replace(old, new, 1)
    return [
        f"{found.file} `{files[found.file].splitlines()[found.line - 1].strip()}` {found.severity}: {found.field} is "
        f"{found.value}, expected {found.expected}"
        for found in check(files)
    ]

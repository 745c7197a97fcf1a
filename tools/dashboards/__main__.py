"""Writes every dashboard as Grafana reads it."""

from tools.dashboards.pages import DASHBOARDS, PAGES, text_of
from wgfleet.files import write_whole


def main() -> None:
    """Write them all; only dashboards of this package may stand in that folder."""
    DASHBOARDS.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        file = DASHBOARDS / f"{name}.json"
        write_whole(file, text_of(page()).encode(), mode=0o644)
        print(file)


if __name__ == "__main__":
    main()

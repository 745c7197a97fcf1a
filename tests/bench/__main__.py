"""The benches by name: `make bench NAME=failover`, or all of them one after the other."""

import runpy
import sys
from pathlib import Path

NAMES = sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))


def main() -> None:
    """Run the bench that is named first; the other arguments are its own."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m tests.bench NAME [ARGUMENTS]; there are: {', '.join(NAMES)}")
    del sys.argv[0]
    runpy.run_module(f"tests.bench.{sys.argv[0]}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""The benches by name: `python -m tests.bench failover --interval 5s`. What follows the name is the bench's own."""

import ast
import runpy
import sys
from pathlib import Path

from tests.lab.forward import PortTakenError
from tests.lab.host import CommandError
from tests.lab.preflight import LabImpossibleError
from tests.lab.process import ProgramError
from tests.lab.programs import MissingProgramError
from tests.lab.waiting import WaitedInVainError

BENCHES = {
    file.stem: file
    for file in sorted(Path(__file__).parent.glob("*.py"))
    if not file.stem.startswith(("_", "test_"))
}


def main() -> int:
    """Run the bench that is named first; return its exit status, or 1 with the reason if it could not be run."""
    if len(sys.argv) < 2 or sys.argv[1] not in BENCHES:
        print(usage(), file=sys.stderr)
        return 2
    name = sys.argv.pop(1)
    try:
        runpy.run_module(f"tests.bench.{name}", run_name="__main__", alter_sys=True)
    except (
        CommandError,
        LabImpossibleError,
        MissingProgramError,
        PortTakenError,
        ProgramError,
        WaitedInVainError,
    ) as error:
        print(f"bench {name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"bench {name}: stopped; nothing is left behind", file=sys.stderr)
        return 130
    return 0


def usage() -> str:
    """How to call it, and what there is."""
    benches = "\n".join(f"  {name:10} {_first_line(file)}" for name, file in BENCHES.items())
    return f"usage: python -m tests.bench NAME [ARGUMENTS]; `NAME --help` lists them. There are:\n{benches}"


def _first_line(file: Path) -> str:
    told = ast.get_docstring(ast.parse(file.read_text())) or ""
    return told.partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())

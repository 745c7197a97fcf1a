"""`python -m tests.mutants`: every small mistake in the rules, and whether a story notices it.

A mutant that no story can notice, because it means the same, stands in equivalent.yml with the reason. The last line
is JSON. Exit status 1: one survived, or equivalent.yml has one that is not there or that a story does notice.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from tests.lab.programs import MissingProgramError, program
from tests.mutants.judging import Chunk, Judge, UnsoundError, Verdict
from tests.mutants.mutations import Mutant, Rule, mutants_of
from wgfleet.cli.probing import Probing

PROMETHEUS = Path(__file__).parents[2] / "deploy" / "prometheus"
EQUIVALENT = Path(__file__).with_name("equivalent.yml")
STORIES = ("rules.test.yml", "warnings.test.yml")


def main() -> int:
    """Run the command; return its exit status."""
    arguments = _arguments()
    try:
        judge = a_judge(program("promtool"))
        chosen = [mutant for mutant in all_mutants(judge.rules) if arguments.only in str(mutant)]
        verdicts = judged(judge, chosen, told=lambda line: print(line, flush=True))
    except (MissingProgramError, UnsoundError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 1
    excused = equivalent()
    if arguments.only:
        excused = {name: reason for name, reason in excused.items() if arguments.only in name}
    wrong = faults(verdicts, excused)
    print("".join(f"{fault}\n" for fault in wrong), end="")
    print(json.dumps(summary(verdicts, excused)))
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="Is every small mistake in the rules noticed by a story?"
    )
    parser.add_argument(
        "--only", metavar="TEXT", default="", help="mutants whose name has it, as WireGuardWorkerUp:"
    )
    return parser.parse_args()


def a_judge(promtool: str) -> Judge:
    """Of the committed rules, by the committed stories."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    files = [yaml.safe_load((PROMETHEUS / name).read_text()) for name in STORIES]
    return Judge(
        promtool,
        [rule for group in groups for rule in group["rules"]],
        [Chunk(file["evaluation_interval"], tuple(file["tests"])) for file in files],
    )


def all_mutants(rules: Iterable[Rule]) -> list[Mutant]:
    """Of all the rules, in their order."""
    probing = Probing()
    return [
        mutant
        for rule in rules
        for mutant in mutants_of(rule, window=probing.window, interval=probing.interval)
    ]


def equivalent() -> Mapping[str, str]:
    """The mutants that mean the same as the rule, with the reason."""
    listed: Mapping[str, str] = yaml.safe_load(EQUIVALENT.read_text()) or {}
    return listed


def judged(judge: Judge, mutants: Sequence[Mutant], told: Callable[[str], None]) -> dict[str, Verdict]:
    """Each mutant's verdict; as many at a time as there are CPUs."""
    verdicts = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for number, (mutant, verdict) in enumerate(
            zip(mutants, pool.map(judge.verdict, mutants), strict=True), start=1
        ):
            verdicts[str(mutant)] = verdict
            if verdict is Verdict.SURVIVED or number % 50 == 0:
                told(f"{number} of {len(mutants)}: {verdict}: {mutant}")
    return verdicts


def faults(verdicts: Mapping[str, Verdict], excused: Mapping[str, str]) -> list[str]:
    """What is wrong, a line each."""
    survived = {name for name, verdict in verdicts.items() if verdict is Verdict.SURVIVED}
    return [
        *(f"no story notices: {name}" for name in verdicts if name in survived - set(excused)),
        *(
            f"in {EQUIVALENT.name}, but there is no such mutant: {name}"
            for name in excused
            if name not in verdicts
        ),
        *(
            f"in {EQUIVALENT.name}, but it is {verdicts[name]}: {name}"
            for name in excused
            if name in verdicts and name not in survived
        ),
    ]


def summary(verdicts: Mapping[str, Verdict], excused: Mapping[str, str]) -> dict[str, int]:
    """How many became what."""
    count = Counter(verdicts.values())
    listed = sum(1 for name in excused if verdicts.get(name) is Verdict.SURVIVED)
    return {
        "mutants": len(verdicts) - count[Verdict.INVALID],
        "killed": count[Verdict.KILLED],
        "equivalent": listed,
        "survived": count[Verdict.SURVIVED] - listed,
        "invalid": count[Verdict.INVALID],
    }


if __name__ == "__main__":
    sys.exit(main())

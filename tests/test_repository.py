"""What holds for the repository as a whole: sizes, words, pinned requirements, commands that explain themselves."""

import functools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

MOST_LINES = 400
"""What a reader holds in mind. Longer: split it by subject."""

# In pieces, so that this file does not have the words itself.
NOT_OURS = tuple(
    "".join(pieces)
    for pieces in (
        (r"/wo", r"rk/(main|shared|\.\w+)\b"),
        (r"/tm", r"p/parts\b"),
        (r"/ro", r"ot/\.pyenv"),
        (r"\bDESI", r"GN\.md\b"),
        (r"\barti", r"cle\.txt\b"),
        (r"\bresea", r"rch/\w+\.md\b"),
        (r"\bclo", r"sing no", r"te\b"),
        (r"\bin (this|another|an earlier|a later|the next) ses", r"sion\b"),
        (r"\b(sub-?a", r"gent|cla", r"ude|anth", r"ropic|chat", r"gpt|co", r"pilot)\b"),
        (r"\bAI[- ]", r"(generated|assistant|written)\b"),
        (r"\b(github )?iss", r"ue #?\d+\b"),
    )
)
"""Where and how this was made is no part of it: such words would mean nothing to whoever reads the product."""


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Every file of the repository."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"git does not list the files here: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    files = (REPOSITORY / name for name in listed.split("\0") if name)
    return tuple(file for file in files if file.is_file())


def findings(text: str, words: tuple[str, ...] = NOT_OURS) -> Iterator[str]:
    """Line number and word of each of the words in the text."""
    for number, line in enumerate(text.splitlines(), start=1):
        for found in re.finditer("|".join(words), line, re.IGNORECASE):
            yield f"{number}: {found[0]}"


def test_no_python_file_is_too_long_to_hold_in_mind() -> None:
    """Tests too."""
    sizes = {file: len(file.read_bytes().splitlines()) for file in tracked() if file.suffix == ".py"}

    assert sizes
    assert {str(file): lines for file, lines in sizes.items() if lines > MOST_LINES} == {}


def test_nothing_speaks_of_how_it_was_made() -> None:
    """No file has a word of the list, in its text or in its name."""
    found = [
        f"{file.relative_to(REPOSITORY)}:{finding}"
        for file in tracked()
        for text in (str(file.relative_to(REPOSITORY)), file.read_text(errors="replace"))
        for finding in findings(text)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /wo|rk/main/x", ["1: /wo|rk/main"]),
        ("\nas in Desi|gn.md section 4", ["2: Desi|gn.md"]),
        ("fixes iss|ue 12", ["1: iss|ue 12"]),
        ("in another ses|sion", ["1: in another ses|sion"]),
        ("a session survives; it was issued_at 12; the next key; /work/; an article; agent", []),
    ],
)
def test_the_words_are_found_and_ordinary_ones_are_not(text: str, found: list[str]) -> None:
    """WireGuard has sessions, too. (A bar breaks each word, or this file would have it.)"""
    assert list(findings(text.replace("|", ""))) == [word.replace("|", "") for word in found]


REQUIREMENTS = sorted((REPOSITORY / "requirements").glob("*.txt"))


def faults(requirements: str) -> list[str]:
    """What is wrong with a requirements file; empty if nothing."""
    lines = requirements.replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    wrong = [
        f"an address or option: {line}" for line in lines if "://" in line or line.lstrip().startswith("-")
    ]
    for entry in entries:
        if not re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^ ]+ ", entry):
            wrong.append(f"not pinned: {entry}")
        if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry):
            wrong.append(f"no hash: {entry}")
    return wrong if entries else ["empty"]


def test_there_are_requirements_for_each_kind_of_machine() -> None:
    """So that no machine gets what it does not need."""
    assert {"exporter", "receiver", "sync", "dev"} <= {file.stem for file in REQUIREMENTS}


@pytest.mark.parametrize("file", REQUIREMENTS, ids=lambda file: file.name)
def test_requirements_are_pinned_by_hash_and_name_no_address(file: Path) -> None:
    """What is installed is what was tried, from whatever index a machine uses."""
    assert faults(file.read_text()) == []


HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("requirements", "wrong"),
    [
        (f"a==1 \\\n    {HASH} \\\n    {HASH}\n    # via b\nc[d]==2 {HASH}\n", []),
        ("", ["empty"]),
        (f"a>=1 {HASH}", [f"not pinned: a>=1 {HASH}"]),
        ("a==1 \\\n    --hash=sha256:0", ["no hash: a==1      --hash=sha256:0"]),
        (
            f"--index-url https://x.example/simple\na==1 {HASH}",
            [
                "an address or option: --index-url https://x.example/simple",
                "not pinned: --index-url https://x.example/simple",
                "no hash: --index-url https://x.example/simple",
            ],
        ),
        (f"a==1 {HASH}\n# from https://x.example", ["an address or option: # from https://x.example"]),
    ],
)
def test_faulty_requirements_are_found(requirements: str, wrong: list[str]) -> None:
    """The check itself can fail."""
    assert faults(requirements) == wrong


SCRIPTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]


def test_the_four_commands_are_installed() -> None:
    """Nobody renamed one by accident."""
    assert set(SCRIPTS) == {"wgfleet", "wgfleet-exporter", "wgfleet-receiver", "wgfleet-sync"}


@pytest.mark.parametrize("command", SCRIPTS)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` is a success, goes to standard output and begins with the command's own name."""
    module, function = SCRIPTS[command].split(":")
    as_installed = (
        f"import sys; from {module} import {function}; sys.argv[0] = {command!r}; sys.exit({function}())"
    )

    done = subprocess.run(
        [sys.executable, "-c", as_installed, "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {command} ")

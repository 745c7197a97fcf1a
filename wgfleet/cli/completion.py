"""`wgfleet completion`: a script by which a shell completes this command's words, made from its parsers."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from wgfleet.cli.api import ApiError
from wgfleet.cli.asking import add_receiver, api

SHELLS = ("bash", "zsh", "fish")
HIDDEN = "__complete"
"""What the script runs for names that only the receiver knows."""

PATIENCE_SECONDS = 1.0
"""Somebody has pressed a key and waits."""

NAMES = {"worker": "workers", "client": "clients", "token": "tokens"}
"""Commands whose NAME the receiver knows, and where."""

WORKER = "WORKER"
"""What the name of an option's value begins with, if it is a worker that there is, or several."""

NEW = frozenset({"add", "create", "enrol", "import"})
"""Verbs whose NAME is not there yet."""


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", whole: argparse.ArgumentParser
) -> None:
    """Add `completion`. `whole` is the parser of everything."""
    parser = commands.add_parser(
        "completion",
        help="print a script by which a shell completes this command",
        description="Print a script by which a shell completes this command. bash: `source <(wgfleet completion bash)` in "
        "~/.bashrc; zsh: write it to a file _wgfleet in a folder of $fpath; fish: to "
        "~/.config/fish/completions/wgfleet.fish. Names of workers and clients are asked of the receiver, if "
        "$WGFLEET_RECEIVER and $WGFLEET_TOKEN_FILE or their defaults lead to it.",
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run, whole=whole)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab  # noqa: PLC0415  # The other commands need not wait for it.

    for parser, words in _every_parser(arguments.whole, ()):
        for action in parser._actions:  # noqa: SLF001 - argparse has no other way to its tree.
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined] # What shtab asks for.
            elif (known := _known(action, words)) is not None:
                # Whatever it says of a failure is not for the line that one is typing.
                command = f"wgfleet {HIDDEN} {known} 2>/dev/null"
                action.complete = shtab.cmd(command)  # type: ignore[attr-defined] # Likewise.
    print(shtab.complete(arguments.whole, arguments.shell))
    return 0


def tell_names(words: Sequence[str]) -> int:
    """Print the names, or nothing: a key that was pressed is no moment for complaints."""
    parser = argparse.ArgumentParser(prog=f"wgfleet {HIDDEN}")
    parser.add_argument("what", choices=sorted(NAMES.values()))
    add_receiver(parser)
    arguments = parser.parse_args(words)
    with suppress(ApiError, ValueError, OSError):
        answer = api(arguments, timeout=PATIENCE_SECONDS).call("GET", f"/v1/{arguments.what}")
        # Tokens are a list, workers and clients are listed by their names.
        names = [one["name"] for one in answer] if isinstance(answer, list) else list(answer[arguments.what])
        print("\n".join(names))
    return 0


def _known(action: argparse.Action, words: Sequence[str]) -> str | None:
    """Which names the receiver knows for this place of the command, if any."""
    if action.dest == "name" and not NEW & set(words):
        return NAMES.get(words[0])
    is_worker = isinstance(action.metavar, str) and action.metavar.startswith(WORKER)
    return NAMES["worker"] if is_worker else None


def _every_parser(
    parser: argparse.ArgumentParser, words: tuple[str, ...]
) -> Iterator[tuple[argparse.ArgumentParser, tuple[str, ...]]]:
    if words:
        yield parser, words
    for action in parser._actions:  # noqa: SLF001 - as above.
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above.
            for word, below in action.choices.items():
                yield from _every_parser(below, (*words, word))

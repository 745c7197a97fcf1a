"""Files that must be whole or absent, and secrets that only their owner reads."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int = 0o600, lasting: bool = True) -> None:
    """Write a file so that after a crash there is the old one or the new one, never half of either.

    Not `lasting`: readers never find half of it, but a power cut may take it; the disk is not waited for.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if not lasting:
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # Or the new name itself may be lost in a power cut.
    finally:
        os.close(directory)


def read_secret(path: Path, *, what: str = "token", one_line: bool = True) -> str:
    """The secret in a file, without the newline that editors add; `what` it is, errors say.

    Raises:
        ValueError: the file is missing, unreadable, empty, or holds more than one line of printable ASCII; the text says
            which and never the content. What went on into a header would be quoted by whoever refuses it there.

    """
    try:
        secret = path.read_text().strip()
    except FileNotFoundError:
        raise ValueError(f"{path} is not there: it should hold the {what}") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds no text") from None
    if not secret:
        raise ValueError(f"{path} is empty: it should hold the {what}")
    if one_line and not (secret.isascii() and secret.isprintable()):
        raise ValueError(f"{path} holds more than a secret: one line of printable ASCII was expected")
    return secret

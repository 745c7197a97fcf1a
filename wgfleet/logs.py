"""One line a happening: for people as text, for programs as JSON with the same words."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

Format = Literal["text", "json"]


def configure(log_format: Format, level: str = "INFO") -> None:
    """Send the daemon's log to standard error, where systemd and people look."""
    sink = logging.StreamHandler(sys.stderr)
    sink.setFormatter(_Json() if log_format == "json" else _Text())
    logging.basicConfig(level=level, handlers=[sink], force=True)
    # These say a line for every request: ours say what it meant.
    for chatty in ("httpx", "httpcore", "uvicorn.access", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def say(logger: logging.Logger, event: str, *, level: int = logging.INFO, **facts: object) -> None:
    """Log an event with its facts. Never give it a secret: everything given is written."""
    logger.log(level, event, extra={"facts": {k: v for k, v in facts.items() if v is not None}})


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts: dict[str, object] = getattr(record, "facts", {})
    return facts


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": record.created,
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        facts = " ".join(f"{key}={value}" for key, value in _facts(record).items())
        line = f"{time}Z {record.levelname.lower():7} {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

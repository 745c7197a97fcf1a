"""The daemon of clients, workers and vantages."""

import sys

# Where click and rich are installed, as on a monitoring host, httpx brings a command line along: 6 MiB that no daemon
# uses. It does without when this import fails.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None makes the import fail.

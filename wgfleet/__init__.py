"""The words that every part of wgfleet shares: values and pure functions, and the one door to `wg`.

Nothing here knows a daemon, and importing it costs no web framework.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("wgfleet")
except PackageNotFoundError:  # Run from a tree that was never installed.
    __version__ = "0+unknown"

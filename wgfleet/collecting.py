"""When Python looks for garbage: seldom, in programs that hold very many objects for long."""

import gc

COLLECT_AFTER = (100_000, 50, 50)
"""Objects made, and collections of the younger generation. Ten thousand streams are a million objects, none of them garbage,
and ten thousand clients of a list are 50,000: with Python's own (700, 10, 10) looking through them takes more time than a
whole crowd's coming does."""


def collect_seldom() -> None:
    """What was made until now is for good, and from now on garbage is looked for seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)

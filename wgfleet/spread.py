"""How clients are spread over workers: weighted rendezvous hashing, so a failure moves only the failed worker's clients."""

import functools
import hashlib
import math

HASH_SPACE = 2**64


def rendezvous_score(client: str, worker: str, weight: int) -> float:
    """The weighted rendezvous score of the pair; the highest wins.

    -weight / ln(h) with h uniform in (0, 1): each worker wins in proportion to its weight, and removing one
    leaves all other scores as they are. Source: Schindelhauer and Schomaker, "Weighted distributed hash tables".
    """
    return -weight / math.log(uniform(f"{client}\0{worker}"))


@functools.lru_cache(maxsize=4096)
def uniform(text: str) -> float:
    """Between 0 and 1, even over texts, and the same for a text each time and everywhere."""
    digest = hashlib.sha256(text.encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / HASH_SPACE

"""How long to wait before what has failed is tried again: one rule for all that connect again by themselves. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

GROWTH = 1.5
"""Of each bound. Pauses add up to how long the other side was away: twice as long each time, the last of a fleet would come
back three times as late as the other side itself."""


@dataclass(slots=True)
class Pauses:
    """Pauses in seconds, each drawn from zero up to a bound that grows: those who lost one thing together do not come back in step."""

    first: float
    """The bound at the beginning."""
    most: float
    """The bound in the end."""
    draw: Callable[[float, float], float]
    """A number between two, by chance: `random.uniform`."""
    growth: float = GROWTH
    _bound: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self.begin_again()

    def begin_again(self) -> None:
        """It has worked: the next failure is the first one."""
        self._bound = self.first

    def next(self) -> float:
        """The pause after one more failure."""
        seconds = self.draw(0.0, self._bound)
        self._bound = min(self.growth * self._bound, self.most)
        return seconds

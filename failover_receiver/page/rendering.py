"""Values into HTML. Every value is escaped, whoever said it."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from failover_receiver.page import words
from failover_receiver.page.view import View

_TEMPLATES = Environment(
    loader=PackageLoader("failover_receiver.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(
    age=words.age, clock=words.clock, machine=words.machine, shape=words.shape, reason=words.reason
)


def fragment(view: View) -> str:
    """The part of the page that changes."""
    return _TEMPLATES.get_template("fragment.html").render(view=view)


def page(view: View, *, holder: str) -> str:
    """The whole page, for whoever is signed in."""
    return _TEMPLATES.get_template("page.html").render(view=view, holder=holder)


def sign_in(fleet: str, *, error: str | None = None) -> str:
    """The form, and what was wrong with what was sent."""
    return _TEMPLATES.get_template("sign_in.html").render(fleet=fleet, error=error)

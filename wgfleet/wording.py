"""How things are said for people."""


def counted(number: int, what: str) -> str:
    """So many of them: one client, two clients."""
    return f"{number} {what}{'' if number == 1 else 's'}"

"""How things are said for people."""


def counted(number: int, what: str) -> str:
    """So many of them: one client, two clients."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def excerpt(body: bytes, most: int, authorization: str) -> str:
    """What was answered, at most so many characters of it: without the secret of that header, which a proxy's page may show."""
    said = body.decode(errors="replace")
    secret = authorization.partition(" ")[2]
    return (said.replace(secret, "(the token)") if secret else said)[:most]

"""How Alertmanagers are reached: over TLS with an authority of one's own, with a client certificate, with a token."""

from pathlib import Path

import httpx

from failover_receiver import tls
from failover_receiver.settings import ConfigurationError, Settings
from wgfleet.files import read_secret


def client(settings: Settings) -> httpx.AsyncClient:
    """HTTP for Alertmanagers alone: their token and certificate are for nobody else.

    Raises:
        ConfigurationError: a file cannot be used; the text names it and its key, and quotes nothing of it.

    """
    headers = {}
    if settings.alertmanager_token_file is not None:
        headers["Authorization"] = f"Bearer {_token(settings.alertmanager_token_file)}"
    verify = tls.context(
        "alertmanager_",
        settings.alertmanager_ca_file,
        settings.alertmanager_cert_file,
        settings.alertmanager_key_file,
    )
    # Proxies of the environment are not asked: a stray variable must not decide whom we believe.
    return httpx.AsyncClient(trust_env=False, headers=headers, verify=verify)


def _token(file: Path) -> str:
    try:
        token = read_secret(file)
        token.encode("ascii")
    except ValueError as error:
        reason = "holds something else than a token" if isinstance(error, UnicodeError) else str(error)
        raise ConfigurationError(f"alertmanager_token_file: {reason}") from None
    if any(character.isspace() for character in token):
        raise ConfigurationError(
            f"alertmanager_token_file: {file} holds more than one word: only the token is wanted"
        )
    return token

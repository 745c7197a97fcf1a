"""How Alertmanagers are reached: over TLS with an authority of one's own, with a client certificate, with a token."""

import ssl
from pathlib import Path

import httpx

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
    # Proxies of the environment are not asked: a stray variable must not decide whom we believe.
    return httpx.AsyncClient(trust_env=False, headers=headers, verify=_context(settings))


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


def _context(settings: Settings) -> ssl.SSLContext:
    authority = settings.alertmanager_ca_file
    context = ssl.create_default_context()
    if authority is not None:
        # It alone: an authority of one's own is no addition to the world's.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                _unusable("alertmanager_ca_file", authority, "a certificate", error)
            ) from None
    certificate, key = settings.alertmanager_cert_file, settings.alertmanager_key_file
    if certificate is not None and key is not None:
        _present(context, certificate, key)
    elif certificate is not None or key is not None:
        missing = "alertmanager_key_file" if key is None else "alertmanager_cert_file"
        raise ConfigurationError(f"{missing}: is missing: a client certificate is a certificate and its key")
    return context


def _present(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for name, file in (("alertmanager_cert_file", certificate), ("alertmanager_key_file", key)):
        try:
            file.open("rb").close()  # The next call would not say which one.
        except OSError as error:
            raise ConfigurationError(_unusable(name, file, "", error)) from None
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # Never asked for on a terminal.
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            f"alertmanager_cert_file, alertmanager_key_file: {certificate} and {key} are not a certificate and its "
            "key, in PEM and without a password"
        ) from None


def _unusable(name: str, file: Path, wanted: str, error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{name}: {file} does not hold {wanted} in PEM"
    return f"{name}: {file} cannot be read: {error.strerror}; is it there, and this user's to read?"

"""How TLS is spoken to others: with an authority of one's own, with a client certificate."""

import ssl
from pathlib import Path

from failover_receiver.settings import ConfigurationError


def context(
    prefix: str, authority: Path | None, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Trust this authority alone, or else those that the system trusts; the prefix is what the files' keys begin with.

    Raises:
        ConfigurationError: a file cannot be used; the text names it and its key, and quotes nothing of it.

    """
    made = ssl.create_default_context()
    if authority is not None:
        # It alone: an authority of one's own is no addition to the world's.
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            made.load_verify_locations(cafile=authority)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                _unusable(f"{prefix}ca_file", authority, "a certificate", error)
            ) from None
    if certificate is not None and key is not None:
        _present(made, prefix, certificate, key)
    elif certificate is not None or key is not None:
        missing = "key_file" if key is None else "cert_file"
        raise ConfigurationError(
            f"{prefix}{missing}: is missing: a client certificate is a certificate and its key"
        )
    return made


def _present(made: ssl.SSLContext, prefix: str, certificate: Path, key: Path) -> None:
    names = (f"{prefix}cert_file", f"{prefix}key_file")
    for name, file in zip(names, (certificate, key), strict=True):
        try:
            file.open("rb").close()  # The next call would not say which one.
        except OSError as error:
            raise ConfigurationError(_unusable(name, file, "", error)) from None
    try:
        made.load_cert_chain(certificate, key, password=lambda: "")  # Never asked for on a terminal.
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            f"{', '.join(names)}: {certificate} and {key} are not a certificate and its "
            "key, in PEM and without a password"
        ) from None


def _unusable(name: str, file: Path, wanted: str, error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{name}: {file} does not hold {wanted} in PEM"
    return f"{name}: {file} cannot be read: {error.strerror}; is it there, and this user's to read?"

"""Reads a TSIG key from what is in a file. No error quotes any of it."""

import binascii
import re

import dns.exception
import dns.name
import dns.tsig

from failover_receiver.publishing.dns.place import ALGORITHMS

COMMENT = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)
STATEMENT = re.compile(r'key\s+"?([^"\s{;]+)"?\s*\{([^}]*)\}', re.IGNORECASE)
CLAUSE = re.compile(r'(algorithm|secret)\s+"?([^"\s;]+)"?\s*;', re.IGNORECASE)
ONE_LINE = re.compile(r"(?:(hmac-[a-z0-9-]+):)?([^:\s]+)[:\s]\s*([A-Za-z0-9+/]+=*)")
EXPECTED = "a key as tsig-keygen prints it, or one line name:secret, was expected"


def read(text: str, algorithm: str | None = None) -> dns.tsig.Key:
    """The key.

    Args:
        text: `key "name" { algorithm hmac-sha256; secret "…"; };`, or `name:secret`, or `algorithm:name:secret`.
        algorithm: where the text does not say it; None: hmac-sha256.

    Raises:
        ValueError: it is neither, or another algorithm than is said; the text is not quoted.

    """
    name, said, secret = _parts(text)
    if said and algorithm and said != algorithm:
        raise ValueError(
            f"its key is for {said}, and algorithm is {algorithm}: take that away, or make another key"
        )
    chosen = said or algorithm or ALGORITHMS[0]
    if chosen not in ALGORITHMS:
        raise ValueError(
            f"its key is for an algorithm that is not known here: one of {', '.join(ALGORITHMS)} was expected"
        )
    try:
        decoded = binascii.a2b_base64(secret, strict_mode=True)
        return dns.tsig.Key(dns.name.from_text(name), decoded, _wire(chosen))
    except (binascii.Error, dns.exception.DNSException):
        raise ValueError(f"its secret is no base64, or its name no domain: {EXPECTED}") from None


def _parts(text: str) -> tuple[str, str, str]:
    plain = COMMENT.sub("", text).strip()
    statement = STATEMENT.search(plain)
    if statement is not None:
        clauses = {word.lower(): value for word, value in CLAUSE.findall(statement[2])}
        if "secret" not in clauses:
            raise ValueError(f"its key has no secret: {EXPECTED}")
        return statement[1], clauses.get("algorithm", "").lower(), clauses["secret"]
    line = ONE_LINE.fullmatch(plain)
    if line is None:
        raise ValueError(EXPECTED)
    return line[2], line[1] or "", line[3]


def _wire(algorithm: str) -> dns.name.Name:
    return dns.tsig.HMAC_MD5 if algorithm == "hmac-md5" else dns.name.from_text(algorithm)

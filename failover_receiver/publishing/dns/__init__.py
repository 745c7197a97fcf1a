"""A name that leads to what serves only, kept in a zone by dynamic updates (RFC 2136)."""

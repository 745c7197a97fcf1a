"""Keys of the lab's machines: the real thing."""

from wgfleet.keypair import KeyPair, new_key_pair

__all__ = ["KeyPair", "new_key_pair"]

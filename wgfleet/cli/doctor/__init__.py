"""`wgfleet doctor`: whether every part of the chain, from a worker's probe to the published document, does its part."""

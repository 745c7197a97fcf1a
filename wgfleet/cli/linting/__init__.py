"""What is wrong with an operator's own configuration, by the same times as what `wgfleet render` makes."""

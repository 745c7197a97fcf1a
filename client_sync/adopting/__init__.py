"""`wgfleet-sync adopt`: an interface that others made comes into wgfleet's care, and nothing of it changes."""

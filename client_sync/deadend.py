"""What lies beneath each route into a tunnel, and is left when the tunnel's interface takes its routes along."""

LAST_METRIC = 4278198272
"""Behind any route that people or programs set; Debian's NetworkManager uses the same for its unreachable ones."""

"""`wgfleet-exporter`: what WireGuard interfaces of this machine do, as Prometheus metrics.

`samples` says what is measured and `metrics` how it is called; `sysfs` and wgfleet's `wg` read it; `collector` puts a
page together at each scrape, and nothing in between; `server` hands it out.
"""

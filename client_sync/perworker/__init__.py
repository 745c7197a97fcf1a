"""The layout with one interface per worker: a failover is one route change, and a drain keeps what is connected."""

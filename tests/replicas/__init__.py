"""Several receivers on one real PostgreSQL, on loopback: what each one's death costs the others."""

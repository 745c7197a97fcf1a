-- One row for each client. Lists are JSON: they are read and written whole.
CREATE TABLE clients (
    name TEXT PRIMARY KEY,
    public_key TEXT NOT NULL UNIQUE,
    addresses TEXT NOT NULL,
    networks TEXT NOT NULL,
    added_at REAL NOT NULL
);
-- Keys that operators took away or replaced: workers may forget these unasked, and they do not come back by mistake.
CREATE TABLE revocations (
    public_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    at REAL NOT NULL
);
-- Addresses that were given back lately.
CREATE TABLE freed_addresses (
    address TEXT PRIMARY KEY,
    at REAL NOT NULL
);
-- The number of the client list by which an operator last confirmed removals.
CREATE TABLE removals_confirmed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL
);
-- The newest client list that each worker ever said it applied: after a restart too, a revocation waits for all of them.
CREATE TABLE client_list_acks (
    worker TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    at REAL NOT NULL
);
-- Bundles that have been made out. The secret itself is nowhere: it has 256 random bits, so its plain digest is enough.
CREATE TABLE enrolments (
    digest TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    asked TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    used_at REAL
);

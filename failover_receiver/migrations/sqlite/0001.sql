-- The whole state of the core, one row: small (tens of workers), and right or wrong only as a whole.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    body TEXT NOT NULL
);
-- The newest signed document of each type, as sent.
CREATE TABLE documents (
    type TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    body BLOB NOT NULL
);
-- What was decided, why, and with which generation it was published. Only ever added to.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    who TEXT NOT NULL,
    worker TEXT NOT NULL,
    before TEXT,
    after TEXT,
    reason TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    generation INTEGER NOT NULL
);
-- Who may ask what. The token itself is nowhere: it has 256 random bits, so its plain digest is enough.
CREATE TABLE tokens (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL
);

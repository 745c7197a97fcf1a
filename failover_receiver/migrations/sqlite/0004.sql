-- A token may end by itself; NULL: it does not.
ALTER TABLE tokens ADD COLUMN expires_at REAL;
-- Who is signed in to the page. The cookie is a secret of its own, not the token, and only its digest is here.
CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    opened_at REAL NOT NULL
) WITHOUT ROWID;

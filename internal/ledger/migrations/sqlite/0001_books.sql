-- Receipts, one row each. link = chain number << 40 | sequence in the chain.
-- Every column but the payload and the hash repeats what the payload says.
CREATE TABLE receipts (
    link      INTEGER PRIMARY KEY,
    id        TEXT    NOT NULL UNIQUE,
    time      INTEGER NOT NULL, -- nanoseconds since 1970
    key       TEXT    NOT NULL,
    team      TEXT    NOT NULL,
    skill     TEXT    NOT NULL,
    model     TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    cost      INTEGER NOT NULL, -- nanodollars, as are the next two
    reference INTEGER NOT NULL,
    saved     INTEGER NOT NULL,
    hash      BLOB    NOT NULL,
    payload   BLOB    NOT NULL
);

-- A signed checkpoint covers the links first..link of one chain.
CREATE TABLE checkpoints (
    link     INTEGER PRIMARY KEY,
    first    INTEGER NOT NULL,
    envelope BLOB    NOT NULL
);

CREATE TABLE chains (
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    public BLOB NOT NULL
);

-- What the receipts of a day sum to, by scope and name. day = yyyymmdd, UTC.
CREATE TABLE spend (
    scope TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    day   INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    PRIMARY KEY (scope, name, day)
) WITHOUT ROWID;

-- Callers' keys: the SHA-256 of each, never the key.
CREATE TABLE api_keys (
    id      TEXT    PRIMARY KEY,
    hash    BLOB    NOT NULL UNIQUE,
    name    TEXT    NOT NULL,
    team    TEXT    NOT NULL,
    class   TEXT    NOT NULL,
    skill   TEXT    NOT NULL,
    budgets TEXT    NOT NULL, -- JSON
    created INTEGER NOT NULL, -- seconds since 1970
    expires INTEGER NOT NULL, -- 0 never
    revoked INTEGER NOT NULL  -- 0 not
);

INSERT INTO meta (name, value) VALUES ('keys', 0);

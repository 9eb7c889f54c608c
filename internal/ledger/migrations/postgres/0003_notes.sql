-- What is in a chain and no receipt, such as graded outcomes: the links of both
-- tables together are the chain. Every column but the payload and the hash repeats
-- what the payload says.
CREATE TABLE notes (
    link      BIGINT PRIMARY KEY, -- as in receipts
    id        TEXT   COLLATE "C" NOT NULL UNIQUE,
    time      BIGINT NOT NULL,    -- nanoseconds since 1970
    kind      TEXT   NOT NULL,
    skill     TEXT   NOT NULL,
    candidate TEXT   NOT NULL,
    name      TEXT   NOT NULL,    -- an outcome's case
    hash      BYTEA  NOT NULL,
    payload   BYTEA  NOT NULL
);
CREATE INDEX notes_of_skill ON notes (skill, kind, link);

CREATE VIEW links AS
    SELECT link, id, hash FROM receipts
    UNION ALL
    SELECT link, id, hash FROM notes;

-- The place of the chain's last link: of two who append, one finds it moved.
ALTER TABLE chains ADD COLUMN last BIGINT NOT NULL DEFAULT 0;
UPDATE chains SET last = coalesce(
    (SELECT max(link) FROM receipts WHERE link > (number << 40) AND link < ((number + 1) << 40)) - (number << 40), 0);

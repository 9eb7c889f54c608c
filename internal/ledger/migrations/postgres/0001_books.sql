-- Receipts, one row each. link = chain number << 40 | sequence in the chain.
-- Every column but the payload and the hash repeats what the payload says.
CREATE TABLE receipts (
    link      BIGINT PRIMARY KEY,
    id        TEXT   COLLATE "C" NOT NULL UNIQUE,
    time      BIGINT NOT NULL, -- nanoseconds since 1970
    key       TEXT   NOT NULL,
    team      TEXT   NOT NULL,
    skill     TEXT   NOT NULL,
    model     TEXT   NOT NULL,
    outcome   TEXT   NOT NULL,
    cost      BIGINT NOT NULL, -- nanodollars, as are the next two
    reference BIGINT NOT NULL,
    saved     BIGINT NOT NULL,
    hash      BYTEA  NOT NULL,
    payload   BYTEA  NOT NULL
);

-- A signed checkpoint covers the links first..link of one chain.
CREATE TABLE checkpoints (
    link     BIGINT PRIMARY KEY,
    first    BIGINT NOT NULL,
    envelope BYTEA  NOT NULL
);

-- One chain per gateway. A gateway that was not seen for a while is dead, and
-- its holds are written off.
CREATE TABLE chains (
    number BIGINT PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    public BYTEA NOT NULL,
    epoch  BIGINT NOT NULL DEFAULT 0, -- how often it was opened
    seen   TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What the receipts of a day sum to, by scope and name. day = yyyymmdd, UTC.
CREATE TABLE spend (
    scope TEXT   NOT NULL,
    name  TEXT   NOT NULL,
    day   BIGINT NOT NULL,
    spent BIGINT NOT NULL,
    PRIMARY KEY (scope, name, day)
);

-- What open exchanges may cost at worst, for those that a cap applies to.
CREATE TABLE holds (
    id     TEXT   PRIMARY KEY,
    chain  BIGINT NOT NULL REFERENCES chains,
    epoch  BIGINT NOT NULL, -- of the chain, when it was taken
    at     BIGINT NOT NULL, -- nanoseconds since 1970
    day    BIGINT NOT NULL,
    key    TEXT   NOT NULL,
    team   TEXT   NOT NULL,
    skill  TEXT   NOT NULL,
    amount BIGINT NOT NULL
);

-- Callers' keys: the SHA-256 of each, never the key.
CREATE TABLE api_keys (
    id      TEXT   PRIMARY KEY,
    hash    BYTEA  NOT NULL UNIQUE,
    name    TEXT   NOT NULL,
    team    TEXT   NOT NULL,
    class   TEXT   NOT NULL,
    skill   TEXT   NOT NULL,
    budgets TEXT   NOT NULL, -- JSON
    created BIGINT NOT NULL, -- seconds since 1970
    expires BIGINT NOT NULL, -- 0 never
    revoked BIGINT NOT NULL  -- 0 not
);

INSERT INTO meta (name, value) VALUES ('keys', 0);

-- What is spent and held under a cap. It is one statement, so that a receipt
-- that is being booked is seen either as held or as spent, never as neither.
CREATE FUNCTION starling_standing(p_scope TEXT, p_name TEXT, p_from BIGINT, p_to BIGINT, p_except TEXT)
RETURNS TABLE (spent BIGINT, held BIGINT) LANGUAGE sql VOLATILE AS $$
    SELECT
        (SELECT least(coalesce(sum(s.spent), 0), 9e18)::BIGINT FROM spend s
          WHERE s.scope = p_scope AND s.name = p_name AND s.day BETWEEN p_from AND p_to),
        (SELECT least(coalesce(sum(h.amount), 0), 9e18)::BIGINT FROM holds h
          WHERE h.id <> p_except AND h.day BETWEEN p_from AND p_to
            AND CASE p_scope WHEN 'all' THEN TRUE WHEN 'key' THEN h.key = p_name WHEN 'team' THEN h.team = p_name ELSE h.skill = p_name END)
$$;

-- Holds an amount for an exchange if it fits under every cap given, and returns
-- no row; else changes nothing and returns the first cap (from 1) without room.
-- Reservations under the same scope and name take turns; the locks are taken in
-- one order everywhere.
CREATE FUNCTION starling_hold(p_id TEXT, p_chain BIGINT, p_epoch BIGINT, p_at BIGINT, p_day BIGINT, p_key TEXT, p_team TEXT, p_skill TEXT, p_amount BIGINT,
    p_scopes TEXT[], p_names TEXT[], p_froms BIGINT[], p_tos BIGINT[], p_limits BIGINT[])
RETURNS TABLE (cap INT, spent BIGINT, held BIGINT) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    lock_key BIGINT;
    now_spent BIGINT;
    now_held BIGINT;
BEGIN
    FOR lock_key IN
        SELECT DISTINCT hashtextextended('starling ' || u.scope || ' ' || u.name, 0) AS k
          FROM unnest(p_scopes, p_names) AS u(scope, name) ORDER BY k
    LOOP
        PERFORM pg_advisory_xact_lock(lock_key);
    END LOOP;
    FOR i IN 1 .. coalesce(array_length(p_scopes, 1), 0) LOOP
        SELECT s.spent, s.held INTO now_spent, now_held
          FROM starling_standing(p_scopes[i], p_names[i], p_froms[i], p_tos[i], p_id) s;
        IF now_spent::NUMERIC + now_held + p_amount > p_limits[i] THEN
            cap := i; spent := now_spent; held := now_held;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
    INSERT INTO holds (id, chain, epoch, at, day, key, team, skill, amount)
    VALUES (p_id, p_chain, p_epoch, p_at, p_day, p_key, p_team, p_skill, p_amount)
    ON CONFLICT (id) DO UPDATE SET amount = excluded.amount;
END
$$;

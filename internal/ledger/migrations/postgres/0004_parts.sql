-- What the stored parts of an exchange have cost was taken from its hold, which
-- is amount: so amount and parts are together what was reserved, and whoever says
-- anew what is reserved need not know which parts are stored by now.
ALTER TABLE holds ADD COLUMN parts BIGINT NOT NULL DEFAULT 0;

-- p_amount is with the parts. The exchange's own row stays as it is from the
-- first look at the sums until it is changed. All else is as before.
CREATE OR REPLACE FUNCTION starling_hold(p_id TEXT, p_chain BIGINT, p_epoch BIGINT, p_at BIGINT, p_day BIGINT, p_key TEXT, p_team TEXT, p_skill TEXT, p_amount BIGINT,
    p_scopes TEXT[], p_names TEXT[], p_froms BIGINT[], p_tos BIGINT[], p_limits BIGINT[])
RETURNS TABLE (cap INT, spent BIGINT, held BIGINT) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    lock_key BIGINT;
    now_spent BIGINT;
    now_held BIGINT;
    taken BIGINT;
BEGIN
    FOR lock_key IN
        SELECT DISTINCT hashtextextended('starling ' || u.scope || ' ' || u.name, 0) AS k
          FROM unnest(p_scopes, p_names) AS u(scope, name) ORDER BY k
    LOOP
        PERFORM pg_advisory_xact_lock(lock_key);
    END LOOP;
    SELECT h.parts INTO taken FROM holds h WHERE h.id = p_id FOR UPDATE;
    taken := coalesce(taken, 0);
    FOR i IN 1 .. coalesce(array_length(p_scopes, 1), 0) LOOP
        SELECT s.spent, s.held INTO now_spent, now_held
          FROM starling_standing(p_scopes[i], p_names[i], p_froms[i], p_tos[i], p_id) s;
        IF now_spent::NUMERIC + now_held + greatest(p_amount - taken, 0) > p_limits[i] THEN
            cap := i; spent := now_spent; held := now_held;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
    INSERT INTO holds (id, chain, epoch, at, day, key, team, skill, amount)
    VALUES (p_id, p_chain, p_epoch, p_at, p_day, p_key, p_team, p_skill, p_amount)
    ON CONFLICT (id) DO UPDATE SET amount = greatest(excluded.amount - holds.parts, 0) WHERE holds.epoch >= 0;
    -- Only now: the insert has waited for whoever was storing the receipt.
    IF NOT FOUND OR EXISTS (SELECT FROM receipts r WHERE r.id = p_id) THEN
        RAISE EXCEPTION 'the exchange was written off' USING ERRCODE = 'SL001';
    END IF;
END
$$;

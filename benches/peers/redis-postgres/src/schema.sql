-- What is for sale and what is held. A seat is one number: the concert's in the upper half, and its
-- own over all sections of the concert in the lower one. With two columns the planner, whose
-- statistics know nothing of a concert put on sale a minute ago, looks through the whole hall.
CREATE TABLE IF NOT EXISTS concerts (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id     text NOT NULL UNIQUE,
    plan   text NOT NULL
);

-- The fill factor leaves room for the one update of a row on its own page, so that no index is
-- touched by it.
CREATE TABLE IF NOT EXISTS seats (
    seat        bigint PRIMARY KEY,
    reservation uuid
) WITH (fillfactor = 45);

-- The id is the hash of concert, user and idempotency key: the primary key keeps an effect single.
CREATE TABLE IF NOT EXISTS reservations (
    id              uuid PRIMARY KEY,
    concert         integer NOT NULL,
    user_id         text NOT NULL,
    idempotency_key text NOT NULL,
    body_hash       bytea NOT NULL,
    seats           text[] NOT NULL,
    amount_minor    bigint NOT NULL,
    held_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at      timestamptz NOT NULL
);

-- Seats of a user in live reservations of a concert.
CREATE TABLE IF NOT EXISTS holders (
    concert integer NOT NULL,
    user_id text NOT NULL,
    seats   integer NOT NULL,
    PRIMARY KEY (concert, user_id)
) WITH (fillfactor = 80);

-- All of a hold in one round trip and one transaction. Returns the reservation, whether new or from
-- before; what cannot be held is an error, which takes back everything: SD001 limit reached, SD002
-- a seat is taken.
CREATE OR REPLACE FUNCTION hold_seats(
    p_id uuid, p_concert integer, p_user text, p_key text, p_body_hash bytea,
    p_seats bigint[], p_labels text[], p_amount bigint, p_limit integer, p_hold_seconds integer,
    OUT body_hash bytea, OUT amount_minor bigint, OUT expires_at timestamptz
) LANGUAGE plpgsql AS $$
DECLARE
    wanted CONSTANT integer := cardinality(p_seats);
    changed integer;
BEGIN
    INSERT INTO reservations AS r
        (id, concert, user_id, idempotency_key, body_hash, seats, amount_minor, expires_at)
    VALUES (p_id, p_concert, p_user, p_key, p_body_hash, p_labels, p_amount,
            clock_timestamp() + make_interval(secs => p_hold_seconds))
    ON CONFLICT (id) DO NOTHING
    RETURNING r.body_hash, r.amount_minor, r.expires_at
    INTO body_hash, amount_minor, expires_at;
    IF NOT FOUND THEN
        SELECT r.body_hash, r.amount_minor, r.expires_at FROM reservations r WHERE r.id = p_id
        INTO body_hash, amount_minor, expires_at;
        RETURN;
    END IF;
    IF wanted > p_limit THEN
        RAISE EXCEPTION 'limit reached' USING ERRCODE = 'SD001';
    END IF;
    INSERT INTO holders AS h (concert, user_id, seats) VALUES (p_concert, p_user, wanted)
    ON CONFLICT (concert, user_id)
    DO UPDATE SET seats = h.seats + excluded.seats WHERE h.seats + excluded.seats <= p_limit;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'limit reached' USING ERRCODE = 'SD001';
    END IF;
    UPDATE seats s SET reservation = p_id
    WHERE s.seat = ANY (p_seats) AND s.reservation IS NULL;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF changed < wanted THEN
        RAISE EXCEPTION 'a seat is taken' USING ERRCODE = 'SD002';
    END IF;
END $$;

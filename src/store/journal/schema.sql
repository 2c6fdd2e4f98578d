-- What a journal has in PostgreSQL, 15 or later.
CREATE SCHEMA IF NOT EXISTS orderd;

-- What each transaction has written, in one order. src/store/journal/entry.rs has the form.
CREATE TABLE orderd.journal (
  seq  bigint PRIMARY KEY,
  body bytea NOT NULL,
  at   timestamptz NOT NULL DEFAULT now()
);

-- The texts of statements, by their SHA-256.
CREATE TABLE orderd.text (
  digest bytea PRIMARY KEY,
  sql    text NOT NULL
);

-- One row, which whoever appends an entry locks and does not change: a row that changed at each turn would grow a chain
-- of versions under every long snapshot.
CREATE TABLE orderd.turn (
  one      boolean PRIMARY KEY DEFAULT true CHECK (one),
  id       bytea NOT NULL,   -- which journal this is
  format   integer NOT NULL,
  snapshot bigint NOT NULL,  -- the entry that the newest snapshot includes, and the entries before it
  parts    bigint NOT NULL,
  digest   bytea NOT NULL,   -- the SHA-256 of the snapshot
  restored bigint NOT NULL DEFAULT 0,  -- the entry with which a backup took the place of all before it
  made_at  timestamptz NOT NULL DEFAULT now()  -- when the snapshot was put here
);

-- Whole copies of the rows.
CREATE TABLE orderd.snapshot (
  seq  bigint NOT NULL,
  part bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (seq, part)
);
ALTER TABLE orderd.snapshot ALTER COLUMN body SET STORAGE EXTERNAL;

-- The processes on this journal.
CREATE TABLE orderd.member (
  id       bytea PRIMARY KEY,
  version  text NOT NULL,
  position bigint NOT NULL,
  keys     text NOT NULL,
  seen     timestamptz NOT NULL,
  lease    timestamptz
);

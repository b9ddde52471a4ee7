-- Who gets the invoices.
-- Currencies are ISO 4217, countries ISO 3166-1 alpha-2, times ISO 8601 in UTC. Money is in cents everywhere.
CREATE TABLE customers (
  id                 INTEGER PRIMARY KEY,
  name               TEXT    NOT NULL CHECK (length(trim(name)) BETWEEN 1 AND 200),
  contact_name       TEXT,
  email              TEXT    NOT NULL CHECK (email LIKE '_%@_%._%'),
  address            TEXT,
  city               TEXT,
  country            TEXT    NOT NULL CHECK (country GLOB '[A-Z][A-Z]'),
  currency           TEXT    NOT NULL DEFAULT 'EUR' CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  payment_terms_days INTEGER NOT NULL DEFAULT 30 CHECK (payment_terms_days BETWEEN 0 AND 120),
  created_at         TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE UNIQUE INDEX customers_email ON customers (email COLLATE NOCASE);
CREATE INDEX customers_name ON customers (name COLLATE NOCASE);

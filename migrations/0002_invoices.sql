-- An invoice and its lines. A draft becomes open when it is sent, and ends as paid, void or uncollectible.
-- The tax rate is in basis points: 1900 is 19 %.
CREATE TABLE invoices (
  id           INTEGER PRIMARY KEY,
  customer_id  INTEGER NOT NULL REFERENCES customers (id) ON DELETE RESTRICT,
  number       TEXT    NOT NULL UNIQUE CHECK (length(number) BETWEEN 1 AND 40),
  status       TEXT    NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'open', 'paid', 'void', 'uncollectible')),
  subject      TEXT    NOT NULL DEFAULT '',
  currency     TEXT    NOT NULL CHECK (currency GLOB '[A-Z][A-Z][A-Z]'),
  tax_rate_bps INTEGER NOT NULL DEFAULT 0 CHECK (tax_rate_bps BETWEEN 0 AND 5000),
  issued_on    TEXT    NOT NULL CHECK (issued_on IS date(issued_on)),
  due_on       TEXT    NOT NULL CHECK (due_on IS date(due_on)),
  notes        TEXT,
  created_at   TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
  CHECK (due_on >= issued_on)
) STRICT;

CREATE INDEX invoices_customer ON invoices (customer_id, issued_on);
CREATE INDEX invoices_status ON invoices (status, issued_on);
CREATE INDEX invoices_open_due ON invoices (due_on) WHERE status = 'open';

-- Lines belong to their invoice and go with it.
CREATE TABLE invoice_lines (
  id               INTEGER PRIMARY KEY,
  invoice_id       INTEGER NOT NULL REFERENCES invoices (id) ON DELETE CASCADE,
  position         INTEGER NOT NULL CHECK (position > 0),
  description      TEXT    NOT NULL CHECK (length(trim(description)) > 0),
  quantity         INTEGER NOT NULL DEFAULT 1 CHECK (quantity > 0),
  unit_price_cents INTEGER NOT NULL CHECK (unit_price_cents >= 0),
  amount_cents     INTEGER NOT NULL GENERATED ALWAYS AS (quantity * unit_price_cents) VIRTUAL,
  UNIQUE (invoice_id, position)
) STRICT;

-- Money that came in, and the two views that put it beside what was asked for.
CREATE TABLE payments (
  id           INTEGER PRIMARY KEY,
  invoice_id   INTEGER NOT NULL REFERENCES invoices (id) ON DELETE RESTRICT,
  amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
  method       TEXT    NOT NULL CHECK (method IN ('bank_transfer', 'card', 'direct_debit', 'cash')),
  reference    TEXT,
  paid_on      TEXT    NOT NULL CHECK (paid_on IS date(paid_on)),
  created_at   TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE INDEX payments_invoice ON payments (invoice_id);
CREATE INDEX payments_paid_on ON payments (paid_on);

-- Tax is rounded half up, once, on the whole invoice.
CREATE VIEW invoice_totals AS
SELECT
  id, number, customer_id, status, currency, issued_on, due_on,
  subtotal_cents,
  (subtotal_cents * tax_rate_bps + 5000) / 10000 AS tax_cents,
  subtotal_cents + (subtotal_cents * tax_rate_bps + 5000) / 10000 AS total_cents,
  paid_cents,
  subtotal_cents + (subtotal_cents * tax_rate_bps + 5000) / 10000 - paid_cents AS balance_cents
FROM (
  SELECT
    invoices.*,
    (SELECT coalesce(sum(amount_cents), 0) FROM invoice_lines WHERE invoice_id = invoices.id) AS subtotal_cents,
    (SELECT coalesce(sum(amount_cents), 0) FROM payments WHERE invoice_id = invoices.id) AS paid_cents
  FROM invoices
);

CREATE VIEW overdue_invoices AS
SELECT
  invoice_totals.id, number, customer_id, customers.name AS customer_name, customers.email AS customer_email,
  invoice_totals.currency, due_on,
  CAST(julianday(date('now')) - julianday(due_on) AS INTEGER) AS days_overdue,
  balance_cents
FROM invoice_totals
JOIN customers ON customers.id = customer_id
WHERE status = 'open' AND due_on < date('now') AND balance_cents > 0;

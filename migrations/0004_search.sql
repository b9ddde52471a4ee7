-- Full-text search over customers and invoices:
--   SELECT * FROM customers WHERE id IN (SELECT rowid FROM customer_search('lind*'))
-- Both are external-content tables: the text stays in its own table and only the index is kept here, so each
-- needs these three triggers, and a deletion has to repeat the words that it takes out of the index.
-- (INSERT OR REPLACE deletes without firing triggers; write ON CONFLICT … DO UPDATE instead.)
CREATE VIRTUAL TABLE customer_search USING fts5 (
  name, contact_name, email, city,
  content = 'customers', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER customer_search_insert AFTER INSERT ON customers BEGIN
  INSERT INTO customer_search (rowid, name, contact_name, email, city)
  VALUES (new.id, new.name, new.contact_name, new.email, new.city);
END;

CREATE TRIGGER customer_search_delete AFTER DELETE ON customers BEGIN
  INSERT INTO customer_search (customer_search, rowid, name, contact_name, email, city)
  VALUES ('delete', old.id, old.name, old.contact_name, old.email, old.city);
END;

CREATE TRIGGER customer_search_update AFTER UPDATE OF id, name, contact_name, email, city ON customers BEGIN
  INSERT INTO customer_search (customer_search, rowid, name, contact_name, email, city)
  VALUES ('delete', old.id, old.name, old.contact_name, old.email, old.city);
  INSERT INTO customer_search (rowid, name, contact_name, email, city)
  VALUES (new.id, new.name, new.contact_name, new.email, new.city);
END;

CREATE VIRTUAL TABLE invoice_search USING fts5 (
  number, subject, notes,
  content = 'invoices', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER invoice_search_insert AFTER INSERT ON invoices BEGIN
  INSERT INTO invoice_search (rowid, number, subject, notes)
  VALUES (new.id, new.number, new.subject, new.notes);
END;

CREATE TRIGGER invoice_search_delete AFTER DELETE ON invoices BEGIN
  INSERT INTO invoice_search (invoice_search, rowid, number, subject, notes)
  VALUES ('delete', old.id, old.number, old.subject, old.notes);
END;

CREATE TRIGGER invoice_search_update AFTER UPDATE OF id, number, subject, notes ON invoices BEGIN
  INSERT INTO invoice_search (invoice_search, rowid, number, subject, notes)
  VALUES ('delete', old.id, old.number, old.subject, old.notes);
  INSERT INTO invoice_search (rowid, number, subject, notes)
  VALUES (new.id, new.number, new.subject, new.notes);
END;

-- The rows that were there before the index.
INSERT INTO customer_search (customer_search) VALUES ('rebuild');
INSERT INTO invoice_search (invoice_search) VALUES ('rebuild');

// Owns why Tenantry's D1 driver differs from bare D1: the cases of the contract that it does not fulfil.
// The database is D1's own; what differs is what is bound, and what Tenantry refuses before it is sent.

export const D1_BINDING_SKIPS = {
  "a view other than of bytes is bound element by element, modulo 256": "the view's bytes are bound",
  "a DataView is bound as an empty BLOB": "the view's bytes are bound",
  "a bigint is refused": "it is taken up to 2^53, and refused by the statement's run beyond",
  "several statements in prepare() all run, and the last one answers": "SQL_MANY_STATEMENTS: use batch()",
  "a blank statement is left out of a batch": "SQL_NO_STATEMENT, so that answers match statements",
  "exec() counts lines and cannot take a statement over two": "it counts statements, whatever their lines",
  "VACUUM and reading about the file are refused": "they are, VACUUM in other words",
};

// Owns why a Durable Object differs from D1: the cases of the contract that it does not fulfil.
// Its SQLite is D1's own; what differs is what is bound, and what Tenantry refuses.

export const OBJECT_SKIPS = {
  "its bookmark is null at first and a string after a query":
    "there is one copy and nothing to wait for, so the bookmark stays null",
  "a view other than of bytes is bound element by element, modulo 256": "the view's bytes are bound",
  "a DataView is bound as an empty BLOB": "the view's bytes are bound",
  "the infinities are NULL, in and out": "they stay numbers until JSON makes null of them",
  "a bigint is refused": "it is taken up to 2^53, and refused by the statement's run beyond",
  "negative zero comes back as zero": "the sign is kept",
  "several statements in prepare() all run, and the last one answers": "SQL_MANY_STATEMENTS: use batch()",
  "a blank statement is left out of a batch": "SQL_NO_STATEMENT, so that answers match statements",
  "exec() counts lines and cannot take a statement over two": "it counts statements, whatever their lines",
};

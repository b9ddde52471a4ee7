// Owns why the local driver differs from D1: the cases of the contract that it does not fulfil.
// The same in this process and in an executor.

export const LOCAL_SKIPS = {
  "its bookmark is null at first and a string after a query":
    "there is one copy and nothing to wait for, so the bookmark stays null",
  "a view other than of bytes is bound element by element, modulo 256": "the view's bytes are bound",
  "a DataView is bound as an empty BLOB": "the view's bytes are bound",
  "the infinities are NULL, in and out": "they stay numbers until JSON makes null of them",
  "a bigint is refused": "it is bound as a 64-bit integer",
  "a column may be named __proto__": "better-sqlite3 leaves it out of an object; raw() has it",
  "two names for parameters may differ in their first character only":
    "better-sqlite3 sees one name, so they are refused",
  "negative zero comes back as zero": "the sign is kept",
  "several statements in prepare() all run, and the last one answers": "SQL_MANY_STATEMENTS: use batch()",
  "a comment after the semicolon is a statement that is not there": "a comment is no statement",
  "a blank statement is left out of a batch": "SQL_NO_STATEMENT, so that answers match statements",
  "exec() counts lines and cannot take a statement over two": "it counts statements, whatever their lines",
  "more than a hundred parameters are refused": "SQLite's own limit of 32,766",
  "SQL over 100,000 bytes is refused": "limits of that kind are HTTP's",
  "SQLite's limits are small": "SQLite's own limits",
  "a quoted name that is no column is a string": "no such column: misspelt names are found",
  "VACUUM and reading about the file are refused":
    "VACUUM is, in other words; pragmas that only read are allowed",
};

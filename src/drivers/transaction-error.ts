// Owns the errors that every driver with transactions gives alike: what runs only in one, and what came too late.
// Does not know when they are thrown.
import { TenantryError } from "../tenantry-error.ts";
import { d1Error } from "./d1-error.ts";

/** The error for a `BEGIN` or `COMMIT` outside of `transaction()`, where others share the connection. */
export function noTransaction(): TenantryError {
  return d1Error(
    "SQL_REFUSED",
    "To execute a transaction, please use batch() or transaction() instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements.",
    { sqliteCode: "SQLITE_AUTH", hint: "batch() is atomic; transaction() is interactive." },
  );
}

/** The error for a write where only reads are allowed. */
export function readOnly(): TenantryError {
  return new TenantryError("READ_ONLY", "This statement writes, and only reading is allowed here.", {
    hint: "Use a token of scope write, or a write transaction.",
  });
}

/** The error for a transaction that took too long. */
export function timedOut(timeoutMs: number): TenantryError {
  return new TenantryError(
    "TRANSACTION_TIMEOUT",
    `The transaction was open for more than ${timeoutMs} ms and was rolled back.`,
    { hint: "Keep transactions short, or raise transactionTimeoutMs." },
  );
}

/** The error for a statement that comes after its transaction. */
export function hasEnded(): TenantryError {
  return new TenantryError("TRANSACTION_CLOSED", "The transaction has ended.", {
    hint: "Await every statement inside the function.",
  });
}

// Owns how a database says that it has nothing but statements and batches: no transactions that others' code runs in.
// Runs nothing.
import { TenantryError } from "../tenantry-error.ts";
import type { Handle } from "./driver.ts";

const SEND_TOGETHER = "Send the statements together: batch() is atomic.";

/**
 * What such a database answers to what it does not have.
 * @param whose in the plural, such as "Durable Objects"
 * @param instead of a snapshot, what to do
 */
export function batchOnly(
  whose: string,
  instead: string,
): Pick<Handle, "transaction" | "session" | "snapshot"> {
  const refuse = (what: string, hint: string) => async (): Promise<never> => {
    throw new TenantryError("UNSUPPORTED", `${whose} have no ${what}.`, { hint });
  };
  return {
    transaction: refuse("interactive transactions", SEND_TOGETHER),
    session: refuse("pinned connections", SEND_TOGETHER),
    snapshot: refuse("snapshots", instead),
  };
}

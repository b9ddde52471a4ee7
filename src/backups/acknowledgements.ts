// Owns when what was written to a tenant may be acknowledged: at once, or when the replica has it.
// Brings nothing there itself, and does not know who does.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import type { TenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import { BEING_COPIED } from "../tenants/acts.ts";
import { type Durability, isNoServer } from "./replication-gate.ts";
import { uploadMs } from "./time-limits.ts";

/** Milliseconds that an acknowledgement waits for the replica. */
export const DEFAULT_REPLICATED_TIMEOUT_MS = 5_000;

/** Says when what was written may be acknowledged. Each gives undefined where that is now. */
export interface Acknowledgements {
  /** Of a write. @throws {TenantryError} `NOT_REPLICATED` */
  write(record: TenantRecord): Promise<void> | undefined;
  /** Of all of a database: a large one is given its time. @throws {TenantryError} `NOT_REPLICATED` */
  whole(record: TenantRecord): Promise<void> | undefined;
}

/**
 * @param rule of tenants that have none of their own
 * @param bringOver brings what is committed of a tenant into the replica within so many milliseconds
 */
export function acknowledgements(
  rule: Durability | undefined,
  bringOver: (id: TenantId, timeoutMs: number) => Promise<unknown>,
): Acknowledgements {
  const within = ({ id, durability }: TenantRecord, timeoutMs: number): Promise<void> | undefined => {
    if ((durability ?? rule) !== "replicated") return undefined;
    return bringOver(id, timeoutMs).then(
      () => undefined,
      (error: unknown) => {
        throw notReplicated(id, timeoutMs, error);
      },
    );
  };
  return {
    // Whoever wrote before his tenant was suspended waits all the same.
    write: (record) => (isBeingCopied(record) ? undefined : within(record, DEFAULT_REPLICATED_TIMEOUT_MS)),
    // Nobody may have a suspended tenant's file open: what is done to it gets there when it is resumed. And one that
    // is away is there alone.
    whole: (record) =>
      record.state === "suspended" || record.awaySince !== null
        ? undefined
        : within(record, DEFAULT_REPLICATED_TIMEOUT_MS + uploadMs(record)),
  };
}

/** A copy is there when its last step, the resumption, is. */
function isBeingCopied({ state, reason }: TenantRecord): boolean {
  return state === "suspended" && reason === BEING_COPIED;
}

/** The error for what was written here, and of which nobody knows whether it is in the replica. */
function notReplicated(id: TenantId, timeoutMs: number, cause: unknown): TenantryError {
  const what = `What was written to "${id}" is committed here, and`;
  if (isNoServer(cause)) {
    return new TenantryError("NOT_REPLICATED", `${what} no server brings it into the replica.`, {
      tenant: id,
      hint: 'Do not do it again: it gets there when a server replicates the folder. See "tenantry backups status".',
      cause,
    });
  }
  return new TenantryError("NOT_REPLICATED", `${what} was not seen in the replica within ${timeoutMs} ms.`, {
    tenant: id,
    hint: 'Do not do it again: it will be in the replica when that can be reached. See "tenantry backups status".',
    cause,
  });
}

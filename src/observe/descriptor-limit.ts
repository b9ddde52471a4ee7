// Owns how many files this process may have open, and how many handles fit into that.
import { TenantryError } from "../tenantry-error.ts";

/** Descriptors left for the catalog, sockets, transactions, snapshots and Node itself. */
export const RESERVED_DESCRIPTORS = 256;

/** The soft limit of open files (`ulimit -n`); `Infinity` where the system has none. */
export function descriptorLimit(): number {
  // The types of Node 24 do not know this switch yet.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  const network = report.excludeNetwork;
  // Without it the report looks up the names of every peer.
  report.excludeNetwork = true;
  try {
    const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
    const soft = userLimits?.open_files?.soft;
    return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
  } finally {
    report.excludeNetwork = network;
  }
}

/** How many handles of that size fit; at least 1. */
export function handlesThatFit(limit: number, descriptorsPerHandle: number): number {
  if (descriptorsPerHandle === 0) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((limit - RESERVED_DESCRIPTORS) / descriptorsPerHandle));
}

/** @throws {TenantryError} `INVALID_OPTION` when `maxOpen` handles could run out of descriptors */
export function assertFits(maxOpen: number, limit: number, descriptorsPerHandle: number): void {
  const fitting = handlesThatFit(limit, descriptorsPerHandle);
  if (maxOpen <= fitting) return;
  throw new TenantryError(
    "INVALID_OPTION",
    `maxOpen ${maxOpen} needs ${maxOpen * descriptorsPerHandle + RESERVED_DESCRIPTORS} file descriptors, and the limit is ${limit}.`,
    { hint: `Raise the limit ("ulimit -n"), or set maxOpen to ${fitting} at most.` },
  );
}

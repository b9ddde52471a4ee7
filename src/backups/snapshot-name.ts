// Owns the names of snapshots: moments in UTC, which sort as text and are file names everywhere.
// Does not know where snapshots lie.
import { TenantryError } from "../tenantry-error.ts";

const NAME = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3}Z)$/;

/** `2026-11-22T10-00-00.000Z`. @param at milliseconds since 1970 */
export function snapshotName(at: number): string {
  return new Date(at).toISOString().replaceAll(":", "-");
}

/** The moment of a snapshot in milliseconds since 1970; undefined for what is no such name. */
export function snapshotMoment(name: string): number | undefined {
  const at = Date.parse(name.replace(NAME, "$1:$2:$3"));
  return Number.isNaN(at) || snapshotName(at) !== name ? undefined : at;
}

/** @throws {TenantryError} `INVALID_ARGUMENT` for what is no snapshot's name */
export function parseSnapshotName(name: string): string {
  if (snapshotMoment(name) !== undefined) return name;
  throw new TenantryError("INVALID_ARGUMENT", `${JSON.stringify(name.slice(0, 80))} is no snapshot's name.`, {
    hint: 'See them with "tenantry snapshot list"; they look like 2026-11-22T10-00-00.000Z.',
  });
}

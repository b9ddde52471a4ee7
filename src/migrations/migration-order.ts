// Owns the order of migrations: wrangler's own, so that both tools apply the same files in the same order.
// Does not read folders and does not judge names.

/**
 * Compares two names as `wrangler d1 migrations apply` sorts them: by path segment, each by its leading number
 * (a name without one comes last), then by code unit.
 */
export function compareMigrationNames(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  for (const [index, segment] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const difference = numberOf(segment) - numberOf(other);
    // Two names without a number give Infinity - Infinity, which is NaN: as equal as two equal numbers.
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
    if (segment !== other) return segment < other ? -1 : 1;
  }
  return left.length - right.length;
}

/** The digits that a migration's name begins with, without leading zeros; undefined where it has none. */
export function leadingDigits(name: string): string | undefined {
  return /^0*(\d+)/.exec(name)?.[1];
}

function numberOf(segment: string): number {
  const number = Number.parseInt(segment, 10);
  return Number.isNaN(number) ? Number.POSITIVE_INFINITY : number;
}

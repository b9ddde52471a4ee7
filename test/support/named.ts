// Owns how a test that needs what is not here says so.
// Does not know what it needs.

/** A test's name, with why it is skipped. */
export function named(name: string, missing: string | undefined): string {
  return missing === undefined ? name : `${name} (skipped: ${missing})`;
}

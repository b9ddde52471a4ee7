// Owns leaving out options that were not given, so that the defaults of whoever gets them hold.
// Knows no option.

/** `values` without those that are undefined. */
export function givenOptions<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

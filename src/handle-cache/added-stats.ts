// Owns how the figures of several handle caches become those of one.
// Counts nothing itself.
import type { HandleCacheStats } from "./handles.ts";

/** The figures of two caches together. */
export function addedStats(a: HandleCacheStats, b: HandleCacheStats): HandleCacheStats {
  const sums = Object.entries(a).map(([name, value]) => [name, value + b[name as keyof HandleCacheStats]]);
  return Object.fromEntries(sums) as unknown as HandleCacheStats;
}

// Owns what is made of measurements: medians, ratios with their spread, and whether a target is met.
// Measures nothing, and prints only through the lines that it returns.

/** What a figure is to be; nothing where it is only for information. */
export type Target = { readonly atLeast: number } | { readonly atMost: number } | undefined;

/** A finding beside its target. */
export interface Finding {
  readonly name: string;
  /** What was measured, in words. */
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

/** What one turn of each side gave. */
export interface Pair {
  readonly bare: number;
  readonly ours: number;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which a share `q` of `values` lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/**
 * The median of the turns' own ratios, ours to bare: neighbours on the machine disturb both halves of a turn
 * alike. The spread is from the least to the greatest.
 */
export function ratioOf(pairs: readonly Pair[]): { ratio: number; least: number; greatest: number } {
  const ratios = pairs.map(({ bare, ours }) => ours / bare);
  return { ratio: median(ratios), least: Math.min(...ratios), greatest: Math.max(...ratios) };
}

/** A finding about ours in relation to the bare thing. */
export function ratioFinding(
  name: string,
  pairs: readonly Pair[],
  target: Target,
  show: (value: number) => string,
): Finding {
  const { ratio, least, greatest } = ratioOf(pairs);
  const bare = median(pairs.map((pair) => pair.bare));
  const ours = median(pairs.map((pair) => pair.ours));
  return {
    name,
    measured: `${times(ratio)} (${least.toFixed(2)} to ${greatest.toFixed(2)}): ${show(ours)} beside ${show(bare)}`,
    ...judged(ratio, target, times),
  };
}

/** A finding about a figure that stands for itself. */
export function figureFinding(
  name: string,
  value: number,
  target: Target,
  show: (value: number) => string,
): Finding {
  return { name, measured: show(value), ...judged(value, target, show) };
}

function judged(
  value: number,
  target: Target,
  show: (value: number) => string,
): { target: string; met: boolean } {
  if (target === undefined) return { target: "", met: true };
  return "atLeast" in target
    ? { target: `at least ${show(target.atLeast)}`, met: value >= target.atLeast }
    : { target: `at most ${show(target.atMost)}`, met: value <= target.atMost };
}

export const times = (value: number): string => `${value.toFixed(2)} ×`;
export const perSecond = (value: number): string => `${Math.round(value).toLocaleString("en")}/s`;
export const micros = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} µs`;
export const milliseconds = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
export const seconds = (value: number): string => `${value.toFixed(2)} s`;
export const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(0)} MB`;

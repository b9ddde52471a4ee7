// Owns measuring two sides in many short turns, so that what else the machine does disturbs both alike.
// Knows nothing of what they do.
import type { Pair } from "./figures.ts";

/** Does some of the work and says how much it was. */
export type Turn = () => Promise<number>;

/**
 * How much each side does in a second, of about `seconds` each: bare, ours, ours, bare, and so on, as whoever comes
 * second may find the machine warmer.
 */
export async function turnAbout(
  sides: { readonly bare: Turn; readonly ours: Turn },
  seconds: number,
): Promise<Pair> {
  const spent = { bare: 0, ours: 0 };
  const done = { bare: 0, ours: 0 };
  while (spent.bare < seconds * 1000 || spent.ours < seconds * 1000) {
    for (const side of ["bare", "ours", "ours", "bare"] as const) {
      const started = performance.now();
      done[side] += await sides[side]();
      spent[side] += performance.now() - started;
    }
  }
  return { bare: (done.bare * 1000) / spent.bare, ours: (done.ours * 1000) / spent.ours };
}

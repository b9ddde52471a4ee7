// Owns what an object keeps of work that is done once: its results by a key, in the transaction that did it, beside
// the SQL where no statement reaches. Runs no SQL, and knows no HTTP.
import type { OnceKey } from "../driver.ts";
import { fromD1 } from "../d1-sql-error.ts";
import { onceMismatch } from "../once-mismatch.ts";
import type { RawResult } from "./object-sql.ts";
import type { ObjectStorage } from "./object-storage.ts";

/** Bytes of results that are kept, as an answer's size is counted: the runtime takes 2 MB, of two a character. */
export const MAX_KEPT_BYTES = 900_000;

/** What is removed with each that is kept, when its time is over. */
const REMOVED_AT_ONCE = 10;

const BY_KEY = "once:";
/** In the order of time: thirteen digits, which last until the year 2286. */
const BY_TIME = "once-at:";

interface Kept {
  readonly request: string;
  readonly until: number;
  readonly results: readonly RawResult[];
}

/** The results that were kept, the first of them marked; undefined for work that is yet to be done. */
export function keptResults(storage: ObjectStorage, { key, request }: OnceKey): RawResult[] | undefined {
  const kept = storage.kv.get<Kept>(BY_KEY + key);
  if (kept === undefined || kept.until < Date.now()) return undefined;
  if (kept.request !== request) throw onceMismatch();
  return kept.results.map((result, at) => (at === 0 ? { ...result, replayed: true } : result));
}

/** Keeps results. Call it within the transaction of the work. */
export function keepResults(
  storage: ObjectStorage,
  { key, request, keptMs }: OnceKey,
  results: readonly RawResult[],
): void {
  const until = Date.now() + keptMs;
  try {
    storage.kv.put(BY_KEY + key, { request, until, results } satisfies Kept);
    storage.kv.put(`${BY_TIME}${timeOf(until)}:${key}`, key);
  } catch (error) {
    throw fromD1(error);
  }
  // All of them first: what is read from is not to be changed meanwhile.
  const over = Array.from(
    storage.kv.list<string>({
      prefix: BY_TIME,
      end: BY_TIME + timeOf(Date.now()),
      limit: REMOVED_AT_ONCE,
    }),
  );
  for (const [place, old] of over) {
    storage.kv.delete(place);
    // The same key may have been kept anew since.
    const kept = storage.kv.get<Kept>(BY_KEY + old);
    if (kept !== undefined && kept.until < Date.now()) storage.kv.delete(BY_KEY + old);
  }
}

function timeOf(ms: number): string {
  return String(ms).padStart(13, "0");
}

// Owns writing what comes in over the network to a new file, and giving up on what has stopped coming.
// Does not know from where it comes.
import { open, rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { rethrowAsOurs } from "../drivers/local/database-file.ts";

/** Milliseconds without a byte after which a transfer is given up. */
const QUIET_MS = 60_000;

/** Ends what nothing happens to any more. */
export interface QuietLimit extends Disposable {
  readonly signal: AbortSignal;
  /** Something has happened. */
  readonly refresh: () => void;
}

/** Begins to count. */
export function quietLimit(ms = QUIET_MS): QuietLimit {
  const end = new AbortController();
  const late = new Error(`nothing has come or gone for ${ms / 1000} s`);
  const timer = setTimeout(() => end.abort(late), ms);
  return {
    signal: end.signal,
    refresh: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

/**
 * Writes `from` to a new file at `to`. Of one that breaks off nothing is left.
 * @param failed the error where it breaks off, made of what broke it
 */
export async function receiveFile(
  from: Readable,
  to: string,
  limit: QuietLimit,
  failed: (error: unknown) => Error,
): Promise<void> {
  // What breaks off before it is read throws when it is; until then nobody would hear it.
  from.on("error", () => {});
  const file = await open(to, "wx").catch((error: unknown) => {
    from.destroy();
    rethrowAsOurs(error);
  });
  const coming = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of from as AsyncIterable<Uint8Array>) {
        limit.refresh();
        yield bytes;
      }
    } catch (error) {
      throw failed(limit.signal.aborted ? limit.signal.reason : error);
    }
  };
  try {
    await pipeline(coming, file.createWriteStream());
  } catch (error) {
    await rm(to, { force: true });
    rethrowAsOurs(error);
  }
}

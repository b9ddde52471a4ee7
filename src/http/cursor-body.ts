// Owns a cursor's entries as the lines of a body that is made while it is read.
// Runs no batch: batch-cursor.ts does.
import type { EntryReader } from "../hrana/hosted-stream.ts";
import { hranaError } from "../hrana/hrana-error.ts";
import type { TenantryError } from "../tenantry-error.ts";

/** How a body begins and ends. */
export interface CursorBodyOptions {
  /** What comes before the cursor's own lines. */
  readonly before: string;
  /** What comes after them, where the batch came to its end. */
  readonly after?: () => string;
  /** The error as the reader is to be shown it. */
  readonly shown: (error: unknown) => TenantryError;
}

/** The lines of a cursor, read as they are taken; who cancels the body ends the batch. */
export function cursorBody(
  cursor: EntryReader,
  { before, after = () => "", shown }: CursorBodyOptions,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let cancelled = false;
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(before));
    },
    async pull(controller) {
      try {
        const entries = await cursor.next();
        if (cancelled) return;
        if (entries) return controller.enqueue(encoder.encode(linesOf(entries)));
        const end = after();
        if (end !== "") controller.enqueue(encoder.encode(end));
      } catch (error) {
        if (cancelled) return;
        // The body has begun: its status cannot say it any more.
        const entry = JSON.stringify({ type: "error", error: hranaError(shown(error)) });
        controller.enqueue(encoder.encode(linesOf([entry])));
      }
      controller.close();
    },
    cancel: () => {
      cancelled = true;
      cursor.close();
    },
  });
}

/** Entries as lines. */
export function linesOf(entries: readonly string[]): string {
  return entries.length === 0 ? "" : `${entries.join("\n")}\n`;
}

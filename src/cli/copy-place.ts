// Owns what a copy needs of a place outside of the data folder: to be written to as a whole, and to be read.
// Knows no place.
import type { CopyProgress, CopyReport } from "../copy/copy-database.ts";
import type { CopySource } from "../copy/copy-end.ts";
import type { Handle } from "../drivers/driver.ts";

/** A database outside of the data folder. */
export interface CopyPlace {
  /** Copies `source` there. */
  receive(
    source: CopySource & { readonly handle?: Handle },
    onProgress: (progress: CopyProgress) => void,
  ): Promise<CopyReport>;
  /** Calls `fn` with what is there. */
  read<T>(fn: (source: CopySource & { readonly handle?: Handle }) => Promise<T>): Promise<T>;
}

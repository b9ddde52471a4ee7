// Owns handles that count themselves, for tests of the cache, which keeps anything that can be closed.
// Knows nothing of databases.
import type { Closable } from "../../src/handle-cache/handles.ts";

/** A handle that remembers whether it is open. */
export interface CountingHandle extends Closable {
  readonly key: string;
  readonly open: boolean;
}

/** Makes handles, and says at once when a key has two of them or more are open than `maxOpen`. */
export class CountingHandles {
  /** The keys of the handles that are open now, in the order in which they were opened. */
  readonly openKeys: string[] = [];
  opened = 0;
  closed = 0;
  readonly #maxOpen: number;
  /** Whether `close()` of a key rejects. */
  readonly failing = new Set<string>();

  constructor(maxOpen = Number.POSITIVE_INFINITY) {
    this.#maxOpen = maxOpen;
  }

  /** An `open` for the cache: it takes a turn of the event loop, and so does the handle's `close()`. */
  readonly opener = (key: string) => async (): Promise<CountingHandle> => {
    if (this.openKeys.includes(key)) throw new Error(`${key} has a handle already`);
    if (this.openKeys.length >= this.#maxOpen) throw new Error(`more than ${this.#maxOpen} handles`);
    this.openKeys.push(key);
    this.opened++;
    await turn();
    let open = true;
    return {
      key,
      get open() {
        return open;
      },
      close: async () => {
        if (!open) throw new Error(`${key} was closed twice`);
        open = false;
        await turn();
        this.openKeys.splice(this.openKeys.indexOf(key), 1);
        this.closed++;
        if (this.failing.has(key)) throw new Error(`${key} does not close well`);
      },
    };
  };
}

/** A turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Returns once `condition` holds; the test's own time limit ends a vain wait. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await turn();
}

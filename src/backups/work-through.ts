// Owns working through many things a few at a time, on past failures, until there are no more or it is stopped.
// Does not know what the things are.

/** Options of {@link workThrough}. */
export interface WorkThroughOptions<T> {
  /** How many are worked on at once, at least 1. */
  readonly concurrency: number;
  readonly work: (item: T) => Promise<void>;
  /** Stops after those under way. */
  readonly signal?: AbortSignal | undefined;
}

/** Works through `items`. @throws what `work` throws, once nothing runs any more */
export async function workThrough<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { concurrency, work, signal }: WorkThroughOptions<T>,
): Promise<void> {
  const queue = (async function* () {
    yield* items;
  })();
  let stopped = false;
  const workers = Array.from({ length: concurrency }, async () => {
    for (;;) {
      if (stopped || signal?.aborted) return;
      const next = await queue.next();
      if (next.done) return;
      await work(next.value);
    }
  });
  try {
    await Promise.all(workers);
  } finally {
    stopped = true;
    await Promise.allSettled(workers);
  }
}

// Owns waiting for a while, and giving up in time.
// Does not know what is waited for.

/** Bytes that a replica is expected to take in a millisecond, at the least. */
const UPLOAD_BYTES_PER_MS = 2_000;

/** Milliseconds that a replica gets for a whole database, beyond what it gets for a write. */
export function uploadMs({ sizeBytes }: { readonly sizeBytes: number }): number {
  return Math.ceil(sizeBytes / UPLOAD_BYTES_PER_MS);
}

/** Fulfils after `ms`. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** What `work` gives. @throws where it takes longer than `ms`; it goes on then, and nobody hears of it */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("The replica did not answer in time.")), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

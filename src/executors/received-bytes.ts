// Owns bytes from when a socket brings them until somebody takes as many of them as belong together, and gives the
// memory of what was taken back. Does not know what they say.
import { freeBytes } from "../free-bytes.ts";

/** Bytes that have come, in their order. */
export class ReceivedBytes {
  readonly #chunks: Buffer[] = [];
  /** How much of the first chunk has been taken. */
  #at = 0;
  /** Whether somebody keeps a part of it. */
  #kept = false;
  #length = 0;

  /** Bytes that are here. */
  get length(): number {
    return this.#length;
  }

  /** Takes over a chunk that is nobody else's. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.byteLength;
  }

  /** The next bytes, to be read before anything else is asked of this. @param count at most {@link length} */
  borrow(count: number): Buffer {
    const bytes = this.#withinFirst(count);
    return bytes ?? this.#gathered(count);
  }

  /** The next bytes, for good. @param count at most {@link length} */
  take(count: number): Buffer {
    const bytes = this.#withinFirst(count);
    if (bytes) this.#kept = true;
    return bytes ?? this.#gathered(count);
  }

  #withinFirst(count: number): Buffer | undefined {
    this.#leaveFirst();
    const first = this.#chunks[0];
    if (!first || first.byteLength - this.#at < count) return undefined;
    this.#length -= count;
    return first.subarray(this.#at, (this.#at += count));
  }

  #gathered(count: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(count);
    this.#length -= count;
    for (let filled = 0; filled < count;) {
      this.#leaveFirst();
      const copied = this.#chunks[0]!.copy(bytes, filled, this.#at);
      this.#at += copied;
      filled += copied;
    }
    return bytes;
  }

  /** Lets the first chunk go, if all of it has been taken. */
  #leaveFirst(): void {
    const first = this.#chunks[0];
    if (!first || this.#at < first.byteLength) return;
    this.#chunks.shift();
    if (!this.#kept) freeBytes(first);
    this.#kept = false;
    this.#at = 0;
  }
}

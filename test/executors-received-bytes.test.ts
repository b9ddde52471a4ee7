// Bytes that have come are taken in any lengths, stay as long as somebody keeps them, and give their memory back
// where nobody does.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ReceivedBytes } from "../src/executors/received-bytes.ts";

/** A chunk as a socket gives it: with its memory to itself. */
function chunkOf(bytes: Uint8Array): Buffer {
  const chunk = Buffer.allocUnsafeSlow(bytes.byteLength);
  chunk.set(bytes);
  return chunk;
}

test("what is taken is what came, however it is cut, and stays", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.boolean()), { maxLength: 20 }),
      (sizes, takes) => {
        const all = Buffer.from(sizes.flatMap((size, index) => Array(size).fill(index * 7 + (size % 5))));
        const received = new ReceivedBytes();
        let end = 0;
        for (const size of sizes) received.push(chunkOf(all.subarray(end, (end += size))));
        let at = 0;
        const kept: [Buffer, Buffer][] = [];
        for (const [count, keeps] of takes) {
          if (count > received.length) break;
          const expected = all.subarray(at, (at += count));
          if (keeps) kept.push([received.take(count), expected]);
          else expect(received.borrow(count).equals(expected)).toBe(true);
          expect(received.length).toBe(all.byteLength - at);
        }
        for (const [bytes, expected] of kept) expect(bytes.equals(expected)).toBe(true);
      },
    ),
  );
});

test("a chunk of which nobody keeps anything gives its memory back, another does not", () => {
  const received = new ReceivedBytes();
  const [borrowed, kept, last] = [1, 2, 3].map((byte) => chunkOf(Buffer.alloc(8_192, byte)));
  for (const chunk of [borrowed!, kept!, last!]) received.push(chunk);
  received.borrow(8_192);
  const part = received.take(100);
  expect(borrowed!.byteLength).toBe(0);
  // The rest of one, and some of the next.
  const across = received.take(8_192);
  received.borrow(received.length);
  expect(kept!.byteLength).toBe(8_192);
  expect(part.equals(Buffer.alloc(100, 2))).toBe(true);
  expect(across.equals(Buffer.concat([Buffer.alloc(8_092, 2), Buffer.alloc(100, 3)]))).toBe(true);
  received.push(chunkOf(Buffer.alloc(1)));
  received.borrow(1);
  expect(last!.byteLength).toBe(0);
});

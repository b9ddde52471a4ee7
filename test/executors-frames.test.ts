// What travels between the processes: the same frames however the bytes are cut.
import { PassThrough } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader, FrameWriter } from "../src/executors/frames.ts";

interface Frame {
  readonly header: unknown;
  readonly body: string | Uint8Array;
}

/** The bytes of frames, as a writer makes them. */
async function written(frames: readonly Frame[], later: boolean): Promise<Buffer> {
  const socket = new PassThrough({ highWaterMark: 2 ** 30 });
  const writer = new FrameWriter(socket);
  for (const { header, body } of frames) writer.send(header, body, later);
  writer.flush();
  socket.end();
  return Buffer.concat(await socket.toArray());
}

/** What a reader makes of chunks. */
function read(chunks: readonly Buffer[]): { header: unknown; body: Buffer }[] {
  const frames: { header: unknown; body: Buffer }[] = [];
  const reader = new FrameReader((header, body) => frames.push({ header, body: Buffer.from(body) }));
  for (const chunk of chunks) reader.push(chunk);
  return frames;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [
    0,
    ...places.map((place) => place % (bytes.byteLength + 1)).toSorted((a, b) => a - b),
    bytes.byteLength,
  ];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const frame = fc.record({
  header: fc.jsonValue({ maxDepth: 2 }),
  body: fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array({ maxLength: 300 })),
});

test("frames come out as they went in, however the stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.boolean(),
      async (frames, places, later) => {
        const bytes = await written(frames, later);
        const expected = frames.map(({ header, body }) => ({
          header: JSON.parse(JSON.stringify(header)) as unknown,
          body: Buffer.from(body as Uint8Array),
        }));
        expect(read(cut(bytes, places))).toEqual(expected);
      },
    ),
  );
});

test("byte by byte", async () => {
  const bytes = await written(
    [
      { header: ["ü", 1], body: "😀 größer" },
      { header: [], body: "" },
    ],
    true,
  );
  expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual([
    { header: ["ü", 1], body: Buffer.from("😀 größer") },
    { header: [], body: Buffer.alloc(0) },
  ]);
});

test("a frame of many megabytes arrives whole, and what follows it", async () => {
  const big = Buffer.alloc(24 * 1024 * 1024, "0123456789abcdef");
  const bytes = await written(
    [
      { header: ["big"], body: big },
      { header: ["next"], body: "x" },
    ],
    true,
  );
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; at += 65_536) chunks.push(bytes.subarray(at, at + 65_536));
  const [first, second] = read(chunks);
  expect(first!.body.equals(big)).toBe(true);
  expect(second).toEqual({ header: ["next"], body: Buffer.from("x") });
});

test("frames of one turn leave in one write", async () => {
  const writes: Buffer[] = [];
  const socket = new PassThrough();
  socket.on("data", (chunk: Buffer) => writes.push(chunk));
  const writer = new FrameWriter(socket);
  for (let n = 0; n < 50; n++) writer.send(["job", n], "body", true);
  expect(writes).toEqual([]);
  await new Promise((resolve) => void setImmediate(resolve));
  await new Promise((resolve) => void setImmediate(resolve));
  expect(writes).toHaveLength(1);
  expect(read(writes)).toHaveLength(50);
});

test("a writer whose socket is gone writes nothing and throws nothing", () => {
  const socket = new PassThrough();
  const writer = new FrameWriter(socket);
  socket.destroy();
  writer.send(["late"], "x", false);
  const ended = new PassThrough();
  const other = new FrameWriter(ended);
  ended.end();
  other.send(["late"], "x", false);
});

// What travels between the processes: the same messages however the bytes are cut, and in packets that wait for
// each other.
import { Duplex, duplexPair } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Channel, FULL_PACKET, type MessageBody, PACKET_MESSAGES } from "../src/executors/channel.ts";
import { until } from "./support/counting-handles.ts";

interface Sent {
  readonly message: unknown;
  readonly body: MessageBody;
}

/** A socket that keeps what is written, one entry for each write. */
function sink(): { socket: Duplex; writes: Buffer[] } {
  const writes: Buffer[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk);
      done();
    },
  });
  return { socket, writes };
}

/** The bytes of one packet with these messages. */
function packetOf(sent: readonly Sent[]): Buffer {
  const { socket, writes } = sink();
  const channel = new Channel<unknown, unknown>(socket, { side: "answer", onMessage: () => {} });
  for (const { message, body } of sent) channel.send(message, body);
  channel.flush();
  return Buffer.concat(writes);
}

/** What comes of chunks. */
async function heard(chunks: readonly Buffer[], count: number): Promise<Sent[]> {
  const messages: Sent[] = [];
  const { socket } = sink();
  const reader = new Channel<unknown, unknown>(socket, {
    side: "ask",
    onMessage: (message, body) => messages.push({ message, body }),
  });
  for (const chunk of chunks) socket.push(chunk);
  await until(() => messages.length === count);
  expect(reader.unsent).toEqual([]);
  return messages;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [
    0,
    ...places.map((place) => place % (bytes.byteLength + 1)).toSorted((a, b) => a - b),
    bytes.byteLength,
  ];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const sent = fc.record({
  message: fc.jsonValue({ maxDepth: 2 }),
  body: fc.oneof(
    fc.string({ unit: "binary" }),
    // Halves of surrogate pairs, which no UTF-8 has.
    fc.array(fc.constantFrom("\ud83d", "\ude00", "x")).map((halves) => halves.join("")),
    fc.uint8Array({ maxLength: 300 }),
  ),
});

test("messages come out as they went in, however the stream is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(sent, { maxLength: 12 }), { maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      async (packets, places) => {
        const bytes = Buffer.concat(packets.map((messages) => packetOf(messages)));
        const all = packets.flat();
        const out = await heard(cut(bytes, places), all.length);
        for (const [index, { message, body }] of all.entries()) {
          expect(out[index]!.message).toEqual(JSON.parse(JSON.stringify(message)));
          expect(typeof out[index]!.body).toBe(typeof body);
          expect(utf8(out[index]!.body).equals(utf8(body))).toBe(true);
        }
      },
    ),
  );
});

function utf8(body: MessageBody): Buffer {
  return Buffer.from(body as string);
}

test("byte by byte", async () => {
  const messages = [
    { message: ["ü", 1], body: "😀 größer" },
    { message: [], body: "" },
  ];
  const chunks = [...packetOf(messages)].map((byte) => Buffer.from([byte]));
  expect(await heard(chunks, 2)).toEqual(messages);
});

test("a body of many megabytes arrives whole, and what follows it", async () => {
  const big = Buffer.alloc(24 * 1024 * 1024, "0123456789abcdef");
  const bytes = packetOf([
    { message: ["big"], body: big },
    { message: ["next"], body: "x" },
  ]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.byteLength; at += 65_536) chunks.push(bytes.subarray(at, at + 65_536));
  const [first, second] = await heard(chunks, 2);
  expect(big.equals(first!.body as Uint8Array)).toBe(true);
  expect(second).toEqual({ message: ["next"], body: "x" });
});

test("the first question leaves at once, those that follow wait for each other until it has been received", async () => {
  const [near, far] = duplexPair();
  const writes: number[] = [];
  const write = near.write.bind(near);
  near.write = ((chunk: Buffer) => {
    writes.push(chunk.byteLength);
    return write(chunk);
  }) as typeof near.write;
  const asks = new Channel<number, number>(near, { side: "ask", onMessage: () => {} });
  for (let n = 0; n < PACKET_MESSAGES; n++) asks.send(n, "body");
  expect(writes).toHaveLength(1);
  expect(asks.unsent).toEqual(Array.from({ length: PACKET_MESSAGES - 1 }, (_, index) => index + 1));

  const questions: number[] = [];
  const answers = new Channel<number, number>(far, { side: "answer", onMessage: (n) => questions.push(n) });
  await until(() => questions.length === PACKET_MESSAGES);
  expect(questions).toEqual(Array.from({ length: PACKET_MESSAGES }, (_, n) => n));
  expect(writes).toHaveLength(2);
  expect(asks.unsent).toEqual([]);

  asks.send(100);
  await until(() => questions.length === PACKET_MESSAGES + 1);
  expect(answers.unsent).toEqual([]);
});

test("of many questions a full packet follows the first, and the others when those have been received", async () => {
  const [near, far] = duplexPair();
  const asks = new Channel<number, number>(near, { side: "ask", onMessage: () => {} });
  for (let n = 0; n < 100; n++) asks.send(n);
  expect(asks.unsent).toHaveLength(100 - 1 - PACKET_MESSAGES);
  const questions: number[] = [];
  const answers = new Channel<number, number>(far, { side: "answer", onMessage: (n) => questions.push(n) });
  await until(() => questions.length === 100);
  expect(questions).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect([...asks.unsent, ...answers.unsent]).toEqual([]);
});

test("an urgent question does not wait for the first to be received, and takes those before it along; the next one waits", () => {
  const { socket, writes } = sink();
  const asks = new Channel<number, number>(socket, { side: "ask", onMessage: () => {} });
  asks.send(1);
  asks.send(2);
  asks.send(3, "", true);
  expect(writes).toHaveLength(2);
  expect(asks.unsent).toEqual([]);
  asks.send(4, "", true);
  expect(asks.unsent).toEqual([4]);
});

test("more than one packet should hold leaves in several, each with its own bodies", async () => {
  const [near, far] = duplexPair();
  const asks = new Channel<number, number>(near, { side: "ask", onMessage: () => {} });
  const bodies = Array.from({ length: 12 }, (_, n) => String(n % 10).repeat(FULL_PACKET / 3));
  const all = [
    ...bodies,
    Buffer.alloc(FULL_PACKET, "b"),
    "small",
    Buffer.from("bytes"),
    "x".repeat(FULL_PACKET * 2),
  ];
  for (const [n, body] of all.entries()) asks.send(n, body);
  const heardBack: Sent[] = [];
  const answering = new Channel<number, number>(far, {
    side: "answer",
    onMessage: (message, body) => heardBack.push({ message, body }),
  });
  await until(() => heardBack.length === all.length);
  for (const [n, { message, body }] of heardBack.entries()) {
    expect(message).toBe(n);
    expect(utf8(body).equals(utf8(all[n]!))).toBe(true);
  }
  expect(asks.unsent).toEqual([]);
  expect(answering.unsent).toEqual([]);

  const { socket, writes } = sink();
  const answers = new Channel<number, number>(socket, { side: "answer", onMessage: () => {} });
  for (const [n, body] of all.entries()) answers.send(n, body);
  answers.flush();
  expect(writes.length).toBeGreaterThan(4);
  const out = await heard(writes, all.length);
  expect(out.map(({ body }) => body.length)).toEqual(all.map((body) => body.length));
});

test("answers of one turn leave in one write", async () => {
  const { socket, writes } = sink();
  const answers = new Channel<unknown, unknown>(socket, { side: "answer", onMessage: () => {} });
  for (let n = 0; n < 50; n++) {
    answers.send(["job", n], "body");
    answers.flushLater();
  }
  expect(writes).toEqual([]);
  await until(() => writes.length > 0);
  expect(writes).toHaveLength(1);
  expect(await heard(writes, 50)).toHaveLength(50);
});

test("a channel whose socket is gone writes nothing and throws nothing", () => {
  for (const end of ["destroy", "end"] as const) {
    for (const side of ["ask", "answer"] as const) {
      const { socket, writes } = sink();
      const channel = new Channel<unknown, unknown>(socket, { side, onMessage: () => {} });
      socket[end]();
      channel.send(["late"], "x");
      channel.flush();
      expect(writes).toEqual([]);
    }
  }
});

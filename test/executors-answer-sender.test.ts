// Large answers leave no faster than they are taken.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ANSWER_WINDOW_BYTES, AnswerSender } from "../src/executors/answer-sender.ts";
import type { Say } from "../src/executors/messages.ts";
import { turn, until } from "./support/counting-handles.ts";

/** A sender, what it said, and how many bytes of each answer that were. */
function sender(): {
  answers: AnswerSender;
  said: { message: Say; body: string | Uint8Array }[];
  sent: (job: number) => Buffer;
} {
  const said: { message: Say; body: string | Uint8Array }[] = [];
  const answers = new AnswerSender((message, body) => said.push({ message, body }));
  const sent = (job: number): Buffer =>
    Buffer.concat(
      said.filter(({ message }) => message[1] === job).map(({ body }) => Buffer.from(body as string)),
    );
  return { answers, said, sent };
}

test("a small answer leaves as one frame", async () => {
  const { answers, said } = sender();
  await answers.send(7, { status: 201, headers: { a: "b" }, body: "hello" });
  expect(said).toEqual([{ message: ["http", 7, 201, { a: "b" }, true], body: "hello" }]);
});

test("a large answer says its length, waits when its window is used up, and ends with its last chunk", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 70_000, max: 6 * ANSWER_WINDOW_BYTES }),
      fc.array(fc.integer({ min: 80_000, max: 1_200_000 }), { minLength: 1, maxLength: 5 }),
      async (length, takes) => {
        const { answers, said, sent } = sender();
        const body = Buffer.alloc(length, "0123456789");
        const sending = answers.send(1, { status: 200, headers: {}, body });
        let taken = 0;
        for (let n = 0; sent(1).byteLength < length; n++) {
          await turn();
          const unasked = sent(1).byteLength - taken;
          expect(unasked).toBeLessThanOrEqual(ANSWER_WINDOW_BYTES);
          const bytes = Math.min(takes[n % takes.length]!, unasked);
          taken += bytes;
          if (bytes > 0) answers.more(1, bytes);
        }
        await sending;
        expect(sent(1).equals(body)).toBe(true);
        expect(said[0]!.message).toEqual(["http", 1, 200, { "content-length": String(length) }, false]);
        expect(said.slice(1).map(({ message }) => message[2])).toEqual([
          ...said.slice(2).map(() => false),
          true,
        ]);
      },
    ),
    { numRuns: 30 },
  );
});

test("what nobody takes is not sent, and is dropped when its receiver goes", async () => {
  const { answers, sent } = sender();
  const sending = answers.send(1, { status: 200, headers: {}, body: "ü".repeat(1_000_000) });
  await until(() => sent(1).byteLength === ANSWER_WINDOW_BYTES);
  await turn();
  expect(sent(1).byteLength).toBe(ANSWER_WINDOW_BYTES);
  answers.forget(1);
  await sending;
  expect(sent(1).byteLength).toBe(ANSWER_WINDOW_BYTES);
  // Words about answers that are over are no mistake.
  answers.more(1, 100);
  answers.forget(1);
});

test("answers do not wait for each other", async () => {
  const { answers, sent } = sender();
  void answers.send(1, { status: 200, headers: {}, body: Buffer.alloc(2 * ANSWER_WINDOW_BYTES) });
  const other = answers.send(2, { status: 200, headers: {}, body: Buffer.alloc(200_000) });
  await other;
  expect(sent(2).byteLength).toBe(200_000);
});

// How many bytes of requests' bodies a server takes into memory at once.
import { expect, test } from "vitest";
import { BodyBudget } from "../src/http/body-budget.ts";
import { runningServer } from "./support/running-server.ts";

test("one tenant has a quarter, or one larger body; all together have all", () => {
  const budget = new BodyBudget(100);
  const first = budget.begin("acme");
  first.take(30);
  const second = budget.begin("acme");
  expect(() => second.take(1)).toThrow(expect.objectContaining({ code: "OVERLOADED", tenant: "acme" }));
  first.end();
  second.take(20);
  const others = ["a", "b", "c"].map((tenant) => {
    const body = budget.begin(tenant);
    body.take(26);
    return body;
  });
  expect(() => budget.begin("d").take(3)).toThrow(/The server/);
  expect(() => second.take(3)).toThrow(/The server/);
  for (const body of [second, ...others]) {
    body.end();
    body.end();
  }
  expect(budget.bytes).toBe(0);
});

test("large bodies beyond that are refused while those before them wait, and taken afterwards", async () => {
  const app = { maxBodyBytes: 48 * 1024 * 1024 };
  const server = await runningServer({ executors: { executors: 1, app }, app });
  const text = "x".repeat(40 * 1024 * 1024);
  const insert = (): Promise<{ status: number; body: { code: string } }> =>
    server.query("acme", "SELECT length(?)", [text]);
  const answers = await Promise.all(Array.from({ length: 4 }, insert));
  const refused = answers.filter(({ status }) => status === 503);
  for (const { body } of refused) expect(body).toMatchObject({ code: "OVERLOADED" });
  expect(answers.some(({ status }) => status === 200)).toBe(true);
  expect((await insert()).status).toBe(200);
});

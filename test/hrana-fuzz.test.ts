// Owns that no JSON makes Hrana's routes crash, leak or answer anything that is not of the protocol.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { rowText } from "../src/hrana/result-text.ts";
import { bodyOf } from "../src/hrana/json-text.ts";
import { ResultRows } from "../src/hrana/row-writer.ts";
import { decodeValue, valueText } from "../src/hrana/value.ts";
import { runningServer } from "./support/running-server.ts";

const sql = fc.constantFrom(
  "SELECT 1",
  "BEGIN",
  "BEGIN IMMEDIATE",
  "COMMIT",
  "ROLLBACK",
  "SAVEPOINT a",
  "RELEASE a",
  "INSERT INTO customers (name) VALUES (?)",
  "INSERT INTO customers (id, name) VALUES (1, :a) RETURNING *",
  "SELECT ?2, :a FROM customers",
  "PRAGMA foreign_keys = off",
  "SELEC",
  "",
  "SELECT 1; SELECT 2",
);
const sqlId = fc.integer({ min: -1, max: 2 });
const value = fc.oneof(
  fc.constant({ type: "null" }),
  fc.record({
    type: fc.constant("integer"),
    value: fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  }),
  fc.record({ type: fc.constant("float"), value: fc.double() }),
  fc.record({ type: fc.constant("text"), value: fc.string({ unit: "binary" }) }),
  fc.record({ type: fc.constant("blob"), base64: fc.oneof(fc.base64String(), fc.string()) }),
  fc.anything(),
);
const text = fc.oneof(
  { arbitrary: fc.record({ sql }), weight: 5 },
  fc.record({ sql_id: sqlId }),
  fc.record({ sql, sql_id: sqlId }),
);
const stmt = fc
  .tuple(
    text,
    fc.record(
      {
        args: fc.array(value, { maxLength: 3 }),
        named_args: fc.array(fc.record({ name: fc.constantFrom("a", ":a", "?2", ""), value }), {
          maxLength: 2,
        }),
        want_rows: fc.oneof(fc.boolean(), fc.anything()),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([one, other]) => ({ ...other, ...one }));
const { cond } = fc.letrec((tie) => ({
  cond: fc.oneof(
    { depthSize: "small" },
    fc.constant({ type: "is_autocommit" }),
    fc.record({ type: fc.constantFrom("ok", "error"), step: fc.integer({ min: -1, max: 3 }) }),
    fc.record({ type: fc.constant("not"), cond: tie("cond") }),
    fc.record({ type: fc.constantFrom("and", "or"), conds: fc.array(tie("cond"), { maxLength: 3 }) }),
    fc.anything(),
  ),
}));
const batch = fc.record({
  steps: fc.array(fc.record({ stmt, condition: fc.option(cond) }, { requiredKeys: ["stmt"] }), {
    maxLength: 5,
  }),
});
const request = fc.oneof(
  fc.record({ type: fc.constant("execute"), stmt }),
  fc.record({ type: fc.constant("batch"), batch }),
  text.map((one) => ({ type: "sequence", ...one })),
  text.map((one) => ({ type: "describe", ...one })),
  fc.record({ type: fc.constant("store_sql"), sql_id: sqlId, sql }),
  fc.record({ type: fc.constant("close_sql"), sql_id: sqlId }),
  fc.constant({ type: "get_autocommit" }),
  fc.constant({ type: "close" }),
  fc.anything(),
);

test("any body gets a valid answer, and nothing stays behind", async () => {
  const server = await runningServer({ tenantry: { transactionTimeoutMs: 50 } });
  let baton: string | null = null;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("/v2/pipeline", "/v3/pipeline", "/v3/cursor"),
      fc.array(request, { maxLength: 6 }),
      batch,
      fc.oneof(fc.boolean(), fc.anything()),
      async (path, requests, steps, go) => {
        if (go !== true && baton !== null) {
          // a transaction that nobody ends has its own tests
          await server.send("POST", "/t/acme/v3/pipeline", { baton, requests: [{ type: "close" }] });
          baton = null;
        }
        const shown = go === true ? baton : go === false ? null : go;
        const body = path === "/v3/cursor" ? { baton: shown, batch: steps } : { baton: shown, requests };
        // what JSON has no word for is left out, or null
        const json = JSON.stringify(body, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one));
        const answer = await server.send("POST", `/t/acme${path}`, json);
        expect([200, 400], answer.text).toContain(answer.status);
        if (answer.status === 400) {
          // What could not be read has not used its baton up: the stream is still there, and closed in the next run.
          expect(answer.body).toMatchObject({ message: expect.any(String), code: expect.any(String) });
        } else if (path === "/v3/cursor") {
          const [head, ...entries] = answer.text
            .trimEnd()
            .split("\n")
            .map((line) => JSON.parse(line) as { type: string; baton: string });
          baton = head?.baton ?? null;
          for (const { type } of entries)
            expect(["step_begin", "row", "step_end", "step_error"]).toContain(type);
        } else {
          const sent = (JSON.parse(json) as { requests: { type: string }[] }).requests;
          const results = answer.body.results as { type: string; response: { type: string } }[];
          expect(results.length).toBe(sent.length);
          for (const [index, result] of results.entries()) {
            if (result.type === "ok") expect(result.response.type).toBe(sent[index]?.type);
          }
          baton = answer.body.baton;
        }
      },
    ),
    { numRuns: 400 },
  );
  await server.send("POST", "/t/acme/v3/pipeline", { baton, requests: [{ type: "close" }] });
  await server.expectHealthy();
  expect(server.internalErrors).toEqual([]);
});

test("conditions that lie deep in each other are refused", async () => {
  const server = await runningServer();
  const deep = `${'{"type":"not","cond":'.repeat(50_000)}{"type":"is_autocommit"}${"}".repeat(50_000)}`;
  const answer = await server.send(
    "POST",
    "/t/acme/v3/pipeline",
    `{"baton":null,"requests":[{"type":"batch","batch":{"steps":[{"stmt":{"sql":"SELECT 1"},"condition":${deep}}]}}]}`,
  );
  expect(answer.status).toBe(400);
});

test("a batch may have as many steps as its body holds", async () => {
  const server = await runningServer({ app: { maxResponseBytes: 1_000_000_000 } });
  const steps = Array.from({ length: 200_000 }, () => ({ stmt: { sql: "" } }));
  const long = server.send("POST", "/t/acme/v3/pipeline", {
    baton: null,
    requests: [{ type: "batch", batch: { steps } }, { type: "close" }],
  });
  expect((await server.query("acme", "SELECT 1")).status).toBe(200);
  const { status, body } = await long;
  expect(status).toBe(200);
  expect(body.results[0].response.result.step_errors).toHaveLength(200_000);
});

test("every value that SQLite holds is read as it was written", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.constant(null),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double({ noNaN: true }),
        fc.string({ unit: "grapheme" }),
        fc.uint8Array({ maxLength: 20_000 }),
      ),
      (one) => {
        expect(decodeValue(JSON.parse(valueText(one)))).toEqual(one);
      },
    ),
  );
});

/** Pieces as the body that they become. */
function bodyText(pieces: readonly Uint8Array[]): string {
  return new TextDecoder().decode(bodyOf(pieces) as Uint8Array);
}

test("many rows are written as few are, however many blocks they fill", () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double(),
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 1, max: 40_000 }).map((length) => "é".repeat(length)),
  );
  fc.assert(
    fc.property(fc.array(fc.array(value, { maxLength: 6 }), { minLength: 65, maxLength: 200 }), (rows) => {
      const sink = new ResultRows();
      sink.begin();
      sink.row(["an attempt that was given up"]);
      sink.begin();
      for (const row of rows) sink.row(row);
      expect(bodyText(sink.many ?? [])).toBe(rows.map(rowText).join(","));
    }),
    { numRuns: 50 },
  );
});

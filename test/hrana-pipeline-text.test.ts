// Reading a pipeline straight from its text comes to the same as reading its JSON, or does not happen.
import { createClient } from "@libsql/client";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readPipeline } from "../src/hrana/pipeline-text.ts";
import { parsePipeline } from "../src/hrana/stream-request.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom('"', "\\", "\n", "\ud800", ""),
);
const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const float = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.constant(1e21));
const value = fc.oneof(
  text.map((content) => ({ type: "text", value: content })),
  integer.map((content) => ({ type: "integer", value: content })),
  float.map((content) => ({ type: "float", value: content })),
  fc.constant({ type: "null" }),
);
const reference = fc.oneof(
  text.map((sql) => ({ sql })),
  fc.nat(60).map((sqlId) => ({ sql_id: sqlId })),
);
const stmtWith = (args: fc.Arbitrary<object[]>): fc.Arbitrary<object> =>
  fc
    .tuple(reference, args, fc.boolean())
    .map(([sql, values, wantRows]) => ({ ...sql, args: values, named_args: [], want_rows: wantRows }));
const stmt = stmtWith(fc.array(value));
const { condition } = fc.letrec((tie) => ({
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ type: fc.constantFrom("ok", "error"), step: fc.nat(3) }),
    fc.constant({ type: "is_autocommit" }),
    fc.record({ type: fc.constant("not"), cond: tie("condition") }),
    fc.record({ type: fc.constantFrom("and", "or"), conds: fc.array(tie("condition"), { maxLength: 3 }) }),
  ),
}));
const stepOf = (one: fc.Arbitrary<object>): fc.Arbitrary<object> =>
  fc.oneof(
    one.map((only) => ({ stmt: only })),
    fc.record({ condition, stmt: one }),
    fc.record({ stmt: one, condition }),
  );
/** Steps of any kind, or of as many arguments each, as most batches are. */
const steps = fc.oneof(
  fc.array(stepOf(stmt)),
  fc.nat(3).chain((length) => {
    const args = fc.array(value, { minLength: length, maxLength: length });
    return fc.array(stepOf(stmtWith(args)), { maxLength: 6 });
  }),
);
const request = fc.oneof(
  stmt.map((only) => ({ type: "execute", stmt: only })),
  steps.map((all) => ({ type: "batch", batch: { steps: all } })),
  fc.record({ type: fc.constant("store_sql"), sql_id: fc.nat(60), sql: text }),
  fc.constant({ type: "close" }),
);
const pipeline = fc
  .record({ baton: fc.option(text), requests: fc.array(request) }, { requiredKeys: ["requests"] })
  .map((body) => JSON.stringify(body));

/** What its JSON comes to; undefined where it is refused. */
function parsed(body: string): unknown {
  try {
    return parsePipeline(JSON.parse(body));
  } catch {
    return undefined;
  }
}

describe("a pipeline's text", () => {
  test("comes to what its JSON does", () => {
    fc.assert(
      fc.property(pipeline, (body) => {
        expect(readPipeline(body)).toEqual(parsed(body));
      }),
    );
  });

  test("that is changed somewhere comes to what its JSON does, or is left to that", () => {
    const change = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom("", ...'0-.e+"\\ {}[],:x\n\u0000'));
    fc.assert(
      fc.property(pipeline, change, (body, [at, dropped, put]) => {
        const from = at % (body.length + 1);
        const changed = body.slice(0, from) + put + body.slice(from + dropped);
        const read = readPipeline(changed);
        if (read !== undefined) expect(read).toEqual(parsed(changed));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["a step before its own", '{"type":"ok","step":1}'],
    ["a number with a zero before it", '{"type":"ok","step":00}'],
    ["a step before its own, and another", '{"type":"ok","step":0},"condition":{"type":"ok","step":1}'],
  ])("with a condition on %s is left to its JSON", (_, wrong) => {
    const both = `{"stmt":{"sql":"SELECT 1"}},{"condition":${wrong},"stmt":{"sql":"SELECT 2"}}`;
    const body = `{"baton":null,"requests":[{"type":"batch","batch":{"steps":[${both}]}}]}`;
    expect(readPipeline(body)).toBeUndefined();
    expect(parsed(body)).toBeUndefined();
  });

  test("with a condition on both sides of a statement is left to its JSON, which takes the last", () => {
    const one = '{"stmt":{"sql":"SELECT 1","args":[]}}';
    const both = `{"condition":{"type":"ok","step":0},"stmt":{"sql":"SELECT 2","args":[]},"condition":{"type":"ok","step":1}}`;
    const body = `{"baton":null,"requests":[{"type":"batch","batch":{"steps":[${one},${one},${both}]}}]}`;
    expect(readPipeline(body)).toBeUndefined();
    expect(parsed(body)).toBeDefined();
  });

  test.each(["01", "1.", ".5", "-", "1e", "+1", "0x1", "Infinity", "NaN"])(
    "with %s for a float is left to its JSON",
    (number) => {
      const stmtText = `{"sql":"SELECT ?","args":[{"type":"float","value":${number}}]}`;
      expect(
        readPipeline(`{"baton":null,"requests":[{"type":"execute","stmt":${stmtText}}]}`),
      ).toBeUndefined();
    },
  );

  test("is read as @libsql/client writes it", async () => {
    const sent: string[] = [];
    const client = createClient({
      url: "http://127.0.0.1:1/t/acme/",
      fetch: async (sending: Request) => {
        if (sending.method === "POST") sent.push(await sending.text());
        return new Response(null, { status: sending.method === "POST" ? 500 : 200 });
      },
    });
    const insert = (id: number): { sql: string; args: (number | bigint | string | null)[] } => ({
      sql: "INSERT INTO notes VALUES (?, ?, ?, ?)",
      args: [id, 2n, "a note\nof two lines", null],
    });
    await expect(client.execute(insert(1))).rejects.toThrow();
    await expect(client.batch([insert(1), insert(2)], "write")).rejects.toThrow();
    expect(sent).toHaveLength(2);
    for (const body of sent) {
      expect(readPipeline(body)).toBeDefined();
      expect(readPipeline(body)).toEqual(parsed(body));
    }
  });
});

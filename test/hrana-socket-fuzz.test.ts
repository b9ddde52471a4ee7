// Owns that no messages make a socket's side of the protocol crash, leak, or answer anything but the protocol.
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { BOTH_PLACES, runningServer } from "./support/running-server.ts";

const sql = fc.constantFrom(
  "SELECT 1",
  "BEGIN",
  "BEGIN IMMEDIATE",
  "COMMIT",
  "ROLLBACK",
  "INSERT INTO customers (name) VALUES (?)",
  "INSERT INTO customers (id, name) VALUES (1, 'a') RETURNING *",
  "PRAGMA foreign_keys = off",
  "SELEC",
  "",
);
const small = fc.oneof({ arbitrary: fc.integer({ min: 0, max: 3 }), weight: 9 }, fc.anything());
const text = fc.oneof(
  { arbitrary: fc.record({ sql }), weight: 5 },
  fc.record({ sql_id: small }),
  fc.record({ sql, sql_id: small }),
);
const stmt = fc.oneof(
  { arbitrary: text, weight: 5 },
  fc.tuple(text, fc.array(fc.anything(), { maxLength: 2 })).map(([one, args]) => ({ ...one, args })),
  fc.anything(),
);
const batch = fc.oneof(
  {
    arbitrary: fc.record({
      steps: fc.array(
        fc.record(
          {
            stmt,
            condition: fc.oneof(fc.constant(null), fc.record({ type: fc.constant("ok"), step: small })),
          },
          { requiredKeys: ["stmt"] },
        ),
        { maxLength: 4 },
      ),
    }),
    weight: 5,
  },
  fc.anything(),
);
const onStream = (type: string, rest: Record<string, fc.Arbitrary<unknown>> = {}) =>
  fc.record({ type: fc.constant(type), stream_id: small, ...rest });
const request = fc.oneof(
  onStream("open_stream"),
  onStream("open_stream"),
  onStream("close_stream"),
  onStream("execute", { stmt }),
  onStream("execute", { stmt }),
  onStream("batch", { batch }),
  onStream("sequence", { sql }),
  onStream("describe", { sql }),
  onStream("get_autocommit"),
  onStream("open_cursor", { cursor_id: small, batch }),
  fc.record({ type: fc.constant("fetch_cursor"), cursor_id: small, max_count: small }),
  fc.record({ type: fc.constant("close_cursor"), cursor_id: small }),
  fc.record({ type: fc.constant("store_sql"), sql_id: small, sql }),
  fc.record({ type: fc.constant("close_sql"), sql_id: small }),
  fc.anything(),
);
const message = fc.oneof(
  { arbitrary: request.map((one) => ({ type: "request", request: one })), weight: 60 },
  { arbitrary: fc.constant({ type: "hello", jwt: null }), weight: 3 },
  { arbitrary: fc.oneof(fc.anything(), fc.string()), weight: 1 },
);
// what JSON has no word for is left out, or null
const json = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one)) ?? "nothing";

interface Answer {
  readonly type: string;
  readonly request_id?: number;
  readonly response?: { readonly type: string };
  readonly error?: unknown;
}

test.each(BOTH_PLACES)(
  "any messages, %s, are answered, each once, or end the socket with a word; nothing stays behind",
  async (_, options) => {
    const server = await runningServer({
      ...options,
      tenantry: { transactionTimeoutMs: 100, busyTimeoutMs: 100 },
    });
    const converse = async (messages: readonly unknown[], leaves: boolean): Promise<void> => {
      const ws = new WebSocket(`ws://127.0.0.1:${server.port}/t/acme`, ["hrana3"]);
      const ended = new Promise<{ code: number; reason: string }>((resolve) => {
        ws.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
      });
      await new Promise((resolve) => {
        ws.on("open", resolve);
      });
      const sent = new Map<number, { type?: unknown }>();
      const all = Promise.withResolvers<void>();
      ws.on("message", (data) => {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.type === "hello_ok") return;
        const asked = sent.get(answer.request_id as number);
        expect(asked, `answered twice, or never asked: ${String(data).slice(0, 200)}`).toBeDefined();
        sent.delete(answer.request_id as number);
        if (answer.type === "response_ok") {
          expect(answer.response?.type).toBe(asked?.type);
        } else {
          expect(answer.type).toBe("response_error");
          expect(answer.error).toEqual({
            message: expect.any(String),
            code: expect.stringMatching(/^[A-Z_]+$/),
          });
        }
        if (sent.size === 0) all.resolve();
      });
      ws.send('{"type":"hello","jwt":null}');
      const last = messages.length;
      for (const [id, one] of [
        ...messages,
        { type: "request", request: { type: "close_sql", sql_id: 1 } },
      ].entries()) {
        const asks = (one as { type?: unknown } | null)?.type === "request";
        const asked = asks ? (one as { request: { type?: unknown } }).request : undefined;
        const isObject = typeof asked === "object" && asked !== null && !Array.isArray(asked);
        if (asks && (isObject || id === last)) sent.set(id, asked as { type?: unknown });
        ws.send(
          asks ? json({ ...(one as object), request_id: id }) : typeof one === "string" ? one : json(one),
        );
      }
      if (leaves) {
        ws.terminate();
        return;
      }
      const how = await Promise.race([all.promise, ended]);
      if (how) {
        expect([1002, 1007]).toContain(how.code);
        expect(how.reason).not.toBe("");
      } else {
        ws.close();
      }
    };
    await fc.assert(fc.asyncProperty(fc.array(message, { maxLength: 25 }), fc.boolean(), converse), {
      numRuns: 150,
    });
    await server.expectHealthy();
    await vi.waitFor(async () => {
      const answer = await server.query("acme", "DELETE FROM customers");
      expect(answer.status, answer.text).toBe(200);
    });
    expect(server.internalErrors).toEqual([]);
  },
);

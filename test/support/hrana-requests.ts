// Owns Hrana's JSON as the tests send it by hand: requests, and the answers of a pipeline.
// Sends no request that a client could not.
import { expect } from "vitest";
import type { Answer, RunningTestServer } from "./running-server.ts";

/** What is looked at in an answer. */
type Json = any; // oxlint-disable-line typescript/no-explicit-any -- every test looks for something else

export const execute = (sql: string, args: readonly Json[] = [], more: object = {}): object => ({
  type: "execute",
  stmt: { sql, args, ...more },
});
export const step = (sql: string, condition?: Json): object => ({ stmt: { sql }, condition });
export const batch = (...steps: readonly object[]): object => ({ type: "batch", batch: { steps } });
export const ok = (index: number): object => ({ type: "ok", step: index });
export const integer = (value: number | bigint): object => ({ type: "integer", value: String(value) });
export const CLOSE = { type: "close" };
export const AUTOCOMMIT = { type: "get_autocommit" };

/** A client of one tenant that does nothing by itself. */
export class HranaRequests {
  readonly #server: RunningTestServer;
  readonly #root: string;
  readonly #headers: Record<string, string>;

  constructor(server: RunningTestServer, tenant = "acme", headers: Record<string, string> = {}) {
    this.#server = server;
    this.#root = `/t/${tenant}`;
    this.#headers = headers;
  }

  /** Sends any body to a path below the tenant. */
  post(path: string, body: unknown): Promise<Answer> {
    return this.#server.send("POST", `${this.#root}${path}`, body, this.#headers);
  }

  /** A pipeline on a stream, or on a new one; its answer must be one of the protocol's. */
  async pipeline(
    baton: string | null,
    ...requests: readonly object[]
  ): Promise<{ baton: string | null; results: Json[] }> {
    const answer = await this.post("/v3/pipeline", { baton, requests });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const { baton: next, base_url: baseUrl, results } = answer.body as Json;
    expect(baseUrl).toBeNull();
    expect(results).toHaveLength(requests.length);
    for (const [index, result] of (results as Json[]).entries()) {
      if (result.type === "ok") expect(result.response.type).toBe((requests[index] as Json).type);
      else
        expect(result).toEqual({
          type: "error",
          error: { message: expect.any(String), code: expect.any(String) },
        });
    }
    return { baton: next, results };
  }

  /** The answer to one request on a stream of its own: its response, or its error. */
  async one(request: object): Promise<Json> {
    const { results } = await this.pipeline(null, request, CLOSE);
    return results[0].type === "ok" ? results[0].response : results[0].error;
  }

  /** The result of one statement. */
  async run(sql: string, ...args: readonly Json[]): Promise<Json> {
    const { result, ...rest } = await this.one(execute(sql, args));
    expect(result, JSON.stringify(rest)).toBeDefined();
    return result;
  }

  /** The first value of a statement's result. */
  async value(sql: string, ...args: readonly Json[]): Promise<Json> {
    return (await this.run(sql, ...args)).rows[0][0];
  }

  /** The lines of a cursor. */
  async cursor(baton: string | null, ...steps: readonly object[]): Promise<Json[]> {
    const answer = await this.post("/v3/cursor", { baton, batch: { steps } });
    expect(answer.status, answer.text).toBe(200);
    expect(answer.text.endsWith("\n")).toBe(true);
    return answer.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Json);
  }
}

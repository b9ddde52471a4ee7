// Owns what is seen of one tenant where it really is, by Tenantry's HTTP API alone: made, written, taken back in time
// and forward again, deleted. The same steps for a deployment in an account and for what runs here.
// Knows no driver and starts nothing.
import { expect, vi } from "vitest";

/** Asks Tenantry. */
export type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Said>;

/** An answer, read to its end. */
export interface Said {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- a body is whatever is expected of it
}

/** What is expected of the tenant's storage. */
export interface LiveTenant {
  /** A name that no tenant has. @default a random one */
  readonly tenant?: string;
  /**
   * What its storage keeps of its past: all of it, where a time is told from another that is `apartMs` away; or
   * nothing, and then a rewind is refused just so.
   */
  readonly past: { readonly apartMs: number } | { readonly refused: { message: string; hint: string } };
  /** Whether answers tell a bookmark, by which reads of copies see earlier writes. @default false */
  readonly copies?: boolean;
  /** Looked at while the tenant is there. */
  readonly also?: (tenant: string, bodies: () => Promise<unknown[]>) => Promise<void>;
}

/** What a runtime on one's own machine says of the past of an object. */
export const LOCAL_RUNTIME = {
  refused: {
    message: "This runtime keeps no past of its objects.",
    hint: "Cloudflare does; local runs do not.",
  },
};

/** What is said of the past of databases whose driver has none: D1's that are bound, Turso's, files. */
export const keepsNoPast = (driver: string) => ({
  refused: {
    message: `The driver ${driver} keeps no past of its databases.`,
    hint: 'Restore a snapshot or a replica: docs/backups.md. Of D1 that is bound: "tenantry rewind d1:NAME".',
  },
});

/** Asks the Tenantry at `url` with an administrator's key. */
export function sender(
  url: string,
  key = "",
  fetcher: (url: string, init: RequestInit) => Response | Promise<Response> = fetch,
): Send {
  return async (method, path, body, headers = {}) => {
    const answer = await fetcher(url.replace(/\/$/, "") + path, {
      method,
      headers: {
        ...(key !== "" && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = answer.headers.get("content-type")?.includes("json") ?? false;
    return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text };
  };
}

/** A name that nobody has. */
export function randomTenant(): string {
  return `live-${crypto.randomUUID().slice(0, 13)}`;
}

/** Makes a tenant, looks at it, and deletes it, whatever it has seen. */
export async function checkTenant(
  send: Send,
  { tenant = randomTenant(), past, copies = false, also }: LiveTenant,
): Promise<void> {
  const admin = `/admin/tenants/${tenant}`;
  const query = async (sql: string, params: unknown[] = [], headers = {}): Promise<Said> => {
    const answer = await send("POST", `/t/${tenant}/query`, { sql, params }, headers);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return answer;
  };
  const bodies = async (headers = {}): Promise<unknown[]> => {
    const { body } = await query("SELECT body FROM live_check ORDER BY id", [], headers);
    return (body.results as { body: unknown }[]).map((row) => row.body);
  };
  const write = async (body: string): Promise<void> => {
    const { headers } = await query("INSERT INTO live_check (body) VALUES (?)", [body]);
    const bookmark = headers.get("x-tenantry-bookmark");
    if (!copies) return expect(bookmark).toBeNull();
    for (let reads = 0; reads < 20; reads++)
      expect(await bodies({ "x-tenantry-bookmark": bookmark })).toContain(body);
  };
  const rewind = (to: object): Promise<Said> => send("POST", `${admin}/rewind`, to);

  /** What is remembered of a tenant that was deleted is no tenant. */
  const expectNone = async (): Promise<void> => {
    const { status, body } = await send("GET", admin);
    expect([status, body]).toMatchObject(status === 200 ? [200, { state: "deleted" }] : [404, {}]);
  };

  // One that is there is somebody's: nothing is begun.
  await expectNone();
  try {
    const made = await send("POST", "/admin/tenants", { id: tenant });
    expect([made.status, made.body]).toMatchObject([201, { id: tenant, state: "active" }]);
    await query("CREATE TABLE live_check (id INTEGER PRIMARY KEY, body TEXT NOT NULL)");
    await write("kept");
    await also?.(tenant, () => bodies());

    if ("refused" in past) {
      const refused = [501, { code: "UNSUPPORTED", ...past.refused }];
      for (const to of [{ at: new Date().toISOString() }, { bookmark: "ffffffff-ffffffff" }]) {
        const { status, body } = await rewind(to);
        expect([status, body]).toEqual(refused);
      }
      expect((await send("GET", admin)).body).toMatchObject({ state: "active" });
      expect(await bodies()).toContain("kept");
    } else {
      await checkPast({ send, admin, query, bodies, write, rewind, apartMs: past.apartMs });
    }
  } finally {
    await send("DELETE", admin);
  }
  await expectNone();
}

interface PastSteps {
  readonly send: Send;
  readonly admin: string;
  readonly query: (sql: string) => Promise<Said>;
  readonly bodies: () => Promise<unknown[]>;
  readonly write: (body: string) => Promise<void>;
  readonly rewind: (to: object) => Promise<Said>;
  readonly apartMs: number;
}

/** Back by a bookmark, forward by the one that undoes it, back by a time; and written on. */
async function checkPast({ send, admin, query, bodies, write, rewind, apartMs }: PastSteps): Promise<void> {
  const clock = async (): Promise<number> =>
    (await query("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS ms")).body.results[0].ms;
  const later = async (): Promise<number> => {
    const from = await clock();
    return vi.waitFor(
      async () => {
        const now = await clock();
        expect(now).toBeGreaterThan(from + apartMs);
        return now;
      },
      { timeout: 2 * apartMs + 30_000, interval: 20 + apartMs / 20 },
    );
  };

  const asked = await send("GET", `${admin}/bookmark`);
  expect([asked.status, asked.body]).toMatchObject([200, { bookmark: expect.stringMatching(/./) }]);
  const { bookmark } = asked.body as { bookmark: string };
  const at = new Date(await later()).toISOString();
  await later();
  await write("later");
  await write("later still");
  const all = ["kept", "later", "later still"];
  expect(await bodies()).toEqual(all);

  const back = await rewind({ bookmark });
  expect([back.status, back.body]).toMatchObject([200, { bookmark, tenant: { state: "active" } }]);
  expect(await bodies()).toEqual(["kept"]);
  const forward = await rewind({ bookmark: back.body.undo as string });
  expect([forward.status, forward.body]).toMatchObject([200, { tenant: { state: "active" } }]);
  expect(await bodies()).toEqual(all);
  const then = await rewind({ at });
  expect([then.status, then.body]).toMatchObject([200, { tenant: { state: "active" } }]);
  expect(await bodies()).toEqual(["kept"]);
  await write("after");
  expect(await bodies()).toEqual(["kept", "after"]);
}

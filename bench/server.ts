// Owns the program of a measured server: `bare` (Hono and one open better-sqlite3 handle), `route` (an
// application's route behind tenantry.middleware()), or `app` (tenantry.app()).
// Its parent starts it, asks it what it has used, and ends it.
import { Hono } from "hono";
import { benchMigrations, openTenantry, READ_ONE, READ_WHOLE, tenantName } from "./fleet.ts";
import { openBare } from "./bare.ts";
import { addBareStatements } from "./bare-statements.ts";
import { databasePath } from "../src/drivers/local/database-file.ts";
import { listen } from "../src/http/listen.ts";
import { errorResponse } from "../src/http/error-response.ts";

/** What the parent says to start a server. */
export interface ServerOrder {
  readonly kind: "bare" | "route" | "app";
  readonly data: string;
  readonly maxOpen: number;
}

/** What a server says when it listens, and whenever it is asked. */
export interface ServerReport {
  readonly url: string;
  /** Microseconds of processor time so far. */
  readonly cpuMicros: number;
  readonly rssBytes: number;
  readonly handlesOpen: number;
}

const COMMON_PATH = "/t/:tenant/customers/:id";

/** One tenant, one handle, no questions: the least that a server can do. */
function bareServer(data: string): Hono {
  const sqlite = openBare(databasePath(data, tenantName(0)));
  const one = sqlite.prepare(READ_ONE);
  const whole = sqlite.prepare(READ_WHOLE);
  const app = new Hono();
  app.get(COMMON_PATH, (c) => c.json(one.get(c.req.param("id")) as object));
  addBareStatements(app, sqlite);
  app.get("/t/:tenant/rest/customers", (c) => c.json([whole.get(c.req.query("id")?.slice("eq.".length))]));
  return app;
}

async function start({ kind, data, maxOpen }: ServerOrder): Promise<void> {
  let app: Hono;
  let handlesOpen = (): number => 1;
  if (kind === "bare") {
    app = bareServer(data);
  } else {
    const tenantry = await openTenantry({ data, maxOpen, migrations: await benchMigrations() });
    handlesOpen = () => tenantry.tenants.stats().open;
    if (kind === "app") {
      app = tenantry.app().hono;
    } else {
      app = new Hono();
      app.onError((error, c) => errorResponse(c, error, (problem) => console.error(problem)));
      app.use("/t/:tenant/*", tenantry.middleware() as never);
      app.get(COMMON_PATH, async (c) => {
        const db = c.get("db" as never) as ReturnType<typeof tenantry.database>;
        return c.json((await db.prepare(READ_ONE).bind(c.req.param("id")).first()) as object);
      });
    }
  }
  const { url } = await listen(app.fetch, { port: 0 });
  const report = (): void => {
    const { user, system } = process.cpuUsage();
    process.send?.({
      url,
      cpuMicros: user + system,
      rssBytes: process.memoryUsage.rss(),
      handlesOpen: handlesOpen(),
    } satisfies ServerReport);
  };
  process.on("message", report);
  report();
}

process.once("message", (order: ServerOrder) => void start(order));

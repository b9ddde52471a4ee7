// Owns an executor process: it opens the data folder, runs what the main process asks, and ends with it.
// Knows no callers and no rights: what comes has been resolved and authorised.
import { Socket } from "node:net";
import { extname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { Worker } from "node:worker_threads";
import type { SqlRunner, Statement } from "../drivers/driver.ts";
import type { ExecutorApp } from "../http/executor-app.ts";
import { parseTenantId } from "../tenant-id.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { FleetMigration } from "../tenants/fleet-migration.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import { createTenantry, type Tenantry } from "../tenantry.ts";
import { BusyTenants } from "./busy-tenants.ts";
import { AnswerSender } from "./answer-sender.ts";
import { Channel, type MessageBody } from "./channel.ts";
import type { ExecutorSettings } from "./executor-settings.ts";
import { LightResponse, lightRequest } from "./light-http.ts";
import { ExecutorStreams } from "../http/executor-streams.ts";
import { type Ask, type ChoreName, PROTOCOL_VERSION, type Say, type SqlAsk, toPlain } from "./messages.ts";
import { ProgressWriter } from "./progress-file.ts";

/** The descriptor on which the main process listens. */
const CHANNEL_FD = 3;
const FIGURES_MS = 1_000;

/** An interactive transaction that the main process holds open. */
interface OpenTransaction {
  readonly tx: SqlRunner;
  readonly end: (how: "commit" | "rollback") => void;
}

/** Runs the process until the main process goes away or says that it is to retire. */
export async function runExecutor(settings: ExecutorSettings): Promise<void> {
  globalThis.Response = LightResponse as unknown as typeof Response;
  holdLifeline();
  const socket = new Socket({ fd: CHANNEL_FD });
  const channel = new Channel<Say, Ask>(socket, {
    onMessage: (message, body) => answer(message, body),
    side: "answer",
  });
  const say = (message: Say, body?: MessageBody): void => {
    channel.send(message, body);
    channel.flushLater();
  };
  const busy = new BusyTenants();
  let progress: ProgressWriter;
  let tenantry: Tenantry;
  let app: ExecutorApp;
  try {
    progress = new ProgressWriter(settings.progressFile);
    tenantry = await createTenantry({
      ...settings.tenantry,
      statements: { begin: (name) => progress.enter(name), end: (name, ms) => busy.add(name, ms) },
    });
    app = tenantry.tenantApp(settings.app);
  } catch (error) {
    say(["broken", toPlain(error)]);
    channel.flush();
    throw error;
  }
  const answers = new AnswerSender((message, body) => {
    channel.send(message, body);
    if (message[0] === "chunk") channel.flushLater();
  });
  const streams = new ExecutorStreams(app.streams);
  const transactions = new Map<number, OpenTransaction>();
  let running = 0;
  let retiring = false;

  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    clearInterval(figures);
    await tenantry.close();
    progress.close();
    channel.flush();
    socket.end();
  };
  /** Alone, an answer leaves at once; among others it leaves with those of its turn. */
  const finished = (): void => {
    running--;
    if (running > 0) return channel.flushLater();
    channel.flush();
    endIfDone();
  };
  const endIfDone = (): void => {
    if (retiring && running === 0 && !streams.busy) void end();
  };
  const work = async (job: number, call: () => Promise<void>): Promise<void> => {
    running++;
    try {
      await call();
    } catch (error) {
      if (!(error instanceof TenantryError)) console.error("In an executor:", error);
      channel.send(["error", job, toPlain(error)]);
    } finally {
      finished();
    }
  };

  const answer = (message: Ask, body: MessageBody): void => {
    const [kind, job] = message;
    switch (kind) {
      case "http":
        return void work(job, async () => {
          const [, , ask] = message;
          assertInTime(ask.startBefore);
          const { method, base, path, headers } = ask;
          const answering = typeof body === "string" ? app.pipeline(ask, body) : undefined;
          if (answering) return answers.send(job, await answering);
          const request = lightRequest(method, `http://executor${base}${path}`, headers, body);
          const response = (await app.fetch(request, ask)) as unknown as LightResponse;
          await answers.send(job, response.toAnswer());
        });
      case "stream":
        return void work(job, async () => {
          const [, , ask] = message;
          assertInTime(ask.startBefore);
          await answers.send(job, await streams.answer(ask, textOf(body)));
        });
      case "close_stream":
        return streams.close(message[2]);
      case "sql":
        return void work(job, async () => {
          const [, , tenant, startBefore] = message;
          assertInTime(startBefore);
          const ask = deserialize(body as Uint8Array) as SqlAsk;
          const id = parseTenantId(tenant);
          if (ask.kind === "forget") tenantry.statements.forgetStatements(id);
          const result =
            ask.kind === "figures" || ask.kind === "forget"
              ? tenantry.statements.of(id)
              : await runSql(tenantry.tenants.runner(id), ask);
          channel.send(["value", job], serialize(result));
        });
      case "begin":
        return void work(job, async () => {
          const [, , tenant, mode, timeoutMs] = message;
          const runner = tenantry.tenants.runner(parseTenantId(tenant));
          const { promise, resolve, reject } = Promise.withResolvers<void>();
          try {
            await runner.transaction(
              mode,
              async (tx) => {
                transactions.set(job, {
                  tx,
                  end: (how) => (how === "commit" ? resolve() : reject(new RolledBack())),
                });
                say(["value", job], serialize(null));
                await promise;
              },
              timeoutMs === null ? {} : { timeoutMs },
            );
          } catch (error) {
            if (!(error instanceof RolledBack)) throw error;
          } finally {
            transactions.delete(job);
          }
          channel.send(["value", job], serialize(null));
        });
      case "tx":
        return void work(job, async () => {
          const open = transactions.get(message[2]);
          if (!open) throw new TenantryError("TRANSACTION_CLOSED", "The transaction has ended.");
          channel.send(
            ["value", job],
            serialize(await runSql(open.tx, deserialize(body as Uint8Array) as SqlAsk)),
          );
        });
      case "end":
        transactions.get(message[2])?.end(message[3]);
        return;
      case "chore":
        return void work(job, async () => {
          const done = await chore(tenantry, message[2], deserialize(body as Uint8Array) as unknown[]);
          channel.send(["value", job], serialize(done));
        });
      case "more":
        return answers.more(job, message[2]);
      case "forget":
        return answers.forget(job);
      case "ping":
        return say(["pong", job]);
      case "retire":
        retiring = true;
        endIfDone();
    }
  };

  // The main process has died or let go: nobody hears what we would say.
  socket.on("error", () => process.exit(0));
  socket.on("close", () => process.exit(0));
  const figures = setInterval(() => {
    // A transaction that its client has ended, or its time limit.
    endIfDone();
    const { pid } = process;
    const rssBytes = process.memoryUsage.rss();
    say(["figures", { pid, rssBytes, handles: tenantry.tenants.stats(), busy: busy.take() }]);
  }, FIGURES_MS);
  say(["hello", PROTOCOL_VERSION]);
}

/** Ends this process with the one that started it, whatever it does then. */
function holdLifeline(): void {
  const program = new URL(`./lifeline-thread${extname(import.meta.filename)}`, import.meta.url);
  new Worker(program, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 16 } }).unref();
}

class RolledBack extends Error {}

function runSql(runner: SqlRunner, { kind, statements, options }: SqlAsk): Promise<unknown> {
  const [first] = statements as [Statement];
  if (kind === "run") return runner.run(first, options);
  return kind === "batch" ? runner.batch(statements, options) : runner.exec(first.sql);
}

function textOf(body: MessageBody): string {
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}

/** @param args as the main process was given them by somebody that it trusts */
function chore({ lifecycle, fleet }: Tenantry, name: ChoreName, args: unknown[]): Promise<unknown> {
  if (name === "importFile") return lifecycle.importFile(...(args as Parameters<Lifecycle["importFile"]>));
  if (name === "exportFile") return lifecycle.exportFile(...(args as Parameters<Lifecycle["exportFile"]>));
  if (name === "fork") return lifecycle.fork(...(args as Parameters<Lifecycle["fork"]>));
  return fleet.one(...(args as Parameters<FleetMigration["one"]>));
}

/** A job that has waited too long has been answered already: running it now would surprise its caller. */
function assertInTime(startBefore: number): void {
  if (Date.now() > startBefore)
    throw new TenantryError("STATEMENT_TIMEOUT", "The statement did not begin in time.", {
      hint: "Try again in a moment: others kept the executor busy.",
    });
}

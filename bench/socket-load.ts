// Owns the program that runs interactive transactions over one WebSocket, one after the other on each of its
// streams, each statement when the one before it has been answered.
// Does not start the server.
import { WebSocket } from "ws";
import { quantile } from "./figures.ts";

/** What the parent says to begin. */
export interface SocketLoadOrder {
  readonly url: string;
  /** What each transaction does between its `BEGIN` and its `COMMIT`. */
  readonly statements: readonly object[];
  /** Transactions at the same time. */
  readonly streams: number;
  readonly seconds: number;
}

/** What came of it. */
export interface SocketLoadResult {
  readonly perSecond: number;
  readonly p50Micros: number;
  readonly transactions: number;
}

async function run({ url, statements, streams, seconds }: SocketLoadOrder): Promise<SocketLoadResult> {
  const ws = new WebSocket(url, ["hrana3"]);
  const waiting = new Map<number, PromiseWithResolvers<void>>();
  let lastId = 0;
  ws.on("message", (data) => {
    const message = JSON.parse(String(data)) as { type: string; request_id?: number; error?: object };
    if (message.request_id === undefined) return;
    const one = waiting.get(message.request_id);
    waiting.delete(message.request_id);
    if (message.type === "response_ok") one?.resolve();
    else one?.reject(new Error(JSON.stringify(message.error)));
  });
  await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
  ws.send('{"type":"hello","jwt":null}');
  const ask = (request: object): Promise<void> => {
    const id = ++lastId;
    const one = Promise.withResolvers<void>();
    waiting.set(id, one);
    ws.send(JSON.stringify({ type: "request", request_id: id, request }));
    return one.promise;
  };
  const micros: number[] = [];
  const started = performance.now();
  const work = async (streamId: number): Promise<void> => {
    while (performance.now() - started < seconds * 1000) {
      const begun = performance.now();
      void ask({ type: "open_stream", stream_id: streamId });
      const execute = (stmt: object): Promise<void> => ask({ type: "execute", stream_id: streamId, stmt });
      await execute({ sql: "BEGIN IMMEDIATE" });
      for (const stmt of statements) await execute(stmt);
      await execute({ sql: "COMMIT" });
      await ask({ type: "close_stream", stream_id: streamId });
      micros.push((performance.now() - begun) * 1000);
    }
  };
  await Promise.all(Array.from({ length: streams }, (_, index) => work(index)));
  const took = (performance.now() - started) / 1000;
  ws.terminate();
  return {
    perSecond: micros.length / took,
    p50Micros: quantile(micros, 0.5),
    transactions: micros.length,
  };
}

process.once("message", (order: SocketLoadOrder) => {
  void run(order).then((result) => process.send?.(result, () => process.exit()));
});

// Owns the program that runs interactive transactions over one WebSocket, one after the other on each of its
// streams, each turn of requests when the one before it has been answered.
// Does not start the server. What it sends is made before it begins: on two processors its own work is the server's
// loss.
import { WebSocket } from "ws";
import type { SocketTurn } from "./hrana-statements.ts";

/** What the parent says to begin. */
export interface SocketLoadOrder {
  readonly url: string;
  /** Requests before the first transaction. */
  readonly before: SocketTurn;
  /** What the transactions on each stream are made of. */
  readonly streams: readonly (readonly SocketTurn[])[];
  readonly seconds: number;
}

/** What came of it. */
export interface SocketLoadResult {
  readonly perSecond: number;
  readonly transactions: number;
}

const ANSWERED = '{"type":"response_ok","request_id":';
/** Only errors have one. */
const ERROR = '"message":';

async function run({ url, before, streams, seconds }: SocketLoadOrder): Promise<SocketLoadResult> {
  const ws = new WebSocket(url, ["hrana2"], { perMessageDeflate: false });
  const failed = Promise.withResolvers<never>();
  const onAnswer: ((() => void) | undefined)[] = [];
  ws.on("message", (data: Buffer) => {
    const text = data.toString();
    if (text.startsWith(ANSWERED) && !text.includes(ERROR)) {
      onAnswer[Number.parseInt(text.slice(ANSWERED.length), 10)]?.();
    } else if (text !== '{"type":"hello_ok"}') {
      failed.reject(new Error(text));
    }
  });
  await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
  ws.once("close", (code, reason) => failed.reject(new Error(`Closed: ${code} ${String(reason)}`)));
  const send = (text: Buffer): void => ws.send(text, { binary: false });
  ws.send('{"type":"hello","jwt":null}');
  // Requests whose answers nobody waits for share the number behind those of the streams.
  const unheard = streams.length;
  for (const request of before) send(message(unheard, request));

  let transactions = 0;
  const started = performance.now();
  const work = async (stream: number): Promise<void> => {
    const turns = streams[stream]!.map((requests) =>
      requests.map((request) => message(runsStatement(request) ? stream : unheard, request)),
    );
    while (performance.now() - started < seconds * 1000) {
      for (const requests of turns) {
        const answered = new Promise<void>((resolve) => (onAnswer[stream] = resolve));
        for (const request of requests) send(request);
        await answered;
      }
      transactions++;
    }
  };
  await Promise.race([Promise.all(streams.map((_, stream) => work(stream))), failed.promise]);
  const took = (performance.now() - started) / 1000;
  ws.terminate();
  return { perSecond: transactions / took, transactions };
}

function message(id: number, request: object): Buffer {
  return Buffer.from(JSON.stringify({ type: "request", request_id: id, request }));
}

function runsStatement(request: object): boolean {
  return "stmt" in request || "batch" in request;
}

process.once("message", (order: SocketLoadOrder) => {
  void run(order).then((result) => process.send?.(result, () => process.exit()));
});

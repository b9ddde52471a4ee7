// Owns a proxy on loopback that passes requests on, or answers for the server behind it, or is not there.
// Asserts nothing.
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** How the proxy behaves: it passes on, passes on late, breaks every connection, or answers with a status. */
export type Fault = "none" | "away" | { readonly delayMs: number } | { readonly status: number };

export interface FaultyProxy {
  /** The URL with the proxy in the place of the server that it names. */
  readonly url: string;
  fault: Fault;
  /** Requests that were not passed on. */
  readonly faults: number;
}

/** A proxy before the server that the `endpoint` of a replica's URL names. */
export async function faultyProxy(replicaUrl: string): Promise<FaultyProxy> {
  const target = new URL(new URL(replicaUrl).searchParams.get("endpoint") ?? "");
  let fault: Fault = "none";
  let faults = 0;
  const server = createServer((asked, answer) => {
    const refused = fault;
    if (refused === "away") {
      faults++;
      asked.socket.destroy();
      return;
    }
    if (typeof refused === "object" && "status" in refused) {
      faults++;
      asked.resume();
      answer.writeHead(refused.status, { "content-type": "application/xml" });
      answer.end("<Error><Code>Faulty</Code><Message>as the test wants it</Message></Error>");
      return;
    }
    const pass = (): void => {
      const { hostname, port } = target;
      // With the host that was signed.
      const { method, url: path, headers } = asked;
      const passed = request({ hostname, port, method, path, headers }, (from) => {
        answer.writeHead(from.statusCode ?? 502, from.headers);
        from.pipe(answer);
      });
      passed.on("error", () => answer.destroy());
      asked.pipe(passed);
    };
    if (typeof refused === "object") setTimeout(pass, refused.delayMs);
    else pass();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: replicaUrl.replace(target.host, `127.0.0.1:${port}`),
    get fault() {
      return fault;
    },
    set fault(wanted) {
      fault = wanted;
      // Connections that are kept would go on as before.
      if (wanted === "away") server.closeAllConnections();
    },
    get faults() {
      return faults;
    },
  };
}

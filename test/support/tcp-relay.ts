// Owns a way to a TCP server over which a test can break connections, or let them be silent.
// Asserts nothing, and does not know what is said.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A way that goes wrong when it is told to. */
export interface TcpRelay {
  /** The URL with this in the place of its server. */
  readonly url: string;
  /** How many have come by it, and how many are there now. */
  readonly count: { begun: number; open: number };
  /** Whether nothing is passed on any more. */
  isSilent: boolean;
  /** After so many bytes to the server connections break. @default never */
  breakAfterBytes: number;
  /** Breaks the connections of now. */
  cut(): void;
}

/** Listens on loopback until the test ends. @param target a URL with a host and a port */
export async function tcpRelay(target: string): Promise<TcpRelay> {
  const { hostname, port, host } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.setNoDelay();
    relay.count.begun++;
    relay.count.open++;
    const end = (): void => {
      socket.destroy();
      upstream.destroy();
    };
    socket.once("close", () => relay.count.open--);
    for (const one of [socket, upstream]) {
      sockets.add(one);
      one.on("error", end).on("close", end);
    }
    upstream.on("data", (data) => relay.isSilent || socket.write(data));
    socket.on("data", (data) => {
      if (relay.isSilent) return;
      relay.breakAfterBytes -= data.length;
      if (relay.breakAfterBytes < 0) end();
      else upstream.write(data);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const relay: TcpRelay = {
    url: target.replace(host, `127.0.0.1:${(server.address() as AddressInfo).port}`),
    count: { begun: 0, open: 0 },
    isSilent: false,
    breakAfterBytes: Number.POSITIVE_INFINITY,
    cut: () => {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
  };
  onTestFinished(() => {
    relay.cut();
    server.close();
  });
  return relay;
}

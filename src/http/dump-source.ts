// Owns fetching the dump that a URL names, within its limits, from nowhere that its operator has not allowed.
// Does not look at what comes. For servers on Node; a Worker has no files and no addresses to look at.
import { createWriteStream } from "node:fs";
import { constants, open, realpath } from "node:fs/promises";
import type { IncomingMessage, RequestOptions } from "node:http";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { lookup as lookupAddress, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { sep } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { rethrowAsOurs } from "../drivers/local/database-file.ts";
import type { DatabaseFiles } from "../drivers/driver.ts";
import { TenantryError } from "../tenantry-error.ts";
import type { Lifecycle } from "../tenants/lifecycle.ts";
import type { ImportDump } from "./namespace-routes.ts";

/** Milliseconds that fetching a dump may take. */
export const DEFAULT_FETCH_DUMP_TIMEOUT_MS = 300_000;

/** Where dumps may come from, and how much of them. */
export interface DumpSourceOptions {
  /** Bytes of a dump. */
  readonly maxBytes: number;
  /**
   * Hosts besides this machine that dumps may be fetched from by HTTP; `*` for any with a public address. One that
   * is named may have any address. @default none
   */
  readonly hosts?: readonly string[];
  /** Milliseconds that fetching may take. @default 300000 */
  readonly timeoutMs?: number;
  /** A folder of which no file may be read: the server's own. @default none */
  readonly exceptDir?: string;
}

/** Makes tenants of the dumps that URLs name. */
export function dumpImporter({
  files,
  lifecycle,
  ...source
}: DumpSourceOptions & { readonly files: DatabaseFiles; readonly lifecycle: Lifecycle }): ImportDump {
  return async (id, url, options) => {
    await using file = await files.scratch();
    await fetchDump(url, file.path, source);
    return await lifecycle.importFile(id, file.path, { maxBytes: source.maxBytes, ...options });
  };
}

/** Addresses that only mean something within some network, or on this machine. */
const NOT_PUBLIC = new BlockList();
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
for (const [net, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  NOT_PUBLIC.addSubnet(net, bits, "ipv4");
}

/** Of IPv6 only what is assigned for the public; and of that none that stands for an IPv4 address. */
const PUBLIC_IPV6 = new BlockList();
PUBLIC_IPV6.addSubnet("2000::", 3, "ipv6");
for (const [net, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  NOT_PUBLIC.addSubnet(net, bits, "ipv6");
}

/**
 * Writes what `url` names to a new file at `path`.
 * @throws {TenantryError} `INVALID_ARGUMENT` for a URL that is none, or that is not allowed; `IMPORT_INVALID` where
 * nothing can be had from it; `BODY_TOO_LARGE`, `DATABASE_FULL`
 */
export async function fetchDump(url: string, path: string, options: DumpSourceOptions): Promise<void> {
  const parsed = parseUrl(url);
  const source = parsed.protocol === "file:" ? await openFile(parsed, options) : await get(parsed, options);
  await pipeline(source, limited(options.maxBytes), createWriteStream(path, { flags: "wx" })).catch(
    (error: unknown) => {
      if (isAborted(error)) throw tookTooLong(options);
      if (hasBrokenOff(error)) {
        throw unreachable("dump_url breaks off in the midst.", "Try again, or fetch it by yourself.", error);
      }
      return rethrowAsOurs(error);
    },
  );
}

function parseUrl(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !["file:", "http:", "https:"].includes(parsed.protocol)) {
    throw refused(
      "dump_url is not a URL of file:, http: or https:.",
      "Give it in full, such as file:///srv/acme.sql.",
    );
  }
  if (parsed.username || parsed.password) {
    throw refused("dump_url holds credentials.", "They would be in logs: use a URL that needs none.");
  }
  return parsed;
}

async function openFile(url: URL, { exceptDir }: DumpSourceOptions): Promise<Readable> {
  if (url.host !== "")
    throw refused("dump_url names a file of another machine.", "Give file:/// and a path.");
  let file;
  try {
    const path = await realpath(fileURLToPath(url));
    if (exceptDir !== undefined && path.startsWith((await realpath(exceptDir)) + sep)) {
      throw refused("dump_url names a file of the data folder.", "Fork the tenant, or export it first.");
    }
    // A pipe would be waited for until somebody writes to it.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch (cause) {
    if (cause instanceof TenantryError) throw cause;
    throw unreachable("The file of dump_url cannot be read.", "The server must be able to read it.", cause);
  }
  if (!(await file.stat()).isFile()) {
    await file.close();
    throw unreachable("The file of dump_url is not a file.", "Name the dump itself.");
  }
  return file.createReadStream();
}

function get(url: URL, options: DumpSourceOptions): Promise<Readable> {
  const { timeoutMs = DEFAULT_FETCH_DUMP_TIMEOUT_MS } = options;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const allows = allowed(host, options.hosts ?? []);
  // No look-up is made for what is an address already.
  if (isIP(host) !== 0 && !allows(host)) return Promise.reject(notAllowed(url));
  const lookup: LookupFunction = (name, given, done) => {
    lookupAddress(name, { ...given, all: true }, (error, addresses) => {
      const found = (addresses ?? []) as LookupAddress[];
      const usable = found.filter(({ address }) => allows(address));
      if (error) return done(error, "", 0);
      const [first] = usable;
      // The connection goes to the address that was looked at, whatever the name stands for a moment later.
      if (!first) return done(notAllowed(url) as unknown as NodeJS.ErrnoException, "", 0);
      if (given.all) return done(null, usable);
      done(null, first.address, first.family);
    });
  };
  const settings: RequestOptions = { lookup, agent: false, signal: AbortSignal.timeout(timeoutMs) };
  const { promise, resolve, reject } = Promise.withResolvers<Readable>();
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const request = send(url, {
    ...settings,
    headers: { accept: "application/sql, application/vnd.sqlite3, */*" },
  });
  request.once("error", (error) => {
    if (error instanceof TenantryError) reject(error);
    else if (isAborted(error)) reject(tookTooLong(options));
    else
      reject(
        unreachable("Nothing can be fetched from dump_url.", "The server must be able to reach it.", error),
      );
  });
  request.once("response", (response: IncomingMessage) => {
    if (response.statusCode === 200) return resolve(response);
    response.destroy();
    const moved =
      response.statusCode !== undefined && response.statusCode >= 300 && response.statusCode < 400;
    reject(
      unreachable(
        `dump_url answers ${response.statusCode}.`,
        moved ? "Redirections are not followed: give the address where it is." : "Look at it by yourself.",
      ),
    );
  });
  request.end();
  return promise;
}

/** Whether an address may be spoken to on behalf of a URL with that host. */
function allowed(host: string, hosts: readonly string[]): (address: string) => boolean {
  if (hosts.some((one) => one.toLowerCase() === host)) return () => true;
  const any = hosts.includes("*");
  return (address) => {
    const kind = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (LOOPBACK.check(address, kind)) return true;
    if (!any || NOT_PUBLIC.check(address, kind)) return false;
    return kind === "ipv4" || PUBLIC_IPV6.check(address, "ipv6");
  };
}

async function* chunksWithin(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) {
      throw new TenantryError("BODY_TOO_LARGE", `The dump is larger than ${maxBytes} bytes.`, {
        hint: "Raise maxImportBytes.",
      });
    }
    yield chunk;
  }
}

function limited(maxBytes: number): (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  return (source) => chunksWithin(source, maxBytes);
}

function isAborted(error: unknown): boolean {
  return error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
}

function hasBrokenOff(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE" || code.startsWith("HPE_");
}

function tookTooLong({ timeoutMs = DEFAULT_FETCH_DUMP_TIMEOUT_MS }: DumpSourceOptions): TenantryError {
  return unreachable(`dump_url took longer than ${timeoutMs} ms.`, "Bring the dump nearer.");
}

function notAllowed({ hostname }: URL): TenantryError {
  return refused(
    `Dumps are not fetched from ${hostname.slice(0, 100)}.`,
    "The operator names the hosts that they may come from: serve --dump-host.",
  );
}

function refused(message: string, hint: string): TenantryError {
  return new TenantryError("INVALID_ARGUMENT", message, { hint });
}

function unreachable(message: string, hint: string, cause?: unknown): TenantryError {
  return new TenantryError("IMPORT_INVALID", message, { hint, ...(cause !== undefined && { cause }) });
}

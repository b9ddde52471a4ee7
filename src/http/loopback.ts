// Owns what "this machine" is: loopback names in Host headers, and addresses that may be bound without keys.
// Refuses no request: browser-guard.ts does.
import { TenantryError } from "../tenantry-error.ts";

const IPV4_LOOPBACK = /^127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;
const LOCALHOST = /^(?:[a-z0-9_-]+\.)*localhost$/;
const PORT = /^(?::\d{0,5})?$/;

/**
 * The host of a `Host` header in lower case, without port and final dot, IPv6 in its brackets; `undefined`
 * when it is none.
 */
export function hostOf(header: string): string | undefined {
  const end = header.charAt(0) === "[" ? header.indexOf("]") + 1 : header.indexOf(":");
  const host = end > 0 ? header.slice(0, end) : header;
  if (end > 0 && !PORT.test(header.slice(end))) return undefined;
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  return name === "" ? undefined : name.toLowerCase();
}

/** Whether a `Host` header names this machine: `localhost`, `*.localhost`, `127.0.0.0/8` or `[::1]`. */
export function isLoopbackHost(header: string): boolean {
  const host = hostOf(header);
  return host !== undefined && isLoopbackName(host);
}

/** The same of what {@link hostOf} gives. */
export function isLoopbackName(host: string): boolean {
  return IPV4_LOOPBACK.test(host) || LOCALHOST.test(host) || host === "[::1]";
}

/** Whether only this machine can reach a server that is bound to `address`. */
export function isLoopbackAddress(address: string): boolean {
  // What nearly every request on this machine comes from.
  if (address === "127.0.0.1") return true;
  const bare = address.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  if (bare === "localhost" || bare === "::1") return true;
  return IPV4_LOOPBACK.test(bare.replace(/^::ffff:/, ""));
}

/**
 * Refuses to bind an address that others can reach while there are no keys: everybody would be admin.
 *
 * @throws {TenantryError} `INVALID_OPTION`.
 */
export function assertBindable(address: string, hasKeys: boolean): void {
  if (hasKeys || isLoopbackAddress(address)) return;
  throw new TenantryError(
    "INVALID_OPTION",
    `Refusing to listen on ${JSON.stringify(address)} without keys: anybody could read and change every tenant.`,
    {
      hint: 'Make a key with "tenantry token create --scope admin", or listen on 127.0.0.1.',
    },
  );
}

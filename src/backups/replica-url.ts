// Owns where replicas lie: the URL that an operator gives, its checks, and what path each database has below it.
// Reads and writes nothing there. A password in the URL leaves this file only in what `at` gives.
import type { TenantRecord } from "../catalog/tenant-record.ts";
import { TenantryError } from "../tenantry-error.ts";

/** The kinds of replicas. */
export const REPLICA_SCHEMES = ["file", "s3", "abs", "gs", "sftp"] as const;

/** One of {@link REPLICA_SCHEMES}. */
export type ReplicaScheme = (typeof REPLICA_SCHEMES)[number];

/** The path of the catalog's own replicas. No shard can have this name. */
export const CATALOG_PATH = "_catalog";

/** The path of the canary's replicas, as that of the catalog's. */
export const CANARY_PATH = "_canary";

/** The path of the note that says whose replica this is. */
export const OWNER_PATH = "_owner.json";

/** Litestream takes a path as it is written, so that an escape would be part of a folder's name. */
const PLAIN_PATH = /^[A-Za-z0-9._~/@+=:,-]*$/;

const EXAMPLES = 'For example "file:///var/backups/tenants" or "s3://bucket/tenants?region=eu-central-1".';

/** A checked URL of a replica, the prefix of everything that is in it. Printing it shows no password. */
export class ReplicaUrl {
  readonly scheme: ReplicaScheme;
  /** The host, bucket or container; empty for `file`. */
  readonly host: string;
  /** The prefix below it, without slashes at its ends; for `file` the folder, from its first slash. */
  readonly path: string;
  /** What Litestream and the object store's client are told besides: `endpoint`, `region`, … */
  readonly query: URLSearchParams;
  /** The URL without a password, for people. */
  readonly shown: string;
  readonly #user: string;

  /** Use {@link parseReplicaUrl}. */
  constructor(scheme: ReplicaScheme, url: URL) {
    this.scheme = scheme;
    this.host = url.host;
    const path = url.pathname.replace(/\/+/g, "/").replace(/\/$/, "");
    this.path = scheme === "file" ? path : path.replace(/^\//, "");
    this.query = url.searchParams;
    const password = url.password === "" ? "" : `:${url.password}`;
    this.#user = url.username === "" ? "" : `${url.username}${password}@`;
    this.shown = this.#write("", url.username === "" ? "" : `${url.username}${password && ":***"}@`);
  }

  /** The URL of what lies at `path` below the prefix. May hold a password: for Litestream, and the client of SFTP. */
  at(path: string): string {
    return this.#write(path, this.#user);
  }

  /** The key in its bucket, or the path on its disk or host, of what lies at `path` below the prefix. */
  keyOf(path: string): string {
    return [this.path, path].filter(Boolean).join("/");
  }

  /** What the keys of all that begins with `start` below the prefix begin with: of no other prefix that begins alike. */
  startOf(start: string): string {
    return this.path === "" ? start : `${this.path}/${start}`;
  }

  toString(): string {
    return this.shown;
  }

  toJSON(): string {
    return this.shown;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.shown;
  }

  #write(path: string, user: string): string {
    const query = this.query.size === 0 ? "" : `?${this.query}`;
    const key = this.keyOf(path);
    return `${this.scheme}://${user}${this.host}${key === "" || key.startsWith("/") ? "" : "/"}${key}${query}`;
  }
}

/**
 * Where a tenant's database is replicated to, below the prefix. Its last part rises with each restore and
 * move, so that a writer of before never writes among what is written now.
 */
export function replicaPath({
  shard,
  id,
  incarnation,
  backupEpoch,
}: Pick<TenantRecord, "shard" | "id" | "incarnation" | "backupEpoch">): string {
  return `${shard}/${id}/${incarnation}/${backupEpoch}`;
}

/** Where the catalog is replicated to. @param epoch rises each time that a catalog is brought back */
export function catalogPath(epoch: number): string {
  return `${CATALOG_PATH}/${epoch}`;
}

/**
 * Checks the URL of a replica.
 * @throws {TenantryError} `INVALID_OPTION`, whose message has no password in it
 */
export function parseReplicaUrl(text: string): ReplicaUrl {
  const scheme = REPLICA_SCHEMES.find((known) => text.startsWith(`${known}://`));
  if (scheme === undefined) {
    throw refused(`The replica begins with ${REPLICA_SCHEMES.map((known) => `${known}://`).join(", ")}`);
  }
  const url = URL.parse(text);
  if (!url) throw refused(`The replica is not a URL (${scheme}://…)`);
  if (url.hash !== "") throw refused('The replica\'s URL has a "#"');
  if (!PLAIN_PATH.test(url.pathname)) {
    throw refused("The replica's path has other characters than letters, digits and ._~/@+=:,-");
  }
  if (url.pathname.split("/").some((part) => part === "." || part === "..")) {
    throw refused('The replica\'s path has "." or ".." in it');
  }
  if (scheme === "file") {
    if (url.host !== "" || url.pathname.length < 2 || url.search !== "") {
      throw refused("A file replica is file:// and the absolute path of a folder");
    }
  } else if (url.host === "")
    throw refused(`The replica's URL names no ${scheme === "sftp" ? "host" : "bucket"}`);
  if (scheme === "sftp" && url.username === "")
    throw refused("An sftp replica needs a user, sftp://user@host/path");
  if (scheme !== "file" && scheme !== "s3" && url.search !== "") {
    throw refused(
      `A replica's ${scheme} URL has no options behind a "?"`,
      "Litestream would pass over them without a word. s3:// takes some: region, endpoint, force-path-style.",
    );
  }
  if (scheme !== "sftp" && (url.password !== "" || (url.username !== "" && scheme !== "abs"))) {
    throw refused(
      `Credentials are not part of a replica's ${scheme} URL`,
      "Put them into the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, LITESTREAM_AZURE_ACCOUNT_KEY, or GOOGLE_APPLICATION_CREDENTIALS.",
    );
  }
  return new ReplicaUrl(scheme, url);
}

function refused(message: string, hint = EXAMPLES): TenantryError {
  return new TenantryError("INVALID_OPTION", `${message}.`, { hint });
}

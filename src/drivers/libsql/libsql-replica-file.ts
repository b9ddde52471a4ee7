// Owns the file of an embedded replica and what the native library keeps beside it: how far it has come, and moving
// aside what it would refuse for ever. Reads no SQL, and asks no primary.
import { access, readFile, rename, rm } from "node:fs/promises";
import * as v from "valibot";

/** How a primary hands out changes: by HTTP, as Turso, or by gRPC, as sqld. The library keeps another file for each. */
export type SyncProtocol = "http" | "grpc";

const BESIDE: Readonly<Record<SyncProtocol, string>> = { http: "-info", grpc: "-client_wal_index" };

/** Of every file beside a libSQL database, the end of its name. */
export const LIBSQL_SUFFIXES: readonly string[] = ["", "-wal", "-shm", ...Object.values(BESIDE)];

/** Where the other one has the last frame that is here, and what stands there as long as there is none. */
const FRAME_AT = 16;
const NO_FRAME = 2n ** 64n - 1n;

const POSITION = v.object({ generation: v.number(), durable_frame_num: v.number() });

/** How far a replica has come. */
export interface ReplicaPosition {
  readonly generation: number;
  /** The last frame of the generation that is here. */
  readonly frame: number;
}

/** Of a replica that is synchronised by HTTP; undefined of another. */
export async function replicaPosition(path: string): Promise<ReplicaPosition | undefined> {
  if (!(await isThere(path + BESIDE.http))) return undefined;
  const info = v.parse(POSITION, JSON.parse(await readFile(path + BESIDE.http, "utf8")));
  return { generation: info.generation, frame: info.durable_frame_num };
}

/** Whether a replica is there that has been synchronised once. */
export async function isReplica(path: string): Promise<boolean> {
  if (!(await isThere(path))) return false;
  if (await isThere(path + BESIDE.http)) return true;
  if (!(await isThere(path + BESIDE.grpc))) return false;
  const index = await readFile(path + BESIDE.grpc);
  return index.length >= FRAME_AT + 8 && index.readBigUInt64LE(FRAME_AT) !== NO_FRAME;
}

/**
 * Makes room for a replica where a first synchronisation was cut short, or another protocol's was begun: the library
 * refuses a database without its note, and a note without its database. What is there of a database is kept.
 */
export async function mendReplica(path: string, protocol: SyncProtocol): Promise<void> {
  const [there, noted] = await Promise.all([isThere(path), isThere(path + BESIDE[protocol])]);
  if (there === noted) return;
  const aside = `${path}.${Date.now()}.orphan`;
  for (const suffix of LIBSQL_SUFFIXES) {
    if (!(await isThere(path + suffix))) continue;
    await (suffix === "" || suffix === "-wal" ? rename(path + suffix, aside + suffix) : rm(path + suffix));
  }
}

/** Whether there is such a file. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

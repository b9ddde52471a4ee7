// Owns objects in Google's object storage: listings page by page, with what versions and soft deletion keep, and
// uploads in parts. Does not know what the objects are.
import { openAsBlob } from "node:fs";
import type { Readable } from "node:stream";
import { gsClient, gsUnavailable } from "./gs-client.ts";
import { type ObjectStore, objectMissing, type StoredObject } from "./object-store.ts";
import { quietLimit, receiveFile } from "./receive-file.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Bytes of a part of an upload: a multiple of 256 KiB. */
const PART_BYTES = 16 * 1024 * 1024;
/** Milliseconds that a part may take. */
const PART_TIMEOUT_MS = 120_000;

/** What is asked of each object in a listing. */
const FIELDS = "nextPageToken,items(name,size,generation,softDeleteTime)";

interface Listing {
  readonly nextPageToken?: string;
  readonly items?: readonly ListedObject[];
}

interface ListedObject {
  readonly name: string;
  readonly size?: string;
  readonly generation?: string;
  readonly softDeleteTime?: string;
}

/** A bucket and a prefix. @throws {TenantryError} as {@link gsClient} does */
export async function gsStore(url: ReplicaUrl): Promise<ObjectStore> {
  const { objects, uploads, send } = await gsClient(url);
  const target = (key: string): string => `${objects}/${encodeURIComponent(url.keyOf(key))}`;

  async function* pages(params: Readonly<Record<string, string>>, also: readonly number[]) {
    let pageToken: string | undefined;
    do {
      const answer = await send<Listing>({
        url: objects,
        params: { ...params, fields: FIELDS, ...(pageToken !== undefined && { pageToken }) },
        also,
      });
      if (also.includes(answer.status)) return;
      yield* answer.data.items ?? [];
      pageToken = answer.data.nextPageToken;
    } while (pageToken);
  }

  async function* list(prefix: string, { versions = false } = {}): AsyncGenerator<StoredObject> {
    const all = { prefix: url.startOf(prefix) };
    const stored = ({ name, size, generation }: ListedObject): StoredObject => ({
      key: name.slice(url.startOf("").length),
      bytes: Number(size ?? 0),
      ...(versions && generation !== undefined && { version: generation }),
    });
    for await (const item of pages(versions ? { ...all, versions: "true" } : all, [])) yield stored(item);
    if (!versions) return;
    // Not every bucket deletes softly, and not every service knows the question, or answers another one.
    for await (const item of pages({ ...all, softDeleted: "true" }, [400, 412])) {
      if (item.softDeleteTime !== undefined) yield stored(item);
    }
  }

  async function putInParts(name: string, blob: Blob): Promise<void> {
    const begun = await send({ method: "POST", url: uploads, params: { uploadType: "resumable", name } });
    const session = begun.headers.get("location");
    if (session === null) throw gsUnavailable(url, "an upload does not begin");
    try {
      for (let at = 0; ;) {
        const end = Math.min(at + PART_BYTES, blob.size);
        const answer = await send({
          method: "PUT",
          url: session,
          headers: { "content-range": `bytes ${at}-${end - 1}/${blob.size}` },
          body: blob.slice(at, end),
          also: [308],
          timeoutMs: PART_TIMEOUT_MS,
        });
        if (answer.status !== 308) return;
        // It may have kept less than it was sent.
        const kept = /-(\d+)$/.exec(answer.headers.get("range") ?? "")?.[1];
        const next = kept === undefined ? 0 : Number(kept) + 1;
        if (next <= at) throw gsUnavailable(url, "an upload does not go on");
        at = next;
      }
    } catch (error) {
      // What is not taken away there goes within a week.
      await send({ method: "DELETE", url: session, also: [404, 410, 499] }).catch(() => undefined);
      throw error;
    }
  }

  return {
    place: url.shown,
    list,
    async put(key, path) {
      const blob = await openAsBlob(path);
      const name = url.keyOf(key);
      if (blob.size > PART_BYTES) return putInParts(name, blob);
      await send({
        method: "POST",
        url: uploads,
        params: { uploadType: "media", name },
        headers: { "content-type": "application/octet-stream" },
        body: blob,
        timeoutMs: PART_TIMEOUT_MS,
      });
    },
    async get(key, to) {
      using limit = quietLimit();
      const answer = await send<Readable>({
        url: target(key),
        params: { alt: "media" },
        as: "stream",
        also: [404],
        signal: limit.signal,
        timeoutMs: 0,
      });
      if (answer.status === 404) {
        answer.data.resume();
        throw objectMissing(key, url.shown);
      }
      await receiveFile(answer.data, to, limit, (error) => gsUnavailable(url, (error as Error).message));
    },
    async remove({ key, version }) {
      const params = version === undefined ? {} : { generation: version };
      await send({ method: "DELETE", url: target(key), params, also: [404] });
    },
  };
}

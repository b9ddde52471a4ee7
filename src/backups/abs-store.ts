// Owns objects in Azure's object storage: listings page by page, with versions, snapshots, what is softly deleted and
// what an upload has left half done. Does not know what the objects are.
import type { BlobItem } from "@azure/storage-blob";
import type { Readable } from "node:stream";
import { absCode, absContainer, absUnavailable, isBlobMissing } from "./abs-client.ts";
import { type ObjectStore, objectMissing, type StoredObject } from "./object-store.ts";
import { quietLimit, receiveFile } from "./receive-file.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Bytes of a part of an upload, and how many of them go at once. */
const PART_BYTES = 16 * 1024 * 1024;
const PARTS_AT_ONCE = 2;
/** Milliseconds that anything but the content of an object may take, with all that is tried again. */
const TIMEOUT_MS = 60_000;
/** Milliseconds in which a part has to get there. */
const PART_TIMEOUT_MS = 120_000;

/** What the beginning of a version says of it; one without any is Azure's name of an old one. */
const CURRENT = "current ";
const SNAPSHOT = "snapshot ";
const DELETED = "deleted ";
const UNCOMMITTED = "uncommitted";

/** What a listing has besides what is there. */
type Include = Readonly<
  Partial<
    Record<"includeVersions" | "includeSnapshots" | "includeDeleted" | "includeUncommitedBlobs", boolean>
  >
>;

/** A container and a prefix. @throws {TenantryError} as {@link absContainer} does */
export async function absStore(url: ReplicaUrl): Promise<ObjectStore> {
  const container = await absContainer(url);
  const blobOf = (key: string) => container.getBlockBlobClient(url.keyOf(key));
  const failed = (error: unknown): never => {
    throw absUnavailable(url, error);
  };

  async function* blobs(prefix: string, include: Include = {}): AsyncGenerator<BlobItem> {
    let continuationToken: string | undefined;
    do {
      const abortSignal = AbortSignal.timeout(TIMEOUT_MS);
      const pages = container
        .listBlobsFlat({ prefix: url.startOf(prefix), abortSignal, ...include })
        .byPage(continuationToken === undefined ? {} : { continuationToken });
      const page = await pages.next().catch(failed);
      if (page.done) return;
      yield* page.value.segment.blobItems;
      continuationToken = page.value.continuationToken;
    } while (continuationToken);
  }

  async function* list(prefix: string, { versions = false } = {}): AsyncGenerator<StoredObject> {
    const stored = ({ name, properties }: BlobItem, version?: string): StoredObject => ({
      key: name.slice(url.startOf("").length),
      bytes: properties.contentLength ?? 0,
      ...(version !== undefined && { version }),
    });
    if (!versions) {
      for await (const blob of blobs(prefix)) yield stored(blob);
      return;
    }
    const named = new Set<string>();
    const kept = { includeVersions: true, includeSnapshots: true, includeDeleted: true };
    for await (const blob of blobs(prefix, kept)) {
      named.add(blob.name);
      yield stored(blob, versionOf(blob));
    }
    for await (const blob of blobs(prefix, { includeUncommitedBlobs: true })) {
      if (!named.has(blob.name)) yield stored(blob, UNCOMMITTED);
    }
  }

  return {
    place: url.shown,
    list,
    async put(key, path) {
      using limit = quietLimit(PART_TIMEOUT_MS);
      await blobOf(key)
        .uploadFile(path, {
          maxSingleShotSize: PART_BYTES,
          blockSize: PART_BYTES,
          concurrency: PARTS_AT_ONCE,
          abortSignal: limit.signal,
          onProgress: limit.refresh,
        })
        .catch(failed);
    },
    async get(key, to) {
      using limit = quietLimit();
      const answer = await blobOf(key)
        .download(0, undefined, { abortSignal: limit.signal })
        .catch((error: unknown) => {
          throw isBlobMissing(error) ? objectMissing(key, url.shown) : absUnavailable(url, error);
        });
      await receiveFile(answer.readableStreamBody as Readable, to, limit, (error) =>
        absUnavailable(url, error),
      );
    },
    async remove({ key, version }) {
      // Nobody can take that away before its time.
      if (version?.startsWith(DELETED)) return;
      const abortSignal = AbortSignal.timeout(TIMEOUT_MS);
      const blob = blobOf(key);
      try {
        if (version === UNCOMMITTED) {
          // The parts of an upload go when there is a blob of that name.
          const conditions = { ifNoneMatch: "*" };
          await blob.upload("", 0, { abortSignal, conditions }).catch((error: unknown) => {
            if (absCode(error) !== "BlobAlreadyExists") throw error;
          });
        }
        if (version?.startsWith(SNAPSHOT)) {
          await blob.withSnapshot(version.slice(SNAPSHOT.length)).delete({ abortSignal });
          return;
        }
        const old = version === UNCOMMITTED ? undefined : version?.replace(CURRENT, "");
        // The current version is an old one when the blob is gone, and can be removed then.
        if (old === undefined || old !== version)
          await blob.delete({ abortSignal, deleteSnapshots: "include" });
        if (old !== undefined) await blob.withVersion(old).delete({ abortSignal });
      } catch (error) {
        if (!isBlobMissing(error)) failed(error);
      }
    },
  };
}

/** What is needed to remove it; undefined for what is there without a version. */
function versionOf({ deleted, snapshot, versionId, isCurrentVersion }: BlobItem): string | undefined {
  if (deleted) return `${DELETED}${snapshot || (versionId ?? "")}`;
  if (snapshot) return `${SNAPSHOT}${snapshot}`;
  return isCurrentVersion && versionId !== undefined ? `${CURRENT}${versionId}` : versionId;
}

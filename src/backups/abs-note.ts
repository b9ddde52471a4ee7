// Owns a note in Azure's object storage, which keeps to the ETag that a writer has seen.
// Does not know what the note says.
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { absCode, absContainer, absStatus, absUnavailable, isBlobMissing } from "./abs-client.ts";
import type { ReplicaNote } from "./replica-note.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Milliseconds that reading or writing it may take, with all that is tried again. */
const TIMEOUT_MS = 30_000;

/** The note at `path` below the prefix. @throws {TenantryError} as {@link absContainer} does */
export async function absNote(url: ReplicaUrl, path: string): Promise<ReplicaNote> {
  const blob = (await absContainer(url)).getBlockBlobClient(url.keyOf(path));
  return {
    async read() {
      try {
        const answer = await blob.download(0, undefined, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
        return { text: await text(answer.readableStreamBody ?? Readable.from([])), tag: answer.etag ?? "" };
      } catch (error) {
        if (isBlobMissing(error)) return undefined;
        throw absUnavailable(url, error);
      }
    },
    async write(content, tag) {
      try {
        await blob.upload(content, Buffer.byteLength(content), {
          abortSignal: AbortSignal.timeout(TIMEOUT_MS),
          blobHTTPHeaders: { blobContentType: "application/json" },
          conditions: tag === undefined ? { ifNoneMatch: "*" } : { ifMatch: tag },
        });
        return true;
      } catch (error) {
        if (absStatus(error) === 412 || absCode(error) === "BlobAlreadyExists") return false;
        throw absUnavailable(url, error);
      }
    },
  };
}

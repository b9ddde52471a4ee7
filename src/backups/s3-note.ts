// Owns a note in S3 and what is compatible with it, by conditional requests.
// Does not know what the note says.
import type { ReplicaNote } from "./replica-note.ts";
import type { ReplicaUrl } from "./replica-url.ts";
import { s3Client } from "./s3-store.ts";

/** The note at `path` below the prefix. @throws {TenantryError} as {@link s3Client} does */
export async function s3Note(url: ReplicaUrl, path: string): Promise<ReplicaNote> {
  const { client, bucket } = await s3Client(url);
  const target = `${bucket}${url.keyOf(path).split("/").map(encodeURIComponent).join("/")}`;
  const failed = async (what: string, answer: Response): Promise<Error> =>
    new Error(`${what} ${url.shown} was answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  return {
    async read() {
      const answer = await client.fetch(target, { cache: "no-store" });
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw await failed("Reading", answer);
      return { text: await answer.text(), tag: answer.headers.get("etag") ?? "" };
    },
    async write(text, tag) {
      const answer = await client.fetch(target, {
        method: "PUT",
        body: text,
        headers: {
          "content-type": "application/json",
          ...(tag === undefined ? { "if-none-match": "*" } : { "if-match": tag }),
        },
      });
      if (answer.status === 412 || answer.status === 409) return false;
      if (!answer.ok) throw await failed("Writing to", answer);
      // Not every service keeps to the condition: what is there now tells.
      return (await (await client.fetch(target, { cache: "no-store" })).text()) === text;
    },
  };
}

// Owns a note in Google's object storage, which keeps to the generation that a writer has seen.
// Does not know what the note says.
import { gsClient } from "./gs-client.ts";
import type { ReplicaNote } from "./replica-note.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** The note at `path` below the prefix. @throws {TenantryError} as {@link gsClient} does */
export async function gsNote(url: ReplicaUrl, path: string): Promise<ReplicaNote> {
  const { objects, uploads, send } = await gsClient(url);
  const name = url.keyOf(path);
  return {
    async read() {
      const answer = await send<string>({
        url: `${objects}/${encodeURIComponent(name)}`,
        params: { alt: "media" },
        as: "text",
        also: [404],
      });
      if (answer.status === 404) return undefined;
      return { text: answer.data, tag: answer.headers.get("x-goog-generation") ?? "" };
    },
    async write(text, tag) {
      const answer = await send({
        method: "POST",
        url: uploads,
        params: { uploadType: "media", name, ifGenerationMatch: tag ?? "0" },
        headers: { "content-type": "application/json" },
        body: text,
        also: [412],
      });
      return answer.status !== 412;
    },
  };
}

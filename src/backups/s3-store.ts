// Owns objects in S3 and what is compatible with it: signed requests, listings page by page, uploads in parts.
// Does not know what the objects are.
import { createWriteStream, openAsBlob } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { rethrowAsOurs } from "../drivers/local/database-file.ts";
import { TenantryError } from "../tenantry-error.ts";
import { notInstalled } from "./not-installed.ts";
import { type ObjectStore, objectMissing, type StoredObject } from "./object-store.ts";
import type { ReplicaUrl } from "./replica-url.ts";

/** Bytes of a part of an upload; at most 10,000 of them make an object. */
const PART_BYTES = 64 * 1024 * 1024;
/** How often a request is sent again that the service, or the network, has failed. */
const RETRIES = 4;

/** `fetch` that signs. */
export interface SigningClient {
  fetch(target: string | URL, init?: RequestInit): Promise<Response>;
}

/**
 * Signs requests for a bucket, whose URL ends with a slash.
 * @throws {TenantryError} `UNSUPPORTED` without `aws4fetch`, `BACKUPS_UNAVAILABLE` without a key
 */
export async function s3Client(
  url: ReplicaUrl,
): Promise<{ readonly client: SigningClient; readonly bucket: string }> {
  const { AwsClient } = await import("aws4fetch").catch(notInstalled("aws4fetch"));
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env;
  if (!accessKeyId || !secretAccessKey) {
    throw new TenantryError("BACKUPS_UNAVAILABLE", `There are no credentials for ${url.shown}.`, {
      hint: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    });
  }
  const region =
    url.query.get("region") ?? process.env["AWS_REGION"] ?? process.env["AWS_DEFAULT_REGION"] ?? "us-east-1";
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: "s3",
    region,
    retries: RETRIES,
  });
  return { client, bucket: bucketUrl(url, region) };
}

/** A bucket and a prefix. @throws {TenantryError} as {@link s3Client} does */
export async function s3Store(url: ReplicaUrl): Promise<ObjectStore> {
  const { client, bucket } = await s3Client(url);

  const send = async (
    method: string,
    key: string,
    query: Record<string, string> = {},
    body?: Blob | string,
  ) => {
    const target = new URL(`${bucket}${key.split("/").map(encodeURIComponent).join("/")}`);
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
    const answer = await client
      .fetch(target, { method, ...(body !== undefined && { body }) })
      .catch((cause: unknown) => {
        throw unavailable(url, cause instanceof Error ? cause.message : String(cause), cause);
      });
    if (answer.ok || answer.status === 404) return answer;
    const text = await answer.text();
    const words = /<Message>([^<]*)</.exec(text)?.[1] ?? answer.statusText;
    throw unavailable(url, `${method} was answered ${answer.status} ${words}`, { status: answer.status });
  };
  const absolute = (key: string): string => url.keyOf(key);

  async function* pages(
    prefix: string,
    options: { readonly versions?: boolean } = {},
  ): AsyncGenerator<StoredObject> {
    const all = { prefix: url.startOf(prefix), "encoding-type": "url" };
    let { versions = false } = options;
    let next: Record<string, string> | undefined = versions
      ? { ...all, versions: "" }
      : { ...all, "list-type": "2" };
    while (next) {
      const answer: Response = await send("GET", "", next).catch((error: unknown) => {
        // Not every service keeps versions, or knows the question.
        const { status } = (error as TenantryError).cause as { status?: number };
        if (!versions || (status !== 501 && status !== 400 && status !== 405)) throw error;
        versions = false;
        return send("GET", "", { ...all, "list-type": "2" });
      });
      if (answer.status === 404) throw unavailable(url, "there is no such bucket");
      const text = await answer.text();
      const entries = /<(Version|DeleteMarker|Contents)>([\s\S]*?)<\/\1>/g;
      for (const [, , entry = ""] of text.matchAll(entries)) {
        const version = field(entry, "VersionId");
        yield {
          key: decodeURIComponent(field(entry, "Key") ?? "").slice(url.startOf("").length),
          bytes: Number(field(entry, "Size") ?? 0),
          ...(version !== undefined && version !== "null" && { version }),
        };
      }
      const token = field(text, "NextContinuationToken");
      const keyMarker = field(text, "NextKeyMarker");
      if (field(text, "IsTruncated") !== "true") return;
      if (token !== undefined) next = { ...all, "list-type": "2", "continuation-token": token };
      else if (keyMarker !== undefined) {
        const marker = field(text, "NextVersionIdMarker");
        next = {
          ...all,
          versions: "",
          "key-marker": decodeURIComponent(keyMarker),
          ...(marker !== undefined && { "version-id-marker": marker }),
        };
      } else throw unavailable(url, "a listing breaks off");
    }
  }

  return {
    place: url.shown,
    list: pages,
    async put(key, path) {
      const blob = await openAsBlob(path);
      if (blob.size <= PART_BYTES) return void (await send("PUT", absolute(key), {}, blob));
      const begun = await send("POST", absolute(key), { uploads: "" });
      const uploadId = field(await begun.text(), "UploadId") ?? "";
      try {
        const parts: string[] = [];
        for (let at = 0; at < blob.size; at += PART_BYTES) {
          const partNumber = String(parts.length + 1);
          const part = blob.slice(at, at + PART_BYTES);
          const answer = await send("PUT", absolute(key), { uploadId, partNumber }, part);
          parts.push(
            `<Part><PartNumber>${partNumber}</PartNumber><ETag>${answer.headers.get("etag") ?? ""}</ETag></Part>`,
          );
        }
        const whole = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
        const answer = await send("POST", absolute(key), { uploadId }, whole);
        // The status was sent before the service knew.
        const text = await answer.text();
        if (text.includes("<Error>")) throw unavailable(url, field(text, "Message") ?? "an upload failed");
      } catch (error) {
        await send("DELETE", absolute(key), { uploadId });
        throw error;
      }
    },
    async get(key, to) {
      const answer = await send("GET", absolute(key));
      if (answer.status === 404 || answer.body === null) throw objectMissing(key, url.shown);
      await pipeline(
        Readable.fromWeb(answer.body as ReadableStream),
        createWriteStream(to, { flags: "wx" }),
      ).catch(rethrowAsOurs);
    },
    async remove({ key, version }) {
      await send("DELETE", absolute(key), version === undefined ? {} : { versionId: version });
    },
  };
}

/** The bucket's URL with a slash at its end: by path where there is an endpoint of one's own. */
function bucketUrl({ host, query }: ReplicaUrl, region: string): string {
  const endpoint = query.get("endpoint");
  if (!endpoint) return `https://${host}.s3.${region}.amazonaws.com/`;
  const base = new URL(/^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`);
  if (query.get("force-path-style") === "false") base.hostname = `${host}.${base.hostname}`;
  else base.pathname = `${base.pathname.replace(/\/$/, "")}/${host}`;
  return `${base.href.replace(/\/$/, "")}/`;
}

/** The first element of that name, its text unescaped. */
function field(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`)
    .exec(xml)?.[1]
    ?.replace(/&(amp|lt|gt|quot|apos|#39|#34);/g, (_, entity: string) => ENTITIES[entity] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  "#39": "'",
  "#34": '"',
};

function unavailable(url: ReplicaUrl, why: string, cause?: unknown): TenantryError {
  return new TenantryError("BACKUPS_UNAVAILABLE", `${url.shown} cannot be used: ${why}.`, {
    hint: "Check the URL, its endpoint and region, the credentials and the network.",
    retryAfterSeconds: 10,
    cause,
  });
}

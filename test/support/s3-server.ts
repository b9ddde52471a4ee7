// Owns an S3 server on loopback with one empty bucket, for a test: Cloudflare's R2 as it runs locally. It keeps to
// If-Match and If-None-Match, as S3 does.
// Asserts nothing.
import { Miniflare } from "miniflare";
import { onTestFinished } from "vitest";
import { tempFolder } from "./temp-folder.ts";

const KEY = { accessKeyId: "test-key", secretAccessKey: "test-secret" };

/** Where the server has its S3 API. */
const API_PATH = "cdn-cgi/local/r2/s3";

/** The URL of a prefix in the bucket, as `--replica` takes it. The credentials are in the environment then. */
export async function s3Server(prefix = "tenants"): Promise<string> {
  const server = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    resourcePersistencePath: await tempFolder(),
    workers: [
      {
        config: {
          name: "s3",
          compatibilityDate: "2026-01-01",
          env: { BUCKET: { type: "r2", name: "bucket", dev: { experimentalS3Credentials: KEY } } },
          manifest: {
            mainModule: "worker.js",
            modulesRoot: "/",
            modules: { "worker.js": { type: "esm", contents: "export default {}" } },
          },
        },
      },
    ],
  });
  onTestFinished(() => server.dispose());
  const { href } = await server.ready;
  const before = { ...process.env };
  onTestFinished(() => void Object.assign(process.env, before));
  process.env["AWS_ACCESS_KEY_ID"] = KEY.accessKeyId;
  process.env["AWS_SECRET_ACCESS_KEY"] = KEY.secretAccessKey;
  // Litestream's client cannot be built with one.
  delete process.env["AWS_CA_BUNDLE"];
  return `s3://bucket/${prefix}?endpoint=${href}${API_PATH}&region=us-east-1&force-path-style=true`;
}

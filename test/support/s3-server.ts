// Owns an S3 server on loopback with one empty bucket, for a test.
// Asserts nothing.
import S3rver from "s3rver";
import { onTestFinished } from "vitest";
import { tempFolder } from "./temp-folder.ts";

/** The URL of a prefix in the bucket, as `--replica` takes it. The credentials are in the environment then. */
export async function s3Server(prefix = "tenants"): Promise<string> {
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory: await tempFolder(),
    configureBuckets: [{ name: "bucket", configs: [] }],
  });
  const { port } = await server.run();
  onTestFinished(() => server.close());
  const before = { ...process.env };
  onTestFinished(() => void Object.assign(process.env, before));
  process.env["AWS_ACCESS_KEY_ID"] = "S3RVER";
  process.env["AWS_SECRET_ACCESS_KEY"] = "S3RVER";
  // Litestream's client cannot be built with one.
  delete process.env["AWS_CA_BUNDLE"];
  return `s3://bucket/${prefix}?endpoint=http://127.0.0.1:${port}&region=us-east-1&force-path-style=true`;
}

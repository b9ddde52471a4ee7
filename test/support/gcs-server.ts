// Owns Google's object storage on loopback for a test, by fake-gcs-server, where that is installed.
// Asserts nothing.
import { freePort, runEmulator, setEnvironment } from "./emulator.ts";
import { findTool } from "./find-tool.ts";

const program = findTool("fake-gcs-server", "FAKE_GCS_SERVER_BIN");

/** Why there is none here; undefined where there is. */
export const NO_GCS: string | undefined =
  program === undefined
    ? "no fake-gcs-server: go install github.com/fsouza/fake-gcs-server@latest, and FAKE_GCS_SERVER_BIN"
    : undefined;

/** The URL of a prefix in an empty bucket, as `--replica` takes it. Litestream finds it by the environment. */
export async function gcsServer(prefix = "tenants"): Promise<string> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const place = ["-scheme", "http", "-host", "127.0.0.1", "-port", String(port), "-public-host", host];
  await runEmulator(program ?? "", ["-backend", "memory", ...place], port);
  const made = await fetch(`http://${host}/storage/v1/b?project=test`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "bucket" }),
  });
  if (!made.ok) throw new Error(await made.text());
  setEnvironment({ STORAGE_EMULATOR_HOST: host });
  return `gs://bucket/${prefix}`;
}

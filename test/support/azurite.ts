// Owns Azure's object storage on loopback for a test, by Azurite, where that is installed: it answers for Azure's own
// host. Asserts nothing.
import { createHmac } from "node:crypto";
import { request } from "node:https";
import { certificateFor, leadTo, NO_OPENSSL } from "./cloud-hosts.ts";
import { freePort, runEmulator, setEnvironment } from "./emulator.ts";
import { findTool } from "./find-tool.ts";
import { tempFolder } from "./temp-folder.ts";

const program = findTool("azurite-blob", "AZURITE_BIN");

/** Why there is none here; undefined where there is. */
export const NO_AZURITE: string | undefined =
  program === undefined
    ? "no Azurite: npm install azurite somewhere, and AZURITE_BIN=…/node_modules/.bin/azurite-blob"
    : NO_OPENSSL;

/** The account that every Azurite has, and its key, which is in its documentation. */
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const HOST = `${ACCOUNT}.blob.core.windows.net`;
const CONTAINER = "container";

/** The URL of a prefix in an empty container, as `--replica` takes it. Litestream finds it by the environment. */
export async function azurite(prefix = "tenants"): Promise<string> {
  const { certPath, keyPath, cert } = await certificateFor(HOST);
  const port = await freePort();
  const data = ["--location", await tempFolder()];
  const place = ["--blobHost", "127.0.0.1", "--blobPort", String(port), ...data];
  const lenient = ["--skipApiVersionCheck", "--loose", "--silent", "--disableTelemetry"];
  await runEmulator(program ?? "", [...place, ...lenient, "--cert", certPath, "--key", keyPath], port);
  await makeContainer(port, cert);
  await leadTo(port);
  setEnvironment({ LITESTREAM_AZURE_ACCOUNT_KEY: KEY });
  return `abs://${ACCOUNT}@${CONTAINER}/${prefix}`;
}

async function makeContainer(port: number, ca: string): Promise<void> {
  const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-12-02" };
  const signed = [
    `PUT${"\n".repeat(11)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}:${value}`),
    `/${ACCOUNT}/${CONTAINER}`,
    "restype:container",
  ];
  const signature = createHmac("sha256", Buffer.from(KEY, "base64"))
    .update(signed.join("\n"))
    .digest("base64");
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port,
        servername: HOST,
        ca,
        method: "PUT",
        path: `/${CONTAINER}?restype=container`,
        headers: {
          ...headers,
          host: HOST,
          authorization: `SharedKey ${ACCOUNT}:${signature}`,
          "content-length": 0,
        },
      },
      (answer) => resolve(answer.resume().statusCode),
    );
    sent.on("error", reject).end();
  });
  if (status !== 201) throw new Error(`Azurite answered ${String(status)} to a new container.`);
}

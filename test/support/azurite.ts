// Owns Azure's object storage on loopback for a test, by Azurite, where that is installed. Litestream takes no endpoint
// in an abs URL: it asks for Azure's own host by a proxy, behind which Azurite answers for that host.
// Azure's client for Node goes the same way. Asserts nothing.
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { request } from "node:https";
import { type AddressInfo, connect } from "node:net";
import tls from "node:tls";
import { join } from "node:path";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { freePort, runEmulator, setEnvironment } from "./emulator.ts";
import { findTool } from "./find-tool.ts";
import { tempFolder } from "./temp-folder.ts";

const program = findTool("azurite-blob", "AZURITE_BIN");
const openssl = findTool("openssl", "OPENSSL_BIN");

/** Why there is none here; undefined where there is. */
export const NO_AZURITE: string | undefined =
  program === undefined
    ? "no Azurite: npm install azurite somewhere, and AZURITE_BIN=…/node_modules/.bin/azurite-blob"
    : openssl === undefined
      ? "no openssl, for the certificate that Azurite shows"
      : undefined;

/** The account that every Azurite has, and its key, which is in its documentation. */
const ACCOUNT = "devstoreaccount1";
const KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const HOST = `${ACCOUNT}.blob.core.windows.net`;
const CONTAINER = "container";

/** The URL of a prefix in an empty container, as `--replica` takes it. Litestream finds it by the environment. */
export async function azurite(prefix = "tenants"): Promise<string> {
  const dir = await tempFolder();
  const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", "/CN=azurite", "-addext", `subjectAltName=DNS:${HOST}`];
  await promisify(execFile)(openssl ?? "", [
    "req",
    "-x509",
    "-days",
    "2",
    ...curve,
    ...names,
    "-keyout",
    key,
    "-out",
    cert,
  ]);
  const port = await freePort();
  const place = ["--blobHost", "127.0.0.1", "--blobPort", String(port), "--location", join(dir, "data")];
  const lenient = ["--skipApiVersionCheck", "--loose", "--silent", "--disableTelemetry"];
  await runEmulator(program ?? "", [...place, ...lenient, "--cert", cert, "--key", key], port);
  const authority = await readFile(cert, "utf8");
  await makeContainer(port, authority);
  const trusted = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...trusted, authority]);
  onTestFinished(() => tls.setDefaultCACertificates(trusted));
  setEnvironment({
    HTTPS_PROXY: await proxyTo(port),
    SSL_CERT_FILE: cert,
    // For processes that a test starts.
    NODE_EXTRA_CA_CERTS: cert,
    LITESTREAM_AZURE_ACCOUNT_KEY: KEY,
  });
  return `abs://${ACCOUNT}@${CONTAINER}/${prefix}`;
}

/** A proxy that leads to the port, whatever host is asked for. */
async function proxyTo(port: number): Promise<string> {
  const proxy = createServer((_asked, answer) => void answer.writeHead(405).end());
  proxy.on("connect", (_asked, socket) => {
    const onward = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
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

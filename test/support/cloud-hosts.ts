// Owns leading whoever asks for the hosts of a cloud to a port of loopback, by a proxy and a certificate that is trusted
// until the test ends: neither Litestream nor the clients of Google and Azure are told another endpoint.
// Answers nothing itself.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { setEnvironment } from "./emulator.ts";
import { findTool } from "./find-tool.ts";
import { tempFolder } from "./temp-folder.ts";

const openssl = findTool("openssl", "OPENSSL_BIN");

/** Why no certificate can be made here; undefined where one can. */
export const NO_OPENSSL: string | undefined =
  openssl === undefined ? "no openssl, for a certificate" : undefined;

/** A certificate, in files and as text. */
export interface Certificate {
  readonly certPath: string;
  readonly keyPath: string;
  readonly cert: string;
  readonly key: string;
}

/** A certificate for these hosts, which this process and those that it starts trust. */
export async function certificateFor(...hosts: string[]): Promise<Certificate> {
  const dir = await tempFolder();
  const [certPath, keyPath] = [join(dir, "cert.pem"), join(dir, "key.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const altNames = `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(",")}`;
  const names = ["-subj", "/CN=stand-in", "-addext", altNames];
  const files = ["-keyout", keyPath, "-out", certPath];
  await promisify(execFile)(openssl ?? "", ["req", "-x509", "-days", "2", ...curve, ...names, ...files]);
  const [cert, key] = [await readFile(certPath, "utf8"), await readFile(keyPath, "utf8")];
  const trusted = tls.getCACertificates("default");
  tls.setDefaultCACertificates([...trusted, cert]);
  onTestFinished(() => tls.setDefaultCACertificates(trusted));
  setEnvironment({ SSL_CERT_FILE: certPath, NODE_EXTRA_CA_CERTS: certPath });
  return { certPath, keyPath, cert, key };
}

/** Leads every host that is asked for over TLS to the port. */
export async function leadTo(port: number): Promise<void> {
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
  setEnvironment({ HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
}

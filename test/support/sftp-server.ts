// Owns SFTP servers on loopback over a folder, for a test, with one user and one password: one of the tests' own, which
// knows no extensions, and OpenSSH's, where that is installed. Asserts nothing.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, type Stats } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, rm, rmdir, stat, utimes } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join, posix } from "node:path";
import ssh2, {
  type Authentication,
  type ClientConnection,
  type ServerChannel,
  type SftpAttributes,
  type SftpSession,
} from "ssh2";
import { onTestFinished } from "vitest";
import { findTool } from "./find-tool.ts";
import { tempFolder } from "./temp-folder.ts";

const { STATUS_CODE, flagsToString } = ssh2.utils.sftp;

const USER = "backup";
const PASSWORD = "sftp-password";
/** Where the user begins, as nearly everywhere, is not the root of the disk. */
const HOME = "/home/backup";
/** While there is a file of this name, the disk of the tests' own server is full. */
export const FULL = "disk-full";

/** What a folder holds and nobody has read yet. */
interface Listing {
  entries: { filename: string; longname: string; attrs: SftpAttributes }[];
}

const openSsh = findTool("sftp-server", "SFTP_SERVER_BIN", ["/usr/lib/openssh", "/usr/libexec/openssh"]);

/** Why OpenSSH's is not here; undefined where it is. */
export const NO_OPENSSH: string | undefined =
  openSsh === undefined
    ? "no OpenSSH: apt-get install openssh-sftp-server, or SFTP_SERVER_BIN=…/sftp-server"
    : undefined;

/** The URL of a prefix there, as `--replica` takes it, without OpenSSH's extensions: a rename replaces nothing. */
export async function sftpServer(prefix = "tenants"): Promise<string> {
  const { url, root } = await listen(prefix, (session) => {
    session.on("sftp", (accept: () => SftpSession) => serve(accept(), root));
  });
  await mkdir(join(root, HOME), { recursive: true });
  return url;
}

/** The same, served by OpenSSH's program. */
export async function openSshServer(prefix = "tenants"): Promise<string> {
  const { url, root } = await listen(prefix, (session) => {
    session.on("subsystem", (accept: () => ServerChannel) => {
      const channel = accept();
      // It ends when its input does.
      const program = spawn(openSsh ?? "", ["-e"], { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
      program.stdin.on("error", () => undefined);
      channel.pipe(program.stdin);
      program.stdout.pipe(channel);
      channel.on("close", () => program.stdin.destroy());
    });
  });
  return url;
}

/** Listens until the test ends. */
async function listen(
  prefix: string,
  onSession: (session: NodeJS.EventEmitter) => void,
): Promise<{ readonly url: string; readonly root: string }> {
  const root = await tempFolder();
  const clients = new Set<ClientConnection>();
  // Of the keys that ssh2 itself makes it cannot read one in three hundred.
  const { privateKey: hostKey } = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "sec1", format: "pem" },
  });
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    clients.add(client);
    // Each answer is small, and waited for.
    client.setNoDelay();
    client.on("close", () => clients.delete(client));
    // A client that is killed breaks its connection.
    client.on("error", () => undefined);
    client.on("authentication", (asked: Authentication) => {
      const { method, username, password } = asked;
      if (method === "password" && username === USER && password === PASSWORD) asked.accept();
      else asked.reject(["password"]);
    });
    client.on("session", (accept: () => NodeJS.EventEmitter) => onSession(accept()));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const client of clients) client.end();
    await new Promise((resolve) => void server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `sftp://${USER}:${PASSWORD}@127.0.0.1:${port}/${prefix}`, root };
}

function serve(sftp: SftpSession, root: string): void {
  const opened = new Map<string, FileHandle | Listing>();
  let count = 0;
  const here = (path: string): string => join(root, posix.resolve(HOME, path));
  const keep = (request: number, what: FileHandle | Listing): void => {
    const handle = Buffer.from(String(count++));
    opened.set(handle.toString(), what);
    sftp.handle(request, handle);
  };
  sftp.on("close", () => {
    for (const what of opened.values()) if ("close" in what) void what.close();
  });
  const file = (handle: Buffer): FileHandle => opened.get(handle.toString()) as FileHandle;
  /** Answers a request by what `work` does: it answers itself, or gives nothing, which is OK. */
  const on = <T extends unknown[]>(
    event: string,
    work: (request: number, ...args: T) => Promise<unknown>,
    answers = false,
  ): void => {
    sftp.on(event, (request: number, ...args: T) => {
      work(request, ...args).then(
        () => answers || sftp.status(request, STATUS_CODE.OK),
        ({ code }: NodeJS.ErrnoException) =>
          sftp.status(request, code === "ENOENT" ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE),
      );
    });
  };
  on<[string, number]>(
    "OPEN",
    async (request, path, flags) => keep(request, await open(here(path), flagsToString(flags) ?? "r")),
    true,
  );
  on<[Buffer, number, number]>(
    "READ",
    async (request, handle, offset, length) => {
      const { buffer, bytesRead } = await file(handle).read(Buffer.alloc(length), 0, length, offset);
      if (bytesRead === 0) sftp.status(request, STATUS_CODE.EOF);
      else sftp.data(request, buffer.subarray(0, bytesRead));
    },
    true,
  );
  on<[Buffer, number, Buffer]>("WRITE", async (_, handle, offset, data) => {
    if (existsSync(here(FULL))) throw new Error("The disk is full.");
    await file(handle).write(data, 0, data.length, offset);
  });
  on<[Buffer]>(
    "FSTAT",
    async (request, handle) => sftp.attrs(request, attributes(await file(handle).stat())),
    true,
  );
  on<[Buffer]>("CLOSE", async (_, handle) => {
    const what = opened.get(handle.toString());
    opened.delete(handle.toString());
    if (what && "close" in what) await what.close();
  });
  on<[string]>(
    "OPENDIR",
    async (request, path) => keep(request, { entries: await entriesOf(here(path)) }),
    true,
  );
  on<[Buffer]>(
    "READDIR",
    async (request, handle) => {
      const entries = (opened.get(handle.toString()) as Listing).entries.splice(0);
      if (entries.length === 0) sftp.status(request, STATUS_CODE.EOF);
      else sftp.name(request, entries);
    },
    true,
  );
  for (const event of ["STAT", "LSTAT"]) {
    on<[string]>(
      event,
      async (request, path) => sftp.attrs(request, attributes(await stat(here(path)))),
      true,
    );
  }
  on<[string, SftpAttributes]>("SETSTAT", (_, path, { atime, mtime }) => utimes(here(path), atime, mtime));
  on<[string]>("MKDIR", (_, path) => mkdir(here(path)));
  on<[string]>("REMOVE", (_, path) => rm(here(path)));
  on<[string]>("RMDIR", (_, path) => rmdir(here(path)));
  on<[string, string]>("RENAME", async (_, from, to) => {
    await link(here(from), here(to));
    await rm(here(from));
  });
}

async function entriesOf(folder: string): Promise<Listing["entries"]> {
  const names = await readdir(folder);
  const entries = await Promise.all(
    names.map(async (filename) => {
      // One that is gone by now is left out.
      const stats = await stat(join(folder, filename)).catch(() => undefined);
      return stats ? [{ filename, longname: filename, attrs: attributes(stats) }] : [];
    }),
  );
  return entries.flat();
}

function attributes({ mode, uid, gid, size, atimeMs, mtimeMs }: Stats): SftpAttributes {
  const [atime, mtime] = [Math.floor(atimeMs / 1000), Math.floor(mtimeMs / 1000)];
  return { mode, uid, gid, size, atime, mtime };
}

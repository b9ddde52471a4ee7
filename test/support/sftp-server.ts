// Owns an SFTP server on loopback over a folder, for a test: one user, one password, and what Litestream's client does.
// Asserts nothing.
import type { Stats } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat, utimes } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join, posix } from "node:path";
import ssh2, {
  type Authentication,
  type ClientConnection,
  type SftpAttributes,
  type SftpSession,
} from "ssh2";
import { onTestFinished } from "vitest";
import { tempFolder } from "./temp-folder.ts";

const { STATUS_CODE, flagsToString } = ssh2.utils.sftp;

const USER = "backup";
const PASSWORD = "sftp-password";

/** What a folder holds and nobody has read yet. */
interface Listing {
  entries: { filename: string; longname: string; attrs: SftpAttributes }[];
}

/** The URL of a prefix there, as `--replica` takes it. */
export async function sftpServer(prefix = "tenants"): Promise<string> {
  const root = await tempFolder();
  const clients = new Set<ClientConnection>();
  const { private: hostKey } = ssh2.utils.generateKeyPairSync("ed25519");
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
    client.on("session", (accept: () => NodeJS.EventEmitter) => {
      accept().on("sftp", (acceptSftp: () => SftpSession) => serve(acceptSftp(), root));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    for (const client of clients) client.end();
    await new Promise((resolve) => void server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return `sftp://${USER}:${PASSWORD}@127.0.0.1:${port}/${prefix}`;
}

function serve(sftp: SftpSession, root: string): void {
  const opened = new Map<string, FileHandle | Listing>();
  let count = 0;
  const here = (path: string): string => join(root, posix.normalize(`/${path}`));
  const keep = (request: number, what: FileHandle | Listing): void => {
    const handle = Buffer.from(String(count++));
    opened.set(handle.toString(), what);
    sftp.handle(request, handle);
  };
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
  on<[Buffer, number, Buffer]>("WRITE", (_, handle, offset, data) =>
    file(handle).write(data, 0, data.length, offset),
  );
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
  on<[string, string]>("RENAME", (_, from, to) => rename(here(from), here(to)));
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

// Owns what is asked of an SFTP server, and what its refusals mean.
// Has no connection of its own: sftp-connection.ts has, and gives each answer its time limit.
import { posix } from "node:path";
import type { SftpClientSession, SftpName } from "ssh2";

/** A file that is open there. */
export interface SftpFile {
  /** @returns the number of bytes; less than the buffer's only at the file's end */
  read(buffer: Buffer, position: number): Promise<number>;
  write(buffer: Buffer, position: number): Promise<void>;
  /** Brings what was written to the disk, where the server can be asked for it. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What a folder has. */
export interface SftpEntry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly bytes: number;
}

/** Requests to a server. Paths begin where its user does, as Litestream's do. */
export interface SftpRequests {
  /** Opens a file to read it; undefined where there is none. */
  open(path: string): Promise<SftpFile | undefined>;
  /** Opens an empty file to write it, in the place of what is there. */
  openEmpty(path: string): Promise<SftpFile>;
  /** Makes a file to write it; undefined where there is one. Of many at once one makes it. */
  create(path: string): Promise<SftpFile | undefined>;
  /** What a folder has; undefined where there is no such folder. */
  entries(path: string): Promise<SftpEntry[] | undefined>;
  /** Makes the folder, and those above it. */
  makeFolder(path: string): Promise<void>;
  /** Replaces what is at `to`; where the server knows no such request, that is removed first. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Removes a folder if nothing is in it. @returns whether it has been removed */
  removeFolder(path: string): Promise<boolean>;
}

/** Takes an answer. */
export type Answer<T> = (error: Error | undefined, value: T) => void;

/** Sends a request, and gives its answer. */
export type Ask = <T = void>(send: (answer: Answer<T>) => void) => Promise<T>;

/** An answer that is no. */
export class SftpRefusal extends Error {
  override readonly name = "SftpRefusal";
  readonly status: number;

  constructor(what: string, { message }: Error, status: number) {
    super(`"${what}" was answered "${message}"`);
    this.status = status;
  }
}

// The statuses that mean something. Of a file that is there already, a folder that is not empty and a full disk servers
// only say that it failed.
const EOF = 1;
const NO_SUCH_FILE = 2;
const UNKNOWN_REQUEST = 8;

const FILE_TYPE = 0o170000;
const FOLDER = 0o040000;

/** The requests of a session, each sent by `ask`. */
export function sftpRequests(session: SftpClientSession, ask: Ask): SftpRequests {
  const request = async <T = void>(what: string, send: (answer: Answer<T>) => void): Promise<T> => {
    try {
      return await ask<T>(send);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // What the server has not announced is not sent to it.
      if (/does not support/.test(error.message)) throw new SftpRefusal(what, error, UNKNOWN_REQUEST);
      throw isAnswer(error) ? new SftpRefusal(what, error, error.code) : error;
    }
  };
  const exists = async (path: string): Promise<boolean> => {
    const found = request<unknown>(`lstat ${path}`, (answer) => session.lstat(path, answer));
    return (await unless(NO_SUCH_FILE, found)) !== undefined;
  };
  const remove = (path: string): Promise<void> =>
    unless(
      NO_SUCH_FILE,
      request(`remove ${path}`, (answer) => session.unlink(path, answer)),
    );
  const closeHandle = (path: string, handle: Buffer): Promise<void> =>
    request(`close ${path}`, (answer) => session.close(handle, answer));
  const fileOf = (path: string, handle: Buffer): SftpFile => ({
    async read(buffer, position) {
      let length = 0;
      while (length < buffer.length) {
        const left = buffer.length - length;
        const part = await request<number>(`read ${path}`, (answer) =>
          session.read(handle, buffer, length, left, position + length, answer),
        );
        if (part === 0) break;
        length += part;
      }
      return length;
    },
    write: (buffer, position) =>
      request(`write ${path}`, (answer) => session.write(handle, buffer, 0, buffer.length, position, answer)),
    sync: () =>
      unless(
        UNKNOWN_REQUEST,
        request(`fsync ${path}`, (answer) => session.ext_openssh_fsync(handle, answer)),
      ),
    close: () => closeHandle(path, handle),
  });
  const open = async (path: string, flags: "r" | "w" | "wx"): Promise<SftpFile> =>
    fileOf(path, await request<Buffer>(`open ${path}`, (answer) => session.open(path, flags, answer)));
  const makeFolder = async (path: string): Promise<void> => {
    if (path === "" || path === "." || (await exists(path))) return;
    await makeFolder(posix.dirname(path));
    await request(`mkdir ${path}`, (answer) => session.mkdir(path, answer)).catch(async (error: unknown) => {
      // Somebody was quicker.
      if (!(error instanceof SftpRefusal) || !(await exists(path))) throw error;
    });
  };
  return {
    open: (path) => unless(NO_SUCH_FILE, open(path, "r")),
    openEmpty: (path) => open(path, "w"),
    async create(path) {
      try {
        return await open(path, "wx");
      } catch (error) {
        if (error instanceof SftpRefusal && (await exists(path))) return undefined;
        throw error;
      }
    },
    async entries(path) {
      const handle = await unless(
        NO_SUCH_FILE,
        request<Buffer>(`opendir ${path}`, (answer) => session.opendir(path, answer)),
      );
      if (!handle) return undefined;
      const all: SftpEntry[] = [];
      for (;;) {
        const some = await unless(
          EOF,
          request<readonly SftpName[]>(`readdir ${path}`, (answer) => session.readdir(handle, answer)),
        );
        if (!some) break;
        for (const { filename, attrs } of some) {
          all.push({ name: filename, isFolder: (attrs.mode & FILE_TYPE) === FOLDER, bytes: attrs.size });
        }
      }
      await closeHandle(path, handle);
      return all;
    },
    makeFolder,
    async rename(from, to) {
      try {
        await request(`rename ${to}`, (answer) => session.ext_openssh_rename(from, to, answer));
      } catch (error) {
        if (!(error instanceof SftpRefusal) || error.status !== UNKNOWN_REQUEST) throw error;
        await remove(to);
        await request(`rename ${to}`, (answer) => session.rename(from, to, answer));
      }
    },
    remove,
    async removeFolder(path) {
      try {
        await request(`rmdir ${path}`, (answer) => session.rmdir(path, answer));
        return true;
      } catch (error) {
        if (error instanceof SftpRefusal) return false;
        throw error;
      }
    },
  };
}

/** Whether an error is the server's answer, which has a status; the others are of the connection. */
export function isAnswer(error: Error): error is Error & { readonly code: number } {
  return "code" in error && typeof error.code === "number";
}

async function unless<T>(status: number, answered: Promise<T>): Promise<T | undefined>;
async function unless(status: number, answered: Promise<void>): Promise<void>;
async function unless(status: number, answered: Promise<unknown>): Promise<unknown> {
  try {
    return await answered;
  } catch (error) {
    if (error instanceof SftpRefusal && error.status === status) return undefined;
    throw error;
  }
}

// Owns what the client of sftp:// needs of ssh2, whose own types are of another Node.
// Says nothing about the rest of it; the tests' server adds what it needs in test/support/ssh2.d.ts.
declare module "ssh2" {
  import type { Socket } from "node:net";

  export interface SftpAttributes {
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly size: number;
    /** In seconds since 1970, as `mtime`. */
    readonly atime: number;
    readonly mtime: number;
  }

  /** An entry of a folder. */
  export interface SftpName {
    readonly filename: string;
    readonly attrs: SftpAttributes;
  }

  type Answer<T = void> = (error: Error | undefined, value: T) => void;

  /** An SFTP session, as the client has it. Errors of the server have its status as `code`. */
  export interface SftpClientSession {
    on(event: "error", listener: (error: Error) => void): this;
    on(event: "close", listener: () => void): this;
    open(path: string, flags: "r" | "w" | "wx", answer: Answer<Buffer>): void;
    close(handle: Buffer, answer: Answer): void;
    /** Gives the number of bytes, 0 at the end. */
    read(
      handle: Buffer,
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      answer: Answer<number>,
    ): void;
    write(
      handle: Buffer,
      buffer: Buffer,
      offset: number,
      length: number,
      position: number,
      answer: Answer,
    ): void;
    opendir(path: string, answer: Answer<Buffer>): void;
    /** Gives some of the entries, without `.` and `..`; an error of status EOF after the last. */
    readdir(handle: Buffer, answer: Answer<readonly SftpName[]>): void;
    lstat(path: string, answer: Answer<SftpAttributes>): void;
    mkdir(path: string, answer: Answer): void;
    rmdir(path: string, answer: Answer): void;
    unlink(path: string, answer: Answer): void;
    rename(from: string, to: string, answer: Answer): void;
    /** @throws where the server has no such request, as the next one */
    ext_openssh_rename(from: string, to: string, answer: Answer): void;
    ext_openssh_fsync(handle: Buffer, answer: Answer): void;
  }

  export interface SshClient {
    on(event: "ready" | "close", listener: () => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    connect(options: {
      readonly sock: Socket;
      readonly username: string;
      readonly password?: string;
      readonly readyTimeout: number;
    }): void;
    sftp(answer: Answer<SftpClientSession>): void;
    end(): void;
  }

  export interface Ssh2Sftp {
    readonly STATUS_CODE: Readonly<
      Record<"OK" | "EOF" | "NO_SUCH_FILE" | "PERMISSION_DENIED" | "FAILURE", number>
    >;
  }

  export interface Ssh2Utils {
    readonly sftp: Ssh2Sftp;
  }

  export interface Ssh2 {
    readonly Client: new () => SshClient;
    readonly utils: Ssh2Utils;
  }

  const ssh2: Ssh2;
  export default ssh2;
}

// Owns what the SFTP server of the tests needs of ssh2, whose own types are of another Node.
// Says nothing about the rest of it.
declare module "ssh2" {
  import type { EventEmitter } from "node:events";
  import type { Server as NetServer } from "node:net";

  export interface SftpAttributes {
    readonly mode: number;
    readonly uid: number;
    readonly gid: number;
    readonly size: number;
    /** In seconds since 1970, as `mtime`. */
    readonly atime: number;
    readonly mtime: number;
  }

  /** An SFTP session, as the server has it. */
  export interface SftpSession extends EventEmitter {
    status(request: number, code: number): void;
    handle(request: number, handle: Buffer): void;
    data(request: number, data: Buffer): void;
    name(request: number, names: { filename: string; longname: string; attrs: SftpAttributes }[]): void;
    attrs(request: number, attributes: SftpAttributes): void;
  }

  export interface Authentication {
    readonly method: string;
    readonly username: string;
    readonly password?: string;
    accept(): void;
    reject(methods?: string[]): void;
  }

  export interface ClientConnection extends EventEmitter {
    end(): void;
    setNoDelay(): void;
  }

  const ssh2: {
    Server: new (
      options: { hostKeys: string[] },
      onConnection: (client: ClientConnection) => void,
    ) => NetServer;
    utils: {
      generateKeyPairSync(type: "ed25519"): { private: string };
      sftp: {
        STATUS_CODE: Readonly<Record<"OK" | "EOF" | "NO_SUCH_FILE" | "FAILURE", number>>;
        flagsToString(flags: number): string | null;
      };
    };
  };
  export default ssh2;
}

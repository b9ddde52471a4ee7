// Owns what the SFTP server of the tests needs of ssh2, beside what the client does (src/backups/ssh2.d.ts).
// Says nothing about the rest of it.
declare module "ssh2" {
  import type { EventEmitter } from "node:events";
  import type { Server as NetServer } from "node:net";
  import type { Duplex } from "node:stream";

  /** An SFTP session, as the server has it. */
  export interface SftpSession extends EventEmitter {
    status(request: number, code: number): void;
    handle(request: number, handle: Buffer): void;
    data(request: number, data: Buffer): void;
    name(request: number, names: { filename: string; longname: string; attrs: SftpAttributes }[]): void;
    attrs(request: number, attributes: SftpAttributes): void;
  }

  /** What a program's input and output are sent over. */
  export interface ServerChannel extends Duplex {
    exit(code: number): void;
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

  export interface Ssh2Sftp {
    flagsToString(flags: number): string | null;
  }

  export interface Ssh2 {
    readonly Server: new (
      options: { hostKeys: string[] },
      onConnection: (client: ClientConnection) => void,
    ) => NetServer;
  }
}

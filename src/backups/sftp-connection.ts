// Owns a connection to an SFTP server: begun when it is needed and anew where it has broken, with a time limit for
// every answer, and ended when nobody has needed it for a while. It keeps no process from ending.
// Does not know what is stored there.
import { connect } from "node:net";
import type { SftpClientSession, Ssh2 } from "ssh2";
import { TenantryError } from "../tenantry-error.ts";
import { notInstalled } from "./not-installed.ts";
import type { ReplicaUrl } from "./replica-url.ts";
import { type Answer, isAnswer, SftpRefusal, type SftpRequests, sftpRequests } from "./sftp-requests.ts";

export const DEFAULT_CONNECT_TIMEOUT_MS = 20_000;
export const DEFAULT_ANSWER_TIMEOUT_MS = 60_000;
/** Longer than between two renewals of a lease. */
export const DEFAULT_IDLE_MS = 30_000;

/**
 * Does some work over the connection, which is shared by all works of the moment. Where it breaks and was there before
 * the work, the work begins anew, once.
 * @throws {TenantryError} `BACKUPS_UNAVAILABLE` where the server, or the way to it, fails; else what the work throws
 */
export type SftpConnection = <T>(work: (sftp: SftpRequests) => Promise<T>) => Promise<T>;

/** Options of {@link sftpConnection}. */
export interface SftpConnectionOptions {
  /** Milliseconds for reaching the server and logging in there. @default 20000 */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for each answer after that: bringing a large file to the disk is one. @default 60000 */
  readonly answerTimeoutMs?: number;
  /** Milliseconds for which a connection is kept that nobody uses. @default 30000 */
  readonly idleMs?: number;
}

/** The connection to the server of an sftp URL; nothing is begun yet. @throws {TenantryError} `UNSUPPORTED` without `ssh2` */
export async function sftpConnection(
  url: ReplicaUrl,
  options: SftpConnectionOptions = {},
): Promise<SftpConnection> {
  await loadSsh2();
  let current: Promise<Session> | undefined;
  const begin = (): Promise<Session> => {
    const session = connectTo(url, options, () => {
      if (current === session) current = undefined;
    });
    return session;
  };
  return async (work) => {
    for (let again = false; ; again = true) {
      const isKept = current !== undefined;
      current ??= begin();
      let session: Session | undefined;
      try {
        session = await current;
        return await session.during(work);
      } catch (error) {
        if (session?.broken && isKept && !again) continue;
        const isOfTheirs = session === undefined || error === session.broken || error instanceof SftpRefusal;
        throw isOfTheirs ? unavailable(url, error) : error;
      }
    }
  };
}

interface Session {
  /** By what it has broken. */
  readonly broken: Error | undefined;
  during<T>(work: (sftp: SftpRequests) => Promise<T>): Promise<T>;
}

/** @param onEnd it could not be begun, or has broken, or has ended */
async function connectTo(
  url: ReplicaUrl,
  {
    connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS,
    answerTimeoutMs = DEFAULT_ANSWER_TIMEOUT_MS,
    idleMs = DEFAULT_IDLE_MS,
  }: SftpConnectionOptions,
  onEnd: () => void,
): Promise<Session> {
  const { Client } = await loadSsh2();
  const { hostname, port, username, password } = new URL(url.at(""));
  // An IPv6 address has brackets there.
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 22), noDelay: true });
  const client = new Client();
  const waiting = new Set<(error: Error) => void>();
  let broken: Error | undefined;
  const breakOff = (error: Error): void => {
    broken ??= error;
    onEnd();
    socket.destroy();
    for (const reject of waiting) reject(broken);
  };
  client.on("error", breakOff).on("close", () => breakOff(new Error("the connection has been closed")));

  const ask = <T>(send: (answer: Answer<T>) => void): Promise<T> => {
    if (broken) return Promise.reject(broken);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const late = setTimeout(() => {
      breakOff(new Error(`there was no answer within ${answerTimeoutMs / 1000} s`));
    }, answerTimeoutMs);
    waiting.add(reject);
    const end = (): void => {
      clearTimeout(late);
      waiting.delete(reject);
    };
    promise.then(end, end);
    try {
      send((error, value) => {
        if (!error) resolve(value);
        else if (isAnswer(error)) reject(error);
        else breakOff(error);
      });
    } catch (error) {
      reject(error);
    }
    return promise;
  };

  try {
    await ask<void>((answer) => {
      client.on("ready", () => answer(undefined));
      client.connect({
        sock: socket,
        username: decodeURIComponent(username),
        ...(password !== "" && { password: decodeURIComponent(password) }),
        readyTimeout: connectTimeoutMs,
      });
    });
    const session = await ask<SftpClientSession>((answer) => client.sftp(answer));
    session.on("error", breakOff).on("close", () => breakOff(new Error("the session has been closed")));
    const requests = sftpRequests(session, ask);
    let works = 0;
    let idle: ReturnType<typeof setTimeout> | undefined;
    const end = (): void => {
      onEnd();
      client.end();
      socket.destroySoon();
    };
    return {
      get broken() {
        return broken;
      },
      async during(work) {
        works++;
        clearTimeout(idle);
        socket.ref();
        try {
          return await work(requests);
        } finally {
          works--;
          if (works === 0) {
            socket.unref();
            idle = setTimeout(end, idleMs).unref();
          }
        }
      },
    };
  } catch (error) {
    breakOff(error as Error);
    throw error;
  }
}

async function loadSsh2(): Promise<Ssh2> {
  return (await import("ssh2").catch(notInstalled("ssh2"))).default;
}

function unavailable(url: ReplicaUrl, cause: unknown): TenantryError {
  const words = cause instanceof Error ? cause.message : String(cause);
  const why = /authentication methods failed/.test(words) ? "the user or the password is refused" : words;
  return new TenantryError("BACKUPS_UNAVAILABLE", `${url.shown} cannot be used: ${why}.`, {
    hint: "Check the URL, its user and password, what that user may do there, the disk there and the network.",
    retryAfterSeconds: 10,
    cause,
  });
}

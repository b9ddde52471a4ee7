// Owns a libSQL primary with synchronisation, as Turso is one, for replicas to be tested with: a process of its own,
// what it is told to do, and its end. libSQL's native client knows no other way to it than a socket.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import type { PrimaryActs } from "../fixtures/libsql-primary/main.ts";
import { tempFolder } from "./temp-folder.ts";

const PROGRAM = new URL("../fixtures/libsql-primary/main.ts", import.meta.url);

type Said = { readonly at: string } | { readonly result: unknown };

/** A primary with the tables of notes. It ends with the test. */
export class LibsqlPrimary {
  /** With `{tenant}` in it. */
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = `${url}/t/{tenant}`;
  }

  static async start(...tenants: readonly string[]): Promise<LibsqlPrimary> {
    const child = fork(PROGRAM, [await tempFolder()]);
    onTestFinished(async () => {
      if (child.kill("SIGKILL")) await once(child, "exit");
    });
    const url = (await tell(child, "listen", 0)) as string;
    const primary = new LibsqlPrimary(child, url);
    for (const tenant of tenants) await primary.do("create", tenant);
    return primary;
  }

  /** Does it, and gives what it gave. One thing at a time. */
  async do<Act extends keyof PrimaryActs>(
    act: Act,
    ...args: Parameters<PrimaryActs[Act]>
  ): Promise<Awaited<ReturnType<PrimaryActs[Act]>>> {
    return (await tell(this.#child, act, ...args)) as Awaited<ReturnType<PrimaryActs[Act]>>;
  }

  /** Listens again where it did. */
  async back(): Promise<void> {
    await this.do("listen", Number(new URL(this.url).port));
  }

  /** When it next says that it is there. */
  until(at: string): Promise<void> {
    return new Promise((resolve) => {
      const hear = (said: Said): void => {
        if (!("at" in said) || said.at !== at) return;
        this.#child.off("message", hear);
        resolve();
      };
      this.#child.on("message", hear);
    });
  }
}

function tell(child: ChildProcess, act: string, ...args: readonly unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const hear = (said: Said): void => {
      if ("at" in said) return;
      child.off("message", hear).off("exit", reject);
      resolve(said.result);
    };
    child.on("message", hear).once("exit", reject);
    child.send([act, ...args]);
  });
}

// Owns waiting for the URL that a server's process says when it listens, and ending that process with the test.
// Starts nothing.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";

/** The first URL of loopback that a process says; the process ends with the test. */
export async function saidUrl(started: ChildProcess): Promise<string> {
  onTestFinished(async () => {
    const ended = once(started, "exit");
    if (started.exitCode === null && started.kill("SIGTERM")) await ended;
  });
  let said = "";
  return new Promise((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString();
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
      if (url !== undefined) resolve(url);
    };
    started.stdout?.on("data", hear);
    started.stderr?.on("data", hear);
    started.once("exit", (code) => reject(new Error(`ended with ${code}: ${said}`)));
  });
}

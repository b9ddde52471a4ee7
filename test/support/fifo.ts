// Owns making a named pipe, which Node cannot.
import { execFileSync } from "node:child_process";

/** Makes a named pipe at `path`. */
export function mkfifoSync(path: string): void {
  execFileSync("mkfifo", [path]);
}

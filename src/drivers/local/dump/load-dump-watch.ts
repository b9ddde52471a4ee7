// Owns the thread that ends a loading process when its time is up, or when whoever started it has died: a statement
// that does not end holds the other thread. Is started by load-dump-entry.ts.
import { Socket } from "node:net";
import { workerData } from "node:worker_threads";

/** The descriptor that closes when the other process dies. */
const LIFELINE_FD = 3;

const kill = (): void => void process.kill(process.pid, "SIGKILL");
const lifeline = new Socket({ fd: LIFELINE_FD });
lifeline.on("error", () => {});
lifeline.on("close", kill);
lifeline.resume();
setTimeout(kill, workerData as number);

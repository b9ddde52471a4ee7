// Owns the thread that ends an executor whose main process has died: also in the middle of a statement, which holds
// the other thread's event loop for as long as it likes. Is started by executor-main.ts.
import { Socket } from "node:net";

/** The descriptor that closes when the main process dies. */
const LIFELINE_FD = 4;
/** Milliseconds in which an executor that can still end by itself does so. */
const GRACE_MS = 500;

const lifeline = new Socket({ fd: LIFELINE_FD });
lifeline.on("error", () => {});
lifeline.on("close", () => setTimeout(() => process.kill(process.pid, "SIGKILL"), GRACE_MS));
lifeline.resume();

// Owns what a job is: work for an executor, and who is told of its answer.
// Runs none: lane.ts does.
import type { TenantryError } from "../tenantry-error.ts";
import type { Executor } from "./executor.ts";
import type { MessageBody } from "./channel.ts";
import type { Ask } from "./messages.ts";

/** A job, as a lane takes it. */
export interface Job {
  readonly tenant: string;
  /** Milliseconds that it may take, in line and running. */
  readonly timeoutMs: number;
  /** Whether running it twice is the same as running it once. Asked only when an executor was lost. */
  readonly repeatable: () => boolean;
  readonly make: (job: number, startBefore: number) => Ask;
  readonly body: MessageBody;
  /** An executor has it now. */
  onGiven?(pin: Pin): void;
  onHttp?(
    status: number,
    headers: Readonly<Record<string, string>>,
    body: MessageBody,
    last: boolean,
    taken: Taken,
  ): void;
  onChunk?(body: Uint8Array, last: boolean): void;
  onValue?(body: Uint8Array): void;
  onError(error: TenantryError): void;
}

/** Tells the executor how much of an answer has been taken, or that nobody wants the rest. */
export interface Taken {
  /** Where it comes from. */
  readonly pin: Pin;
  more(bytes: number): void;
  forget(): void;
}

/** An executor to go on with, and its lane: see `Lane.runOn`. */
export interface Pin {
  readonly lane: { runOn(executor: Executor, job: Job): void };
  readonly executor: Executor;
}

/** A job that an executor has. */
export interface Running {
  readonly job: Job;
  readonly executor: Executor;
  /** Its number in the lane. */
  entry: number;
  /** Its number in the executor. */
  readonly number: number;
  readonly deadline: number;
  /** Gives its place in the window back. */
  readonly leave: () => void;
  /** Its answer has begun: it cannot be run again, and is past its time limit. */
  answering: boolean;
  /** What it is told if it is lost now. */
  verdict: TenantryError | undefined;
}

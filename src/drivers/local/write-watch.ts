// Owns what a write asks before it begins, and before anybody is told that it is done.
// Does not know who answers, nor why.

/**
 * Is asked before a write of one database, and after its commit, before anybody is told of it. Undefined says
 * at once that all is well; a rejection is the write's.
 */
export interface WriteWatch {
  before(): Promise<void> | undefined;
  after(): Promise<void> | undefined;
}

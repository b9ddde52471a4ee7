// Owns the order in which handles became idle. Adding and removing one moves a few pointers: a busy handle does
// both on each request, for which a map takes a microsecond and an LRU cache two (decisions/071-hot-path.md).
// Does not know what is idle, and closes nothing.

/** What can be in an {@link IdleList}; in one at a time. */
export interface IdleNode<Node> {
  older: Node | undefined;
  newer: Node | undefined;
}

/** A doubly linked list, from what has been idle for longest to what has just become so. */
export class IdleList<Node extends IdleNode<Node>> {
  #oldest: Node | undefined;
  #newest: Node | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** What has been idle for longest. */
  get oldest(): Node | undefined {
    return this.#oldest;
  }

  /** Puts a node that is not in the list at its new end. */
  add(node: Node): void {
    node.older = this.#newest;
    if (this.#newest) this.#newest.newer = node;
    else this.#oldest = node;
    this.#newest = node;
    this.#size++;
  }

  /** Takes out a node that is in the list. */
  remove(node: Node): void {
    if (node.older) node.older.newer = node.newer;
    else this.#oldest = node.newer;
    if (node.newer) node.newer.older = node.older;
    else this.#newest = node.older;
    node.older = undefined;
    node.newer = undefined;
    this.#size--;
  }
}

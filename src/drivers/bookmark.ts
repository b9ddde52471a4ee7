// Owns what a bookmark looks like, of D1 and of Durable Objects alike.
// Does not know what one stands for: the driver does.

/** Any bookmark, and nothing that would not be one. */
export const BOOKMARK = /^[A-Za-z0-9-]{1,200}$/;

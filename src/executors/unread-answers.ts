// Owns how many large answers of a tenant are on their way: each is kept until its reader has taken it.
// Sends none: answer-stream.ts does.
import { TenantryError } from "../tenantry-error.ts";

/** Large answers of one tenant that may be on their way at once. */
const MAX_UNREAD_ANSWERS = 16;

/** Counts them. */
export class UnreadAnswers {
  readonly #byTenant = new Map<string, number>();

  /** Why the tenant may ask for nothing more now. */
  refusal(tenant: string): TenantryError | undefined {
    if ((this.#byTenant.get(tenant) ?? 0) < MAX_UNREAD_ANSWERS) return undefined;
    return new TenantryError(
      "TOO_MANY_REQUESTS",
      `${MAX_UNREAD_ANSWERS} large answers of this tenant have not been read to their ends.`,
      { tenant, hint: "Read them, or ask for less at a time.", retryAfterSeconds: 1 },
    );
  }

  /** One more is on its way. @returns what is to be called once, when it is no longer */
  begin(tenant: string): () => void {
    this.#byTenant.set(tenant, (this.#byTenant.get(tenant) ?? 0) + 1);
    return () => {
      const left = (this.#byTenant.get(tenant) ?? 0) - 1;
      if (left <= 0) this.#byTenant.delete(tenant);
      else this.#byTenant.set(tenant, left);
    };
  }
}

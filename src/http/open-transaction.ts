// Owns telling from a request's body that it goes on with a transaction which is open: others may be waiting for its
// end, so that it waits behind none of them. Runs nothing, and reads no body itself.
import { Batons } from "../hrana/baton.ts";

/** The baton of a Hrana request, where its client writes it first, as all do. */
const BATON = /^\s*\{\s*"baton"\s*:\s*"([\w+/=-]{1,100})"/;

/** Whether a Hrana request with this body goes on with an open transaction of the incarnation's. */
export type GoesOn = (body: string, incarnation: string) => Promise<boolean>;

/** @param batonKey signs the batons of all who run statements. @throws {TenantryError} `INVALID_OPTION` */
export function goesOnWith(batonKey: string): GoesOn {
  const batons = new Batons(batonKey);
  return async (body, incarnation) => {
    const baton = BATON.exec(body)?.[1];
    return baton !== undefined && (await batons.read(baton, incarnation))?.open === true;
  };
}

// Owns the reference run: the contract against D1 itself, in workerd.
import { env, reset } from "cloudflare:test";
import { driverContract } from "../driver-contract.ts";

driverContract("D1 in workerd", {
  open: async () => {
    await reset();
    return env.DB;
  },
});

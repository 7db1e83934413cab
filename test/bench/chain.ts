/**
 * Bench of the chain. Every figure is a ratio to a floor of the same run. Costs are CPU time of the
 * whole process, threads included, so that a busy machine does not change them; speed-up is time by
 * the clock, and means something on an idle machine alone. `README.md` explains what is missed.
 */
import { benchSlots } from "./chain-slots.ts";
import { benchTransactions } from "./chain-transactions.ts";

export async function benchChain(): Promise<object> {
  return {
    transactions: await benchTransactions(),
    slots: await benchSlots(),
    residentMaxMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

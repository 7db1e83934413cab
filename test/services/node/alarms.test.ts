/** Method: a chain whose region goes out and comes back; what the log is told, each once. */
import { expect, test } from "vitest";
import { watchLanes } from "../../../services/node/alarms.ts";
import { createChainFixture } from "../../support/chain-fixture.ts";

test("the alarm is one error when a lane goes out, and a word when it is back", () => {
  const chain = createChainFixture();
  const { id } = chain.genesis.regions[1]!;
  const told: unknown[][] = [];
  const log = {
    error: (facts: unknown, what: unknown) => told.push(["error", what, facts]),
    info: (facts: unknown, what: unknown) => told.push(["info", what, facts]),
  } as unknown as Parameters<typeof watchLanes>[1];
  const stop = watchLanes(chain, log);
  chain.clearSlot();
  chain.quarantine(1);
  chain.clearSlot();
  chain.clearSlot();
  const facts = { region: id, step: "open", fix: expect.stringContaining(`lanes release ${id}`) };
  expect(told).toEqual([["error", "lane quarantined", expect.objectContaining(facts)]]);
  // A node that starts says who is out already.
  watchLanes(chain, log)();
  expect(told).toHaveLength(2);
  chain.catchUp(1);
  expect(told.slice(2)).toEqual([["info", "lane in the market again", { region: id }]]);
  stop();
  chain.quarantine(1);
  chain.clearSlot();
  expect(told).toHaveLength(3);
});

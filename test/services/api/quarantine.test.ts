/** Method: a fixture chain with a region that is out; what the API says of it, and of orders. */
import { expect, test } from "vitest";
import type { CommitteeOrders, Region, Status } from "../../../services/wire/api.ts";
import { createHarness } from "./harness.ts";

test("a region that is out of the market is shown with the way back", async () => {
  const harness = await createHarness({ slots: 2 });
  const { chain } = harness;
  chain.quarantine(1);
  for (let i = 0; i < 3; i++) chain.clearSlot();
  const regions = await harness.json<Region[]>("/api/v1/regions");
  const { id } = chain.genesis.regions[1]!;
  expect(regions.map(({ quarantine }) => quarantine)).toEqual(
    chain.genesis.regions.map((_, r) =>
      r !== 1
        ? null
        : {
            ...{ standing: "quarantined", sinceSlot: chain.firstSlot + 2, step: "open" },
            missedSlots: 3,
            fix: expect.stringContaining(`gridlane lanes release ${id}`),
          },
    ),
  );
  expect(regions[1]!.lastSlot?.slot).toBe(chain.firstSlot + 1);
  const status = await harness.json<Status>("/api/v1/status");
  expect(status).toMatchObject({ clearedSlots: 5, lastSlot: chain.firstSlot + 4 });
  chain.catchUp(1);
  const [, back] = await harness.json<Region[]>("/api/v1/regions");
  expect(back).toMatchObject({ quarantine: null });
  expect(back!.lastSlot?.slot).toBe(chain.firstSlot + 4);
});

test("the committee's orders say the next number and the version", async () => {
  const harness = await createHarness();
  const orders = await harness.json<CommitteeOrders>("/api/v1/committee");
  expect(orders).toEqual({ nextSequence: 1, chainVersion: 1, upgrades: [] });
});

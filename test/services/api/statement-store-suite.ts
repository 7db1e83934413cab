/** What every StatementStore must do: the numbered requirements of `statements.ts`. */
import { expect, test } from "vitest";
import type {
  Statement,
  StatementOwner,
  StatementStore,
} from "../../../services/api/statements.ts";
import { ENERGY_COLUMNS, MONEY_COLUMNS } from "../../../services/api/totals.ts";

export function statementOf(owner: StatementOwner, day: string, seed: number): Statement {
  const totals = {
    fromSlot: seed,
    toSlot: seed + 95,
    slots: 96,
    energyWh: Float64Array.from(ENERGY_COLUMNS, (_, i) => (i % 4 === 3 ? -seed - i : seed * i)),
    moneyUc: BigInt64Array.from(MONEY_COLUMNS, (_, i) => BigInt(seed) * 10n ** BigInt(5 * i) - 7n),
    peak: { importWh: 100 * seed, slot: seed + 41 },
  };
  const empty = { fromSlot: null, toSlot: null, slots: 0, peak: null };
  return { ...owner, day, totals, cumulative: { ...totals, ...empty } };
}

export function statementStoreSuite(open: () => Promise<StatementStore>): void {
  const owner = { regionIndex: 3, memberIndex: 12 };

  test("gives back what was put, the region's own beside its members', and replaces", async () => {
    const store = await open();
    const region = statementOf({ regionIndex: 3, memberIndex: null }, "2024-06-01", 5);
    const member = statementOf(owner, "2024-06-01", 6);
    await store.put([region, member]);
    const { day } = region;
    expect(await store.get({ regionIndex: 3, memberIndex: null, day })).toEqual(region);
    expect(await store.get({ ...owner, day })).toEqual(member);
    await store.put([statementOf(owner, day, 7)]);
    expect(await store.get({ ...owner, day })).toEqual(statementOf(owner, day, 7));
    expect(await store.get({ ...owner, day: "2024-06-02" })).toBeNull();
    expect(await store.get({ regionIndex: 4, memberIndex: 12, day })).toBeNull();
  });

  test("remembers the last complete day", async () => {
    const store = await open();
    expect(await store.lastDay()).toBeNull();
    await store.completeDay("2024-05-31");
    await store.completeDay("2024-06-01");
    expect(await store.lastDay()).toBe("2024-06-01");
    expect(await store.get({ ...owner, day: "2024-06-01" })).toBeNull();
  });

  test("lists one owner's days, newest first, both ends included, no neighbour's", async () => {
    const store = await open();
    const days = ["2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01"];
    const neighbours = [
      { regionIndex: 3, memberIndex: 11 },
      { regionIndex: 3, memberIndex: 13 },
      { regionIndex: 3, memberIndex: null },
      { regionIndex: 30, memberIndex: 12 },
      { regionIndex: null, memberIndex: null },
    ];
    await store.put(
      [owner, ...neighbours].flatMap((who, w) =>
        days.map((day, d) => statementOf(who, day, 10 * w + d)),
      ),
    );
    const list = async (fromDay: string, toDay: string, limit: number) =>
      (await store.list({ ...owner, fromDay, toDay, limit })).map(({ day }) => day);
    expect(await list("0000-00-00", "9999-99-99", 99)).toEqual(days.toReversed());
    expect(await list("2024-02-01", "2024-02-29", 99)).toEqual(["2024-02-29", "2024-02-01"]);
    expect(await list("0000-00-00", "9999-99-99", 2)).toEqual(["2024-03-01", "2024-02-29"]);
    expect(await list("2025-01-01", "2025-12-31", 99)).toEqual([]);
    const [newest] = await store.list({ ...owner, fromDay: "0", toDay: "9", limit: 1 });
    expect(newest).toEqual(statementOf(owner, "2024-03-01", 3));
  });
}

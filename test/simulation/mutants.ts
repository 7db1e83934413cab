/**
 * Bugs planted into the parts of a node or a meter, to see that a simulation finds them. Each is a
 * bug that somebody could write on a tired day, and none shows without a fault or a second look.
 */
import type { Level } from "level";
import type { StoreChange } from "../../services/chain/abci.ts";
import type { MarketApplication } from "../../services/chain/application.ts";
import type { MicroCents } from "../../services/primitives/units.ts";
import { tableOfBills } from "../../services/wire/bill-table.ts";
import {
  decodeSlotRecord,
  encodeSlotRecord,
  type SlotRecord,
} from "../../services/wire/slot-record.ts";
import type { Mutation } from "./market-node.ts";
import type { FaultKind } from "./plan.ts";

export type Mutant = {
  readonly name: string;
  readonly mutation: Mutation;
  readonly needs?: FaultKind; // it shows in plans with such a fault alone
};

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the oracle answers before its write is durable",
    mutation: {
      oracleStore: (store) => {
        const write = store.write.bind(store);
        store.write = async (changes) => {
          write(changes).catch(() => {});
        };
        return store;
      },
    },
  },
  {
    name: "the chain writes its blocks without a sync",
    mutation: { chainLevel: unsynced },
  },
  {
    name: "a meter writes its registers without a sync",
    mutation: { journalLevel: unsynced },
  },
  {
    name: "late energy is kept in memory alone",
    mutation: {
      oracleStore: (store) => {
        const write = store.write.bind(store);
        store.write = (changes) => write(changes.filter(({ table }) => table !== "late"));
        return store;
      },
    },
  },
  {
    name: "a repeated reading does not get its first receipt",
    mutation: {
      oracleStore: (store) => {
        store.receiptOf = () => undefined;
        return store;
      },
    },
  },
  {
    name: "a report's late entries are not settled",
    mutation: inRecords((record) => ({
      ...record,
      bills: tableOfBills([...record.bills].filter((bill) => bill.kind === 0)),
    })),
  },
  {
    name: "a bill is off by one micro-cent, and another one makes up for it",
    mutation: inRecords((record) => ({
      ...record,
      bills: tableOfBills(
        [...record.bills].map((bill, i) => {
          const offUc = i === 0 ? 1n : i === 1 ? -1n : 0n;
          return { ...bill, amountUc: (bill.amountUc + offUc) as MicroCents };
        }),
      ),
    })),
  },
  {
    name: "congestion rent goes to the grid operator",
    mutation: inRecords((record) => ({
      ...record,
      treasuryUc: 0n as MicroCents,
      gridOperatorUc: (record.gridOperatorUc + record.treasuryUc) as MicroCents,
    })),
  },
  {
    name: "new limits come into force a slot early",
    mutation: {
      application: (application) =>
        changingRecords(application, (record) => {
          const { pendingLimits } = application.lane(record.regionIndex);
          const maxBuyUcPerWh = record.maxBuyUcPerWh.map(
            (limit, m) => pendingLimits[m]?.limits.maxBuyUcPerWh ?? limit,
          );
          return { ...record, maxBuyUcPerWh };
        }),
    },
  },
  {
    name: "a quarantine loses the reports that wait at its lane",
    needs: "poisoned-lane",
    mutation: {
      application: (application) => {
        const { commit } = application;
        application.commit = () => {
          const committed = commit();
          const out = application.head().lanesOut.map(({ regionIndex }) => regionIndex);
          const isLost = ({ key, value }: StoreChange) => {
            const [family, region] = key.split("/");
            return family === "pending" && value !== null && out.includes(Number(region));
          };
          return { ...committed, changes: committed.changes.filter((one) => !isLost(one)) };
        };
        return application;
      },
    },
  },
  {
    name: "what regions owe each other goes to the retailer while a lane is out",
    needs: "poisoned-lane",
    mutation: {
      application: (application) =>
        changingRecords(application, (record) => {
          const isApart = application.head().lanesOut.some((out) => out.sinceSlot <= record.slot);
          const movedUc = isApart ? record.neighboursUc : 0n;
          return {
            ...record,
            neighboursUc: (record.neighboursUc - movedUc) as MicroCents,
            retailerUc: (record.retailerUc + movedUc) as MicroCents,
          };
        }),
    },
  },
  {
    name: "a line to a lane that is out carries energy all the same",
    needs: "poisoned-lane",
    mutation: {
      application: (application) =>
        changingRecords(application, (record) => {
          if (application.head().lanesOut.length === 0) return record;
          const flows = record.flows.map((flow) => {
            return flow.energyWh > 0 ? flow : { ...flow, energyWh: 10, rentUc: 0n as MicroCents };
          });
          return { ...record, flows };
        }),
    },
  },
];

function unsynced(level: Level<string, Uint8Array>): Level<string, Uint8Array> {
  const batch = level.batch.bind(level) as (operations: never, options: object) => Promise<void>;
  level.batch = ((operations: never) => batch(operations, { sync: false })) as never;
  return level;
}

type Change = (record: SlotRecord) => SlotRecord;

function inRecords(change: Change): Mutation {
  return { application: (application) => changingRecords(application, change) };
}

/** Changes slot records on their way to the disk: what members are billed by. */
function changingRecords(application: MarketApplication, change: Change): MarketApplication {
  const { commit } = application;
  application.commit = () => {
    const committed = commit();
    const changes = committed.changes.map((one) => {
      if (!isSlotRecord(one)) return one;
      return { ...one, value: encodeSlotRecord(change(decodeSlotRecord(one.value!))) };
    });
    return { ...committed, changes };
  };
  return application;
}

function isSlotRecord({ key, value }: StoreChange): boolean {
  return key.startsWith("slot/") && value !== null;
}

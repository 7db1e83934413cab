/**
 * A run as data: which community, what its members do, what goes wrong. Equal plans give equal
 * runs. Times are seconds since genesis, slots are counted from genesis (0 is the first).
 */
import type { FaultName } from "../../firmware-sim/faults.ts";
import type { OracleStep } from "../../services/oracle/oracle.ts";
import type { Step } from "../../services/ordering/embedded/apply.ts";
import type { Cut } from "./disk.ts";

/** What a member sends to the market, and when their wallet first tries. */
export type Action = {
  readonly atS: number;
  readonly region: number;
  readonly member: number;
  readonly call:
    | { readonly kind: "limits"; readonly minSellUcPerWh: number; readonly maxBuyUcPerWh: number }
    | {
        readonly kind: "order";
        readonly slot: number;
        readonly side: number; // FORWARD_SIDE
        readonly limitUcPerWh: number;
        readonly energyWh: number;
      }
    | {
        readonly kind: "pay";
        readonly to: { readonly region: number; readonly member: number } | null; // null: nobody
        readonly amountUc: number;
      }
    | { readonly kind: "cancel" } // the member's oldest open order, if there is one
    | { readonly kind: "repeat" }; // the last transaction that was executed, once more
};

/** A box is one household with its meters, or a region's feeder: one process with one journal. */
export type Box = { readonly region: number; readonly box: number };

/** The instant at which an armed crash falls: at the count-th time that it comes. */
export type Moment =
  | { readonly step: Step; readonly count: number } // of a block
  | { readonly step: OracleStep; readonly count: number }
  | { readonly write: "chain" | "oracle"; readonly count: number }; // in the middle of it

type Window = { readonly region: number; readonly fromS: number; readonly untilS: number };

export type Fault =
  | {
      readonly kind: "node-crash";
      readonly afterS: number; // armed from here on
      readonly at: Moment;
      readonly cut: Cut;
      readonly downS: number;
    }
  | ({
      readonly kind: "meter-crash";
      readonly afterS: number;
      readonly write: number; // in the middle of the n-th write of the journal; 0: at once
      readonly cut: Cut;
      readonly downS: number;
    } & Box)
  | {
      readonly kind: "disk-full";
      readonly disk: "chain" | "oracle" | Box;
      readonly afterS: number;
      readonly write: number; // the n-th one finds no room
      readonly fullS: number;
    }
  | {
      readonly kind: "read-failure";
      readonly disk: "chain" | "oracle";
      readonly afterS: number;
      readonly read: number;
    }
  | {
      readonly kind: "flipped-bit"; // while the node is stopped
      readonly family: "header" | "body" | "response" | "engine" | "state";
      readonly atS: number;
    }
  | ({ readonly kind: "partition" } & Window) // the region's meters hear and reach nobody
  | ({ readonly kind: "cut"; readonly atS: number } & Box) // the connections of its meters break
  | ({ readonly kind: "receipts-lost"; readonly share: number } & Window)
  | ({ readonly kind: "readings-lost"; readonly share: number } & Window) // no PUBACK either
  | ({ readonly kind: "duplicate"; readonly share: number } & Window)
  | ({ readonly kind: "delay"; readonly maxS: number } & Window) // each message its own: reorders
  | ({
      readonly kind: "skew";
      readonly fromS: number;
      readonly untilS: number;
      readonly byS: number;
    } & Box)
  | { readonly kind: "node-clock-back"; readonly atS: number; readonly byS: number }
  | ({
      readonly kind: "lying-meter";
      readonly fault: FaultName;
      readonly share: number;
      readonly fromSlot: number;
      readonly untilSlot: number;
    } & Box)
  | ({ readonly kind: "cloned-key"; readonly atS: number; readonly ahead: number } & Box)
  /** The region's lane breaks an invariant in a slot; the market must go on without it. */
  | {
      readonly kind: "poisoned-lane";
      readonly region: number;
      readonly slot: number;
      readonly step: "open" | "close"; // which one breaks
      readonly lookS: number; // the committee looks at the lane so often
      readonly vainReleases: number; // ordered while the lane is still broken
      readonly comesBack: boolean; // repaired before the next release; else broken for ever
    };

export type FaultKind = Fault["kind"];

export type Plan = {
  readonly seed: number;
  readonly slots: number; // with faults; some quiet ones follow, in which all that waits settles
  readonly community: number; // which one of `community.ts`
  readonly actions: readonly Action[];
  readonly faults: readonly Fault[];
};

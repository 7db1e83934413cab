/**
 * A plan out of a seed: each part draws from a generator of its own, so that a change to one kind
 * of fault moves no other. Faults end with the plan's slots; the quiet ones after them are for what
 * still waits.
 */
import type { FaultName } from "../../firmware-sim/faults.ts";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";
import {
  COMMUNITIES,
  type Community,
  communityOf,
  FEED_IN_UC_PER_WH,
  RETAIL_UC_PER_WH,
  SLOT_S,
} from "./community.ts";
import type { Action, Box, Fault, FaultKind, Plan } from "./plan.ts";

export function planFromSeed({ seed, slots }: { seed: number; slots: number }): Plan {
  const prng = createPrng(`gridlane/simulation/${seed}`);
  const community = prng.fork("community").below(COMMUNITIES);
  const draw = { community: communityOf(community), slots };
  const poisons = drawPoisons(prng.fork("poisons"), draw);
  const actions = [
    ...drawActions(prng.fork("actions"), draw),
    ...drawTrades(prng.fork("trades"), draw, poisons),
    ...drawPayments(prng.fork("payments"), draw),
  ];
  return {
    ...{ seed, slots, community },
    actions: actions.sort((a, b) => a.atS - b.atS),
    faults: [...drawFaults(prng.fork("faults"), draw), ...poisons],
  };
}

type Poison = Extract<Fault, { kind: "poisoned-lane" }>;
type Draw = { readonly community: Community; readonly slots: number };

function drawActions(prng: Prng, { community, slots }: Draw): Action[] {
  const members = community.secrets.members.flatMap((secrets, region) =>
    secrets.map((_, member) => ({ region, member })),
  );
  const actions: Action[] = [];
  for (let slot = 0; slot < slots; slot++) {
    for (const at of members) {
      if (prng.below(3) > 0) continue;
      const atS = slot * SLOT_S + prng.below(SLOT_S);
      for (const call of drawCalls(prng, slot)) actions.push({ atS, ...at, call });
    }
  }
  return actions;
}

/** One seed in so many has payments. */
const PAYING = 3;

/** About as large as what a slot is worth to a member: some find the balance, some do not. */
function drawPayments(prng: Prng, { community, slots }: Draw): Action[] {
  if (prng.below(PAYING) > 0) return [];
  const { members } = community.secrets;
  const anyone = () => {
    const region = prng.below(members.length);
    return { region, member: prng.below(members[region]!.length) };
  };
  return Array.from({ length: 2 * slots }, (): Action => {
    const atS = prng.below((slots + 1) * SLOT_S); // some beyond the last fault
    const amountUc = prng.below(12) === 0 ? 0 : 1 + prng.below(10 ** (3 + prng.below(5)));
    const to = prng.below(12) === 0 ? null : anyone();
    return { atS, ...anyone(), call: { kind: "pay", to, amountUc } };
  });
}

/**
 * Forward orders that meet across regions, for the slots in which a lane breaks and the next ones:
 * what is sold to a lane that is out, or bought from it, waits for its end to settle.
 */
function drawTrades(prng: Prng, { community }: Draw, poisons: readonly Poison[]): Action[] {
  const { members } = community.secrets;
  return poisons.flatMap((poison, i) => {
    const own = prng.fork(`${i}`);
    const poisonedSells = own.below(2) === 0;
    const slot = Math.max(3, poison.slot) + own.below(3);
    return members.flatMap((secrets, region) =>
      secrets.flatMap((_, member): Action[] => {
        const atS = (slot - 3) * SLOT_S + own.below(SLOT_S); // before its gate, however long
        const energyWh = 50 + own.below(400);
        if (own.below(4) === 0) return [];
        const isAsk = (region === poison.region) === poisonedSells;
        const terms = isAsk ? { side: 1, limitUcPerWh: 9_000 } : { side: 0, limitUcPerWh: 26_000 };
        return [{ atS, region, member, call: { kind: "order", slot, energyWh, ...terms } }];
      }),
    );
  });
}

function drawCalls(prng: Prng, slot: number): Action["call"][] {
  const priceBetween = (low: number, high: number) =>
    low + 500 * prng.below((high - low) / 500 + 1);
  switch (prng.below(6)) {
    case 0:
      return [
        {
          kind: "limits",
          minSellUcPerWh: priceBetween(FEED_IN_UC_PER_WH - 2_000, 20_000),
          maxBuyUcPerWh: priceBetween(14_000, RETAIL_UC_PER_WH + 2_000),
        },
      ];
    case 1:
      return [{ kind: "cancel" }];
    case 2:
      return [{ kind: "repeat" }];
    default:
      return Array.from({ length: 1 + prng.below(2) }, () => {
        const side = prng.below(2);
        return {
          kind: "order" as const,
          slot: slot + 1 + prng.below(9), // some gates are closed, some slots beyond the horizon
          side,
          limitUcPerWh: side === 0 ? priceBetween(14_000, 26_000) : priceBetween(9_000, 21_000),
          energyWh: 1 + prng.below(700),
        };
      });
  }
}

/** How often a kind is drawn, against the others. */
const WEIGHTS: readonly (readonly [FaultKind, number])[] = [
  ["node-crash", 6],
  ["meter-crash", 4],
  ["disk-full", 2],
  ["read-failure", 1],
  ["flipped-bit", 1],
  ["partition", 3],
  ["cut", 2],
  ["receipts-lost", 2],
  ["readings-lost", 2],
  ["duplicate", 2],
  ["delay", 2],
  ["skew", 2],
  ["node-clock-back", 1],
  ["lying-meter", 3],
  ["cloned-key", 1],
];

export const FAULT_KINDS: readonly FaultKind[] = [
  ...WEIGHTS.map(([kind]) => kind),
  "poisoned-lane",
];

function drawFaults(prng: Prng, draw: Draw): Fault[] {
  const total = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length: 2 + prng.below(6) }, (_, i) => {
    const own = prng.fork(`${i}`);
    let left = own.below(total);
    const [kind] = WEIGHTS.find(([, weight]) => {
      left -= weight;
      return left < 0;
    })!;
    return drawFault(own, kind, draw);
  });
}

/** One seed in so many has poisoned lanes. */
const POISONED = 6;

/** Beside the other faults, whatever these are: a lane that is out meets all of them. */
function drawPoisons(prng: Prng, draw: Draw): Poison[] {
  if (prng.below(POISONED) > 0) return [];
  const poisons = prng.below(3) === 0 ? 2 : 1;
  return Array.from({ length: poisons }, (_, i) => drawPoison(prng.fork(`${i}`), draw));
}

function drawPoison(prng: Prng, { community, slots }: Draw): Poison {
  return {
    kind: "poisoned-lane",
    region: prng.below(community.boxes.length),
    slot: prng.below(slots - 1), // the last one clears when everything is repaired
    step: prng.below(2) === 0 ? "open" : "close",
    lookS: 30 + prng.below(prng.below(2) === 0 ? 300 : SLOT_S),
    vainReleases: prng.below(3) === 0 ? 1 + prng.below(2) : 0,
    comesBack: prng.below(4) > 0,
  };
}

const BLOCK_STEPS = [
  ...["write_block", "finalize", "write_response", "commit", "write_state", "acknowledge"],
] as const;
const ORACLE_STEPS = ["received", "durable", "acknowledged", "signed", "submitted"] as const;
const LIES: readonly FaultName[] = [
  ...(["duplicate", "replay", "future-time", "wrong-signature", "malformed"] as const),
  ...(["oversized", "borrowed-topic", "register-decrease", "gap"] as const),
];

function drawFault(prng: Prng, kind: FaultKind, { community, slots }: Draw): Fault {
  const endS = slots * SLOT_S;
  const region = prng.below(community.boxes.length);
  const box: Box = { region, box: prng.below(community.boxes[region]!.length) };
  const atS = prng.below(endS - SLOT_S);
  const lengthS = (mostSlots: number) => 60 + prng.below(mostSlots * SLOT_S);
  const window = () => ({ region, fromS: atS, untilS: Math.min(endS, atS + lengthS(4)) });
  const share = () => 0.1 + 0.8 * prng.unit();
  const cut = prng.below(2) === 0 ? "power" : "process";
  const downS = prng.below(4) === 0 ? lengthS(3) : 1 + prng.below(90);
  const disk = prng.below(2) === 0 ? "chain" : "oracle";
  switch (kind) {
    case "node-crash":
      return { kind, afterS: atS, at: drawMoment(prng), cut, downS };
    case "meter-crash":
      return { kind, ...box, afterS: atS, write: prng.below(6), cut, downS };
    case "disk-full": {
      const on = prng.below(3) === 0 ? box : disk;
      return { kind, disk: on, afterS: atS, write: 1 + prng.below(6), fullS: 1 + prng.below(200) };
    }
    case "read-failure":
      return { kind, disk, afterS: atS, read: 1 + prng.below(12) };
    case "flipped-bit": {
      const families = ["header", "body", "response", "engine", "state"] as const;
      return { kind, family: families[prng.below(families.length)]!, atS: Math.max(atS, SLOT_S) };
    }
    case "partition":
      return { kind, ...window() };
    case "cut":
      return { kind, ...box, atS };
    case "receipts-lost":
    case "readings-lost":
    case "duplicate":
      return { kind, ...window(), share: share() };
    case "delay":
      return { kind, ...window(), maxS: 1 + prng.below(prng.below(2) === 0 ? 20 : 1_500) };
    case "skew": {
      const sizeS = [20, 90, 110, 200, 700, 2_000][prng.below(6)]!;
      const byS = prng.below(2) === 0 ? sizeS : -sizeS;
      return { kind, ...box, fromS: atS, untilS: Math.min(endS, atS + lengthS(5)), byS };
    }
    case "node-clock-back":
      return { kind, atS, byS: 1 + prng.below(900) };
    case "lying-meter": {
      const fromSlot = prng.below(slots);
      const untilSlot = Math.min(slots, fromSlot + 1 + prng.below(6));
      const fault = LIES[prng.below(LIES.length)]!;
      return { kind, ...box, fault, share: share(), fromSlot, untilSlot };
    }
    case "cloned-key":
      return { kind, ...box, atS: Math.max(atS, 2 * SLOT_S), ahead: prng.below(2) };
    case "poisoned-lane":
      return drawPoison(prng, { community, slots });
  }
}

function drawMoment(prng: Prng) {
  const count = 1 + prng.below(8);
  switch (prng.below(4)) {
    case 0:
      return { step: BLOCK_STEPS[prng.below(BLOCK_STEPS.length)]!, count };
    case 1:
      return { step: ORACLE_STEPS[prng.below(ORACLE_STEPS.length)]!, count };
    default:
      return { write: prng.below(2) === 0 ? ("chain" as const) : ("oracle" as const), count };
  }
}

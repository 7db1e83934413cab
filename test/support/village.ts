/**
 * Villages for tests: homes with seeded load and sun, and what a slot of theirs comes to, cleared
 * by the market and settled by the settlement of the house, so that energy and money conserve.
 */
import { genesisPolicy } from "../../services/chain/policy.ts";
import { receiptsRootOf } from "../../services/chain/receipts.ts";
import { ed25519PublicKey } from "../../services/crypto/ed25519.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { secp256k1Address } from "../../services/crypto/secp256k1.ts";
import type { Clearing } from "../../services/market/clearing.ts";
import { couple } from "../../services/market/coupling.ts";
import { toHex, utf8 } from "../../services/primitives/bytes.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import type { MicroCents, Slot } from "../../services/primitives/units.ts";
import { buildBook, membersFirst } from "../../services/settlement/book.ts";
import { deliver } from "../../services/settlement/forward.ts";
import { allocateMidMarket } from "../../services/settlement/mid-market.ts";
import { createRoster } from "../../services/settlement/roster.ts";
import { settleSlot } from "../../services/settlement/settle.ts";
import {
  type Allocation,
  type LineTotals,
  type MeteredSlot,
  NO_LINES,
  type Settlement,
} from "../../services/settlement/slot.ts";
import { allocateUniformPrice } from "../../services/settlement/uniform-price.ts";
import { Genesis, genesisHash, type Mechanism } from "../../services/wire/genesis.ts";
import { type LateEntry, QUALITY } from "../../services/wire/report.ts";
import type { LineFlow, SlotRecord } from "../../services/wire/slot-record.ts";

/** What stands behind a home's grid meter. */
export type Home = "plain" | "sun" | "sun without production meter";
export type FixtureRegion = {
  readonly id: string;
  readonly mechanism: Mechanism;
  readonly homes: readonly Home[];
};
/** Columns by meter index, which a test may change before the slot clears. */
export type Columns = {
  readonly importWh: number[];
  readonly exportWh: number[];
  readonly quality: number[];
  readonly late: LateEntry[];
};

export const VILLAGE: readonly FixtureRegion[] = [
  {
    id: "meadow",
    mechanism: "mid-market-rate",
    homes: ["sun", "sun", "sun without production meter", "plain", "plain", "plain", "sun"],
  },
  {
    id: "harbour",
    mechanism: "uniform-price",
    homes: ["plain", "plain", "plain", "plain", "plain", "sun"],
  },
  { id: "hill", mechanism: "uniform-price", homes: ["sun", "sun", "sun", "sun", "plain"] },
  { id: "cabin", mechanism: "mid-market-rate", homes: ["sun", "plain", "plain"] }, // too small
];
/** 2024-06-01T00:00:00Z. */
export const VILLAGE_START_S = 1_717_200_000;

/** Meters of a home: the grid meter, then the production meter. The last meter is the feeder. */
export function fixtureGenesis({
  regions,
  startS,
  slotS,
  sequencerSecret,
}: {
  regions: readonly FixtureRegion[];
  startS: number;
  slotS: number;
  sequencerSecret: Uint8Array;
}): Genesis {
  const digest = (...parts: (string | number)[]) => sha256(utf8(`fixture/${parts.join("/")}`));
  const ids = regions.map(({ id }) => id);
  const lines = [
    { id: "hill-harbour", from: "hill", to: "harbour", capacityWh: 600, feeUcPerWh: 500 },
    { id: "harbour-hill", from: "harbour", to: "hill", capacityWh: 600, feeUcPerWh: 500 },
    { id: "meadow-cabin", from: "meadow", to: "cabin", capacityWh: 300, feeUcPerWh: 0 },
  ];
  return Genesis.parse({
    chainVersion: 1,
    networkId: "fixture-village",
    chainId: 4711,
    currency: "EUR",
    genesisTimeS: startS,
    slotS,
    sequencerPublicKey: toHex(ed25519PublicKey(sequencerSecret)),
    oracle: {
      members: [
        {
          id: "oracle",
          blsPublicKey: "aa".repeat(48),
          blsPossession: "bb".repeat(96),
          receiptPublicKey: "cc".repeat(32),
        },
      ],
      faultyMax: 0,
      cutoffS: 300,
      correctionWindowS: 86_400,
    },
    retailUcPerWh: 30_000,
    feedInUcPerWh: 8_000,
    regions: regions.map(({ id, mechanism, homes }) => ({
      id,
      name: `The ${id}`,
      mechanism,
      members: homes.map((_, m) => ({
        label: `${id} home ${m + 1}`,
        address: toHex(secp256k1Address(digest("member", id, m))),
        // Some members have an opinion, so that the auction has steps.
        ...(m % 2 === 0
          ? {}
          : { limits: { minSellUcPerWh: 9000 + 700 * m, maxBuyUcPerWh: 28_000 - 900 * m } }),
      })),
      meters: [
        ...homes.flatMap((home, m) => [
          { role: "grid", memberIndex: m },
          ...(home === "sun" ? [{ role: "production", memberIndex: m }] : []),
        ]),
        { role: "feeder", memberIndex: null },
      ].map((meter, i) => ({
        ...meter,
        deviceId: toHex(digest("device", id, i).subarray(0, 16)),
        algorithm: "ed25519",
        publicKey: toHex(ed25519PublicKey(digest("device key", id, i))),
        connectionW: 20_000,
        openingImportWh: 0,
        openingExportWh: 0,
      })),
    })),
    lines: lines.filter(({ from, to }) => ids.includes(from) && ids.includes(to)),
  });
}

/** Load all day, sun from six to eighteen; what the home does not use of it goes to the grid. */
export function meterSlot({
  homes,
  genesis,
  regionIndex,
  slot,
}: {
  homes: readonly Home[];
  genesis: Genesis;
  regionIndex: number;
  slot: number;
}): Columns {
  const random = createPrng(`${regionIndex}/${slot}`);
  const hour = ((slot * genesis.slotS) / 3600) % 24;
  const sun = Math.max(0, 1 - Math.abs(hour - 12) / 6);
  const columns: Columns = { importWh: [], exportWh: [], quality: [], late: [] };
  const push = (importWh: number, exportWh: number) => {
    columns.importWh.push(importWh);
    columns.exportWh.push(exportWh);
    columns.quality.push(QUALITY.actual);
  };
  let [totalImportWh, totalExportWh] = [0, 0];
  for (const home of homes) {
    const loadWh = 50 + random.below(400);
    const productionWh = home === "plain" ? 0 : Math.floor(sun * (600 + random.below(900)));
    const importWh = Math.max(0, loadWh - productionWh);
    const exportWh = Math.max(0, productionWh - loadWh);
    push(importWh, exportWh);
    if (home === "sun") push(0, productionWh);
    totalImportWh += importWh;
    totalExportWh += exportWh;
  }
  push(Math.max(0, totalImportWh - totalExportWh), Math.max(0, totalExportWh - totalImportWh));
  return columns;
}

export function settleRegions({
  genesis,
  slot,
  height,
  columns,
}: {
  genesis: Genesis;
  slot: Slot;
  height: number;
  columns: readonly Columns[];
}): SlotRecord[] {
  const { retailUcPerWh, feedInUcPerWh, lines } = genesis;
  const retailer = { retailUcPerWh, feedInUcPerWh };
  const auctioned = [...genesis.regions.keys()].filter(
    (r) => genesis.regions[r]!.mechanism === "uniform-price",
  );
  const inputs = genesis.regions.map((region, r) => {
    const { importWh, exportWh, quality, late } = columns[r]!;
    const metered: MeteredSlot = {
      slot,
      importWh: Uint32Array.from(importWh),
      exportWh: Uint32Array.from(exportWh),
      quality: Uint8Array.from(quality),
      late,
    };
    const roster = createRoster(region);
    const delivery = deliver({ roster, metered, forward: null });
    return { roster, metered, delivery, limits: limitColumns(genesis, r) };
  });
  const nodes = lines
    .map((line, lineIndex) => ({
      ...line,
      lineIndex,
      from: auctioned.findIndex((r) => genesis.regions[r]!.id === line.from),
      to: auctioned.findIndex((r) => genesis.regions[r]!.id === line.to),
    }))
    .filter(({ from, to }) => from >= 0 && to >= 0);
  const books = auctioned.map((r) =>
    buildBook({ ...inputs[r]!, retailer, lines: { inWh: 600, outWh: 600 } }),
  );
  const coupling = couple({ regions: books.map((book) => book.orders), lines: nodes });
  const law = { genesis, genesisHash: genesisHash(genesis), firstSlot: slot };
  return genesis.regions.map((region, regionIndex) => {
    const { roster, metered, delivery, limits } = inputs[regionIndex]!;
    const node = auctioned.indexOf(regionIndex);
    const totals = { ...NO_LINES };
    const flows: LineFlow[] = [];
    nodes.forEach((line, l) => {
      if (line.from !== node && line.to !== node) return;
      const energyWh = coupling.flowWh[l]!;
      const rentUc = coupling.rentUc[l]! as MicroCents;
      flows.push({ lineIndex: line.lineIndex, energyWh, rentUc });
      if (line.from === node) totals.outflowWh += energyWh;
      else {
        totals.inflowWh += energyWh;
        totals.inflowFeesUc += coupling.feesUc[l]!;
        totals.inflowRentUc += rentUc;
      }
    });
    const clearing = coupling.clearings[node];
    const allocation: Allocation =
      clearing === undefined
        ? allocateMidMarket({ delivery, retailer })
        : allocateUniformPrice({
            book: books[node]!,
            fillWh: membersFirst(books[node]!.orders, clearing.fillWh),
            priceUcPerWh: clearing.priceUcPerWh,
            lines: totals,
            retailer,
          });
    const imbalance = { shortUcPerWh: retailUcPerWh, longUcPerWh: feedInUcPerWh };
    const settled = { roster, metered, delivery, retailer, imbalance, allocation };
    const settlement = settleSlot(settled);
    const at = { regionIndex, slot, height, mechanism: region.mechanism };
    return {
      ...at,
      ...limits,
      ...facts({ metered, clearing, allocation, totals, settlement, at }),
      flows,
      forward: null,
      policy: genesisPolicy(law, regionIndex),
    };
  });
}

/** The record's part that says what came of the slot. */
function facts({
  metered,
  clearing,
  allocation,
  totals,
  settlement,
  at,
}: {
  metered: MeteredSlot;
  clearing: Clearing | undefined;
  allocation: Allocation;
  totals: LineTotals;
  settlement: Settlement;
  at: { regionIndex: number; slot: Slot };
}) {
  const name = `${at.regionIndex}/${at.slot}`;
  return {
    priceLowUcPerWh: clearing?.priceLowUcPerWh ?? allocation.priceUcPerWh,
    priceHighUcPerWh: clearing?.priceHighUcPerWh ?? allocation.priceUcPerWh,
    priceUcPerWh: allocation.priceUcPerWh,
    buyPriceUcPerWh: allocation.buyPriceUcPerWh,
    sellPriceUcPerWh: allocation.sellPriceUcPerWh,
    importWh: Float64Array.from(metered.importWh),
    exportWh: Float64Array.from(metered.exportWh),
    quality: metered.quality,
    tradedWh: settlement.tradedWh,
    inflowWh: totals.inflowWh,
    outflowWh: totals.outflowWh,
    retailerBoughtWh: settlement.retailerBoughtWh,
    retailerSoldWh: settlement.retailerSoldWh,
    retailerUc: settlement.retailerUc,
    neighboursUc: allocation.neighboursUc as MicroCents,
    gridOperatorUc: allocation.gridOperatorUc as MicroCents,
    treasuryUc: allocation.treasuryUc as MicroCents,
    refusedReadings: 0,
    reportHash: sha256(utf8(`report/${name}`)),
    readingsRoot: sha256(utf8(`readings/${name}`)),
    receiptsRoot: receiptsRootOf(settlement.bills),
    bills: settlement.bills,
  };
}

export function limitColumns(genesis: Genesis, regionIndex: number) {
  const { members } = genesis.regions[regionIndex]!;
  const { feedInUcPerWh, retailUcPerWh } = genesis;
  return {
    minSellUcPerWh: Int32Array.from(members, (m) => m.limits?.minSellUcPerWh ?? feedInUcPerWh),
    maxBuyUcPerWh: Int32Array.from(members, (m) => m.limits?.maxBuyUcPerWh ?? retailUcPerWh),
  };
}

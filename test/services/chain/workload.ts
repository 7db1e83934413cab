/**
 * Random but reproducible traffic for the market chain: reports of every region in step or out of
 * step, changes of limits, forward orders, late entries, and transactions that must fail. Equal
 * seeds give equal blocks.
 */
import type { Block } from "../../../services/chain/abci.ts";
import { createPrng, type Prng } from "../../../services/primitives/prng.ts";
import type { UnixSeconds } from "../../../services/primitives/units.ts";
import { encodeCancelOrder, encodePlaceOrder } from "../../../services/wire/forward-order.ts";
import type { LateEntry } from "../../../services/wire/report.ts";
import { createMarketFixture, type MarketFixture } from "../../support/market-fixture.ts";

/** Two coupled regions and one under the mid-market rate, with meters of every role. */
export function threeRegions(): MarketFixture {
  return createMarketFixture({
    label: "three regions",
    regions: [
      {
        id: "east",
        mechanism: "uniform-price",
        limits: [
          { minSellUcPerWh: 12_000, maxBuyUcPerWh: 28_000 },
          undefined,
          { minSellUcPerWh: 9_000, maxBuyUcPerWh: 20_000 },
        ],
      },
      { id: "west", mechanism: "uniform-price", limits: [undefined, undefined, undefined] },
      {
        id: "south",
        limits: [undefined, undefined],
        meters: [
          { role: "feeder", memberIndex: null },
          { role: "grid", memberIndex: 0 },
          { role: "production", memberIndex: 0 },
          { role: "grid", memberIndex: 1 },
          { role: "grid", memberIndex: 1 },
        ],
      },
    ],
    lines: [
      { from: "east", to: "west", capacityWh: 600, feeUcPerWh: 1_500 },
      { from: "west", to: "east", capacityWh: 600, feeUcPerWh: 1_500 },
      { from: "east", to: "south", capacityWh: 100, feeUcPerWh: 0 },
    ],
    oracleMembers: 2,
  });
}

/** A region's report of a slot with random energy. */
export function randomReport(
  fixture: MarketFixture,
  prng: Prng,
  at: { readonly regionIndex: number; readonly slotIndex: number },
  late: readonly LateEntry[] = [],
): Uint8Array {
  const { meters } = fixture.genesis.regions[at.regionIndex]!;
  const energy = () => (prng.below(3) === 0 ? 0 : prng.below(1500));
  return fixture.reportTransaction({
    ...at,
    importWh: meters.map(energy),
    exportWh: meters.map(energy),
    quality: meters.map(() => prng.below(4)),
    late,
  });
}

/** Blocks of `slots` slots, each slot's reports spread over one or two blocks. */
export function randomBlocks(fixture: MarketFixture, seed: string, slots: number): Block[] {
  const prng = createPrng(seed);
  const regions = fixture.genesis.regions.map((_, r) => r);
  const nonces = new Map<string, number>();
  const blocks: Block[] = [];
  const orders = randomOrders(fixture, prng);
  const push = (slotIndex: number, transactions: Uint8Array[]) => {
    const timeS = (fixture.slotEndS(slotIndex) + 60 + blocks.length) as UnixSeconds;
    blocks.push({ height: blocks.length + 1, timeS, transactions });
  };
  const held: Uint8Array[][] = regions.map(() => []); // reports not sent yet
  for (let slotIndex = 0; slotIndex < slots; slotIndex++) {
    const first: Uint8Array[] = [];
    const second: Uint8Array[] = [];
    for (const r of regions) {
      held[r]!.push(
        randomReport(
          fixture,
          prng,
          { regionIndex: r, slotIndex },
          lateOf(fixture, prng, slotIndex),
        ),
      );
      if (prng.below(5) === 0 && slotIndex < slots - 1) continue; // a region that lags
      (prng.below(2) === 0 ? first : second).push(...held[r]!.splice(0));
    }
    if (prng.below(2) === 0) first.push(randomChange(fixture, prng, nonces));
    if (prng.below(3) === 0) second.push(Uint8Array.of(prng.below(256), prng.below(256)));
    first.push(...orders(slotIndex));
    push(slotIndex, first);
    if (prng.below(4) === 0) push(slotIndex, []);
    push(slotIndex, second);
  }
  return blocks;
}

/**
 * Orders and cancellations of members whose limits never change, so that their nonces are known.
 * In the blocks of slot s, the first slot with an open gate is s + 3.
 */
function randomOrders(fixture: MarketFixture, prng: Prng): (slotIndex: number) => Uint8Array[] {
  const traders = [
    { regionIndex: 0, memberIndex: 2, nonce: 0 },
    { regionIndex: 1, memberIndex: 2, nonce: 0 },
    { regionIndex: 2, memberIndex: 0, nonce: 0 },
    { regionIndex: 2, memberIndex: 1, nonce: 0 },
  ];
  const placed = fixture.genesis.regions.map(() => 0);
  const call = (trader: (typeof traders)[0], data: Uint8Array) => {
    const bytes = fixture.callTransaction({ ...trader, data });
    trader.nonce += 1;
    return bytes;
  };
  return (slotIndex) =>
    traders.flatMap((trader) => {
      const slot = fixture.slotAtIndex(slotIndex + 3 + prng.below(2));
      const place = () => {
        placed[trader.regionIndex]! += 1;
        const side = prng.below(2);
        const limitUcPerWh = side === 0 ? 15_000 + prng.below(9_000) : 9_000 + prng.below(9_000);
        const energyWh = 1 + prng.below(900);
        return call(trader, encodePlaceOrder({ slot, side, limitUcPerWh, energyWh }));
      };
      const bytes = [place(), place()];
      const orderId = placed[trader.regionIndex]!;
      if (prng.below(4) === 0) bytes.push(call(trader, encodeCancelOrder({ slot, orderId })));
      return bytes;
    });
}

function lateOf(fixture: MarketFixture, prng: Prng, slotIndex: number): LateEntry[] {
  if (slotIndex === 0 || prng.below(3) > 0) return [];
  const slot = fixture.slotAtIndex(slotIndex - 1);
  return [
    { slot, meterIndex: 1, importWh: prng.below(500), exportWh: prng.below(500), quality: 0 },
  ];
}

/** The next change of some member; it may meet one that still waits, and then it fails. */
function randomChange(fixture: MarketFixture, prng: Prng, nonces: Map<string, number>): Uint8Array {
  const regionIndex = prng.below(2);
  const memberIndex = prng.below(2);
  const key = `${regionIndex}/${memberIndex}`;
  const nonce = nonces.get(key) ?? 0;
  nonces.set(key, nonce + 1);
  const limits = {
    minSellUcPerWh: 8_000 + prng.below(10_000),
    maxBuyUcPerWh: 20_000 + prng.below(10_000),
  };
  return fixture.limitsTransaction({ regionIndex, memberIndex, nonce, limits });
}

/** `count` regions of a few members each, most joined by lines; equal seeds, equal bytes. */
export function manyRegions(seed: string, count: number): MarketFixture {
  const prng = createPrng(`${seed}/regions`);
  const id = (r: number) => `r${r}`;
  return createMarketFixture({
    label: seed,
    regions: Array.from({ length: count }, (_, r) => ({
      id: id(r),
      mechanism: prng.below(4) === 0 ? "mid-market-rate" : "uniform-price",
      limits: Array.from({ length: 1 + prng.below(4) }, () => ({
        minSellUcPerWh: 8_000 + prng.below(8_000),
        maxBuyUcPerWh: 18_000 + prng.below(12_000),
      })),
    })),
    lines: Array.from({ length: count - 1 }, (_, l) => {
      const [from, to] = prng.below(2) === 0 ? [l, l + 1] : [l + 1, prng.below(l + 1)];
      return {
        from: id(from),
        to: id(to),
        capacityWh: prng.below(900),
        feeUcPerWh: prng.below(2_000),
      };
    }),
  });
}

/** Blocks of `slots` slots over any regions: reports, orders, changes of limits, and nonsense. */
export function blocksOfMany(fixture: MarketFixture, seed: string, slots: number): Block[] {
  const prng = createPrng(`${seed}/blocks`);
  const regions = fixture.genesis.regions.map((_, r) => r);
  const nonces = regions.map(() => 0); // of each region's first member
  return Array.from({ length: slots }, (_, slotIndex) => {
    const transactions: Uint8Array[] = [];
    for (const regionIndex of regions) {
      const late = lateOf(fixture, prng, slotIndex).filter(({ meterIndex }) => {
        return meterIndex < fixture.genesis.regions[regionIndex]!.meters.length;
      });
      transactions.push(randomReport(fixture, prng, { regionIndex, slotIndex }, late));
      if (prng.below(3) > 0) continue;
      const slot = fixture.slotAtIndex(slotIndex + 3);
      const side = prng.below(2);
      const limitUcPerWh = side === 0 ? 15_000 + prng.below(9_000) : 9_000 + prng.below(9_000);
      const order = encodePlaceOrder({ slot, side, limitUcPerWh, energyWh: 1 + prng.below(900) });
      const nonce = nonces[regionIndex]!++;
      const call = { regionIndex, memberIndex: 0, nonce, data: order };
      transactions.push(fixture.callTransaction(call));
    }
    transactions.push(Uint8Array.of(2, prng.below(256)), Uint8Array.of(0x67, prng.below(256)));
    const timeS = (fixture.slotEndS(slotIndex) + 60) as UnixSeconds;
    return { height: slotIndex + 1, timeS, transactions };
  });
}

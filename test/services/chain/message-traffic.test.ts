/**
 * Method: random payments between members of 1 to 20 regions, in blocks of any size, against a
 * ledger of plain sums. After every block: money with what is in flight is conserved, each pair is
 * in order and within its room, and what waited has moved. After draining: balances are the
 * ledger's, and the app hash does not depend on how the payments were spread over blocks.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { PAYMENT_ENTRY } from "../../../services/chain/payment-entries.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { MESSAGES_PER_PAIR_MAX, PAID_BALANCE_UC_MAX } from "../../../services/primitives/limits.ts";
import { createPrng, type Prng } from "../../../services/primitives/prng.ts";
import type { MarketFixture } from "../../support/market-fixture.ts";
import {
  OPENING_HEIGHT,
  openingRecords,
  type PaymentChain,
  regionsOf,
  startPayments,
  type Who,
} from "./payment-chain.ts";

const MEMBERS = 2;
const fixtures = new Map<number, MarketFixture>(); // making one costs a signature per meter
function fixtureOf(regions: number): MarketFixture {
  const known = fixtures.get(regions) ?? regionsOf(Array(regions).fill(MEMBERS));
  fixtures.set(regions, known);
  return known;
}

type Planned = { readonly payer: Who; readonly payee: Who; readonly amountUc: bigint };

function plan(prng: Prng, regions: number, count: number): Planned[] {
  const anyone = (): Who => [prng.below(regions), prng.below(MEMBERS)];
  return Array.from({ length: count }, () => {
    const [payer, payee] = [anyone(), anyone()];
    return { payer, payee, amountUc: BigInt(1 + prng.below(1000)) };
  });
}

/** Cuts a list into blocks of 0 to `most` payments. */
function inBlocks<T>(prng: Prng, items: readonly T[], most: number): T[][] {
  const blocks: T[][] = [];
  for (let at = 0; at < items.length; ) {
    const size = prng.below(most + 1);
    blocks.push(items.slice(at, at + size));
    at += size;
  }
  return blocks;
}

const regionsIn = (chain: PaymentChain) =>
  [...chain.stored.keys()].filter((key) => key.startsWith("lane/")).map((_, r) => r);

const lanesOf = (chain: PaymentChain) =>
  regionsIn(chain).map((r) => ({ view: chain.app.lane(r), messages: chain.messages(r) }));
type Lanes = ReturnType<typeof lanesOf>;

const consumedBy = ({ messages }: Lanes[number]) =>
  messages.taken.reduce((sum, { nextSeq }) => sum + nextSeq - 1, 0);

/** Runs one block and checks what holds after any. */
function block(chain: PaymentChain, transactions: readonly Uint8Array[]): string[] {
  const before = lanesOf(chain);
  const codes = chain.block(...transactions);
  const lanes = lanesOf(chain);
  const sumUc = lanes.reduce((sum, { view }) => sum + view.neighboursBalanceUc, 0n);
  expect(sumUc).toBe(chain.inFlightUc());
  for (const { view } of lanes) {
    const ownUc = view.memberBalanceUc.reduce((sum: bigint, uc) => sum + uc, 0n);
    expect(ownUc + view.retailerBalanceUc + view.neighboursBalanceUc).toBe(0n);
  }
  // All that waited before the block was consumed in it: less than a lane's budget, here.
  expect(lanes.map(consumedBy)).toEqual(
    before.map((lane) => consumedBy(lane) + lane.messages.inbox.length),
  );
  checkPairs(lanes);
  return codes;
}

/** What waits is exactly what was sent and not consumed, in order, and has room. */
function checkPairs(lanes: Lanes): void {
  const inFlight = new Map<string, number>();
  const next = (pairs: Lanes[number]["messages"]["sent"], of: number) =>
    pairs.find(({ region }) => region === of)?.nextSeq ?? 1;
  lanes.forEach(({ messages: { inbox, taken } }, r) => {
    const sources = new Set([...taken.map(({ region }) => region), ...inbox.map((m) => m.source)]);
    for (const source of sources) {
      const seqs = inbox.filter((message) => message.source === source).map(({ seq }) => seq);
      const [first, end] = [next(taken, source), next(lanes[source]!.messages.sent, r)];
      expect(seqs).toEqual(Array.from({ length: end - first }, (_, i) => first + i));
      const pair = [r, source].sort((a, b) => a - b).join("/");
      inFlight.set(pair, (inFlight.get(pair) ?? 0) + seqs.length);
    }
  });
  for (const count of inFlight.values()) expect(count).toBeLessThanOrEqual(MESSAGES_PER_PAIR_MAX);
}

/** Runs the blocks and drains; answers the codes in order. */
function run(chain: PaymentChain, blocks: readonly (readonly Planned[])[]): string[] {
  const codes: string[] = [];
  for (const payments of blocks) {
    const bytes = payments.map(({ payer, payee, amountUc }) => chain.pay(payer, payee, amountUc));
    codes.push(...block(chain, bytes));
  }
  chain.drain();
  return codes;
}

const opened = (regions: number, balanceUc = 1_000_000n) => {
  const fixture = fixtureOf(regions);
  const membersUc = Array(regions).fill(Array(MEMBERS).fill(balanceUc));
  return startPayments(fixture, openingRecords(fixture, { membersUc }));
};

const cases = fc.record({
  regions: fc.integer({ min: 1, max: 20 }),
  count: fc.integer({ min: 10, max: 48 }),
  seed: fc.nat(),
});

test("balances are the ledger's, and the partition into blocks leaves no trace", () => {
  fc.assert(
    fc.property(cases, ({ regions, count, seed }) => {
      const prng = createPrng(`traffic/${seed}`);
      const payments = plan(prng, regions, count).filter(
        ({ payer, payee }) => payer[0] !== payee[0] || payer[1] !== payee[1],
      );
      const ledger = new Map<string, bigint>();
      const move = ([r, m]: Who, uc: bigint) =>
        ledger.set(`${r}/${m}`, (ledger.get(`${r}/${m}`) ?? 1_000_000n) + uc);
      for (const { payer, payee, amountUc } of payments) {
        move(payer, -amountUc);
        move(payee, amountUc);
      }
      const ends = [2, 9, 100].map((most) => {
        const chain = opened(regions);
        const codes = run(chain, inBlocks(prng, payments, most));
        expect(codes).toEqual(payments.map(() => "ok"));
        for (const [who, uc] of ledger) {
          const [r, m] = who.split("/").map(Number);
          expect(chain.balanceUc([r!, m!])).toBe(uc);
        }
        return toHex(chain.app.head().appHash);
      });
      expect(new Set(ends).size).toBe(1);
    }),
    { numRuns: 6 },
  );
});

test("every payment is told once where it left and once where it came, a block later", () => {
  fc.assert(
    fc.property(cases, ({ regions, count, seed }) => {
      const prng = createPrng(`entries/${seed}`);
      const chain = opened(regions);
      run(chain, inBlocks(prng, plan(prng, regions, count), 9));
      const [sent, received] = [new Map<string, number>(), new Map<string, number>()];
      const { height } = chain.app.head();
      for (const r of regionsIn(chain)) {
        for (let at = OPENING_HEIGHT + 1; at <= height; at++) {
          for (const { kind, payer, payee, amountUc, seq } of chain.entries(r, at)?.entries ?? []) {
            if (kind === PAYMENT_ENTRY.inside) continue;
            const name = `${payer.regionIndex}>${payee.regionIndex}#${seq}:${amountUc}`;
            const told = kind === PAYMENT_ENTRY.sent ? sent : received;
            expect(told.has(name)).toBe(false);
            told.set(name, at);
          }
        }
      }
      expect([...received].sort()).toEqual([...sent].map(([name, at]) => [name, at + 1]).sort());
    }),
    { numRuns: 8 },
  );
});

test("with full accounts and small balances, nothing is made, lost, or stuck", () => {
  const met = new Map<string, number>();
  let refunds = 0;
  fc.assert(
    fc.property(cases, fc.boolean(), ({ regions, count, seed }, isTight) => {
      const prng = createPrng(`refunds/${seed}`);
      const fixture = fixtureOf(regions);
      const membersUc = Array.from({ length: regions }, () =>
        Array.from({ length: MEMBERS }, () => {
          const roomUc = BigInt(prng.below(isTight ? 50 : 2000));
          return prng.below(2) === 0 ? PAID_BALANCE_UC_MAX - roomUc : roomUc;
        }),
      );
      const chain = startPayments(fixture, openingRecords(fixture, { membersUc }));
      const payments = plan(prng, regions, 2 * count);
      const startUc = membersUc.flat().reduce((sum, uc) => sum + uc, 0n);
      const codes = run(chain, inBlocks(prng, payments, 12));
      for (const code of codes) met.set(code, (met.get(code) ?? 0) + 1);
      for (const r of regionsIn(chain)) refunds += refundedIn(chain, r);
      expect(chain.inFlightUc()).toBe(0n);
      const endUc = regionsIn(chain).flatMap((r) => [...chain.app.lane(r).memberBalanceUc]);
      expect(endUc.reduce((sum: bigint, uc) => sum + uc, 0n)).toBe(startUc);
      const restarted = chain.restarted();
      expect(restarted.app.head()).toEqual(chain.app.head());
    }),
    { numRuns: 12 },
  );
  // The traffic was worth its name.
  for (const code of ["ok", "balance_insufficient"]) expect(met.get(code)).toBeGreaterThan(5);
  expect(refunds).toBeGreaterThan(5);
});

function refundedIn(chain: PaymentChain, regionIndex: number): number {
  let refunds = 0;
  const { height } = chain.app.head();
  for (let at = OPENING_HEIGHT + 1; at <= height; at++) {
    const entries = chain.entries(regionIndex, at)?.entries ?? [];
    refunds += entries.filter(({ kind }) => kind === PAYMENT_ENTRY.refunded).length;
  }
  return refunds;
}

/**
 * The chain of the golden log, made from a seed: random traffic of three regions (two coupled by
 * lines under the uniform price, one under the mid-market rate; forward orders, changes of limits,
 * late energy), then every kind of refusal, a region that lags and catches up, blocks without
 * transactions. A new kind of transaction gets a row in `refusals`, and its use in `traffic`.
 */
import { createApplication, type MarketApplication } from "../../services/chain/application.ts";
import { signBlock } from "../../services/ordering/embedded/block.ts";
import { concatBytes, fromHex } from "../../services/primitives/bytes.ts";
import {
  FORWARD_ORDERS_PER_MEMBER_MAX,
  MESSAGES_PER_PAIR_MAX,
  PAYMENT_UC_MAX,
} from "../../services/primitives/limits.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import type { MicroCents, Slot, UnixSeconds } from "../../services/primitives/units.ts";
import { encodeCancelOrder, encodePlaceOrder } from "../../services/wire/forward-order.ts";
import { CHAIN_VERSION } from "../../services/wire/genesis.ts";
import { headerHash } from "../../services/wire/header.ts";
import { encodePay } from "../../services/wire/payment.ts";
import {
  encodeSetLimits,
  type MemberTransaction,
  marketAddress,
  signMemberTransaction,
} from "../../services/wire/transaction.ts";
import { randomBlocks, randomReport, threeRegions } from "../services/chain/workload.ts";
import type { FixtureCommitteeOrder, MarketFixture } from "../support/market-fixture.ts";
import type { GoldenBlock, GoldenLog } from "./golden-log.ts";

const SEED = "golden log 5";
const TRAFFIC_SLOTS = 12;
const CALM_SLOTS = 4;

export function buildGoldenLog(): GoldenLog {
  const fixture = threeRegions();
  const chain = new GoldenChain(fixture);
  for (const { timeS, transactions } of randomBlocks(fixture, SEED, TRAFFIC_SLOTS)) {
    chain.block(timeS, transactions);
  }
  const at = TRAFFIC_SLOTS;
  const endS = fixture.slotEndS(at);
  chain.block(endS, refusals(chain, at));
  chain.block(endS + 1, [chain.report(0, at), chain.report(1, at)]);
  chain.block(endS + 2, []);
  lag(chain, at + 1);
  chain.block(fixture.slotEndS(at + CALM_SLOTS) + 900, []);
  return { genesis: fixture.genesis, blocks: chain.blocks };
}

/** One region is silent for some slots; then its reports come at once and clear them all. */
function lag(chain: GoldenChain, from: number): void {
  const { fixture } = chain;
  const until = from + CALM_SLOTS;
  for (let slot = from; slot < until; slot++) {
    chain.block(fixture.slotEndS(slot) + 30, [chain.report(0, slot), chain.report(2, slot)]);
  }
  const silent = Array.from({ length: CALM_SLOTS }, (_, i) => chain.report(1, from + i));
  chain.block(fixture.slotEndS(until), silent);
}

/** One transaction, or the first few, of every code that a block can hold; some of them succeed. */
function refusals(chain: GoldenChain, at: number): Uint8Array[] {
  const { fixture } = chain;
  const member = (fields: Partial<MemberTransaction>) => chain.call(0, 0, fields);
  const order = (slotIndex: number, energyWh = 5) => {
    const slot = fixture.slotAtIndex(slotIndex);
    return encodePlaceOrder({ slot, side: 0, limitUcPerWh: 9_000, energyWh });
  };
  const cancel = encodeCancelOrder({ slot: fixture.slotAtIndex(at + 3), orderId: 99_999 });
  const limits = encodeSetLimits({ minSellUcPerWh: 9_500, maxBuyUcPerWh: 24_000 });
  const signed = member({ data: limits });
  const late = (slot: Slot) => [{ slot, meterIndex: 0, importWh: 1, exportWh: 2, quality: 0 }];
  const full = Array.from({ length: FORWARD_ORDERS_PER_MEMBER_MAX + 1 }, () =>
    chain.spend(1, 1, { data: order(at + 5) }),
  );
  return [
    Uint8Array.of(0x05, 1, 2),
    concatBytes([signed, Uint8Array.of(0)]),
    member({ chainId: 1 }),
    withHighS(signed),
    signMemberTransaction({
      transaction: { ...chain.blank(0), nonce: 0, data: limits },
      secretKey: new Uint8Array(32).fill(7),
    }),
    member({ nonce: 77 }),
    member({ to: new Uint8Array(20) }),
    member({ data: new Uint8Array(4) }),
    member({ to: marketAddress(1), data: limits }),
    member({ data: order(at + 1) }),
    member({ data: order(at + 2000) }),
    member({ data: order(at + 5, 0) }),
    member({ data: cancel }),
    ...full,
    signed, // takes effect, or waits behind an earlier change
    chain.spend(0, 1, { data: limits }),
    chain.call(0, 1, { data: limits }),
    chain.call(0, 1, { nonce: 0, data: limits }),
    fixture.reportTransaction({ ...chain.empty(2, at), importWh: [1], exportWh: [1] }),
    chain.report(2, at + 5),
    chain.report(2, at, { signers: [0] }),
    chain.report(2, at, { configDigest: new Uint8Array(32) }),
    chain.report(2, at, { late: late(fixture.slotAtIndex(at)) }),
    chain.report(2, at, { late: late(fixture.slotAtIndex(at - 1)) }),
    chain.report(2, at + 1), // before its end
    ...payments(chain),
    ...committeeOrders(fixture),
  ];
}

/** Of a member who only ever sells: more than may be in flight, then what is refused. */
function payments(chain: GoldenChain): Uint8Array[] {
  const [payer, payee] = [chain.addressOf(0, 3), chain.addressOf(1, 3)];
  const pay = (to: Uint8Array, amountUc: bigint) => ({
    data: encodePay({ to, amountUc: amountUc as MicroCents }),
  });
  return [
    ...Array.from({ length: MESSAGES_PER_PAIR_MAX + 1 }, () => chain.spend(0, 3, pay(payee, 1n))),
    chain.call(1, 3, pay(payer, 0n)),
    chain.call(1, 3, pay(new Uint8Array(20), 1n)),
    chain.call(1, 3, pay(payer, PAYMENT_UC_MAX)),
  ];
}

/** One schedules a version for a height that this log never reaches; the others are refused. */
function committeeOrders(fixture: MarketFixture): Uint8Array[] {
  const upgrade = { kind: "upgrade", version: 2, height: 1_000_000 } as const;
  const order = (change: Partial<FixtureCommitteeOrder>) =>
    fixture.committeeTransaction({ act: upgrade, sequence: 2, ...change });
  return [
    order({ sequence: 1 }),
    order({ sequence: 1 }),
    order({ sequence: 3 }),
    order({ configDigest: new Uint8Array(32) }),
    order({ act: { kind: "release", regionIndex: 0 } }),
    order({ act: { ...upgrade, height: 20 } }),
    order({ signers: [0] }),
  ];
}

/** The last 32 bytes are s: the upper half of the curve's order is refused. */
function withHighS(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  out.fill(0xff, out.length - 32);
  return out;
}

type ReportChange = Partial<Parameters<MarketFixture["reportTransaction"]>[0]>;

class GoldenChain {
  readonly fixture: MarketFixture;
  readonly blocks: GoldenBlock[] = [];
  readonly #app: MarketApplication;
  readonly #prng = createPrng(`${SEED}/reports`);
  readonly #spent = new Map<string, number>();

  constructor(fixture: MarketFixture) {
    this.fixture = fixture;
    this.#app = createApplication({ genesis: fixture.genesis, stored: new Map() });
    this.#app.initChain();
  }

  block(timeS: number, transactions: readonly Uint8Array[]): void {
    const { genesis, sequencerSecret: secretKey } = this.fixture;
    const parent = this.blocks.at(-1)?.block.header;
    const height = this.blocks.length + 1;
    const header = {
      chainVersion: CHAIN_VERSION,
      networkId: genesis.networkId,
      height,
      timeS: Math.max(timeS, parent?.timeS ?? 0) as UnixSeconds,
      parentHash: parent === undefined ? new Uint8Array(32) : headerHash(parent),
      appHash: this.#app.info().lastBlockAppHash,
    };
    const { results, appHash, slotRecords } = this.#app.finalizeBlock({
      ...{ height, timeS: header.timeS, transactions },
    });
    this.#app.commit();
    this.#spent.clear();
    this.blocks.push({
      block: signBlock({ header, transactions, secretKey }),
      appHash,
      codes: results.map(({ code }) => code),
      receipts: slotRecords.map(({ regionIndex, slot, receiptsRoot }) => {
        return { regionIndex, slot, root: receiptsRoot };
      }),
    });
  }

  /** A member's transaction with the next nonce, which it does not use up. */
  call(regionIndex: number, memberIndex: number, fields: Partial<MemberTransaction>): Uint8Array {
    const spent = this.#spent.get(`${regionIndex}/${memberIndex}`) ?? 0;
    const nonce = this.#app.nonce(this.addressOf(regionIndex, memberIndex)) + spent;
    const transaction = { ...this.blank(regionIndex), nonce, ...fields };
    const secretKey = this.fixture.memberSecrets[regionIndex]![memberIndex]!;
    return signMemberTransaction({ transaction, secretKey });
  }

  /** One that will be executed, so that the next one of this block has the nonce after it. */
  spend(regionIndex: number, memberIndex: number, fields: Partial<MemberTransaction>): Uint8Array {
    const bytes = this.call(regionIndex, memberIndex, fields);
    const key = `${regionIndex}/${memberIndex}`;
    this.#spent.set(key, (this.#spent.get(key) ?? 0) + 1);
    return bytes;
  }

  addressOf(regionIndex: number, memberIndex: number): Uint8Array {
    return fromHex(this.fixture.genesis.regions[regionIndex]!.members[memberIndex]!.address);
  }

  blank(regionIndex: number) {
    const { chainId } = this.fixture.genesis;
    return { chainId, to: marketAddress(regionIndex), data: new Uint8Array(0) };
  }

  empty(regionIndex: number, slotIndex: number) {
    const { meters } = this.fixture.genesis.regions[regionIndex]!;
    const none = meters.map(() => 0);
    return { regionIndex, slotIndex, importWh: none, exportWh: none };
  }

  report(regionIndex: number, slotIndex: number, change: ReportChange = {}): Uint8Array {
    if (Object.keys(change).length === 0) {
      return randomReport(this.fixture, this.#prng, { regionIndex, slotIndex });
    }
    return this.fixture.reportTransaction({ ...this.empty(regionIndex, slotIndex), ...change });
  }
}

/**
 * Method: every refusal code of a transaction has a row, in the mempool and in a block; the order
 * of codes is the order of checks; then 5,000 malformed or mutated byte strings, which must get a
 * code and never throw.
 */
import { describe, expect, test } from "vitest";
import { createApplication, type MarketApplication } from "../../../services/chain/application.ts";
import { PENDING_REPORTS_PER_LANE_MAX } from "../../../services/chain/lane-root.ts";
import { concatBytes } from "../../../services/primitives/bytes.ts";
import { TRANSACTION_BYTES_MAX } from "../../../services/primitives/limits.ts";
import { createPrng } from "../../../services/primitives/prng.ts";
import type { Slot, UnixSeconds } from "../../../services/primitives/units.ts";
import { encodeCancelOrder, encodePlaceOrder } from "../../../services/wire/forward-order.ts";
import { transactionCodeName } from "../../../services/wire/refusals.ts";
import {
  encodeSetLimits,
  type MemberTransaction,
  marketAddress,
  signMemberTransaction,
} from "../../../services/wire/transaction.ts";
import { createMarketFixture, type FixtureReport } from "../../support/market-fixture.ts";

const LIMITS = { minSellUcPerWh: 9_000, maxBuyUcPerWh: 25_000 };
const fixture = createMarketFixture({
  label: "transactions",
  regions: [
    { id: "east", limits: [undefined, undefined] },
    { id: "west", limits: [undefined] },
  ],
  oracleMembers: 4,
  faultyMax: 1,
  correctionWindowS: 1800, // two slots
});

/** A chain on which every region has cleared slots 0 to 4, and east has reported slot 5 too. */
function chain(): MarketApplication {
  const app = createApplication({ genesis: fixture.genesis, stored: new Map() });
  app.initChain();
  const transactions = [0, 1, 2, 3, 4].flatMap((slotIndex) => [
    report({ slotIndex }),
    report({ slotIndex, regionIndex: 1, importWh: [5], exportWh: [0] }),
  ]);
  transactions.push(report({ slotIndex: 5 }));
  const { results } = app.finalizeBlock({ height: 1, timeS: fixture.slotEndS(5), transactions });
  expect(results.every(({ code }) => code === 0)).toBe(true);
  app.commit();
  return app;
}

function report(fields: Partial<FixtureReport>): Uint8Array {
  return fixture.reportTransaction({
    regionIndex: 0,
    slotIndex: 6,
    importWh: [100, 200],
    exportWh: [50, 0],
    ...fields,
  });
}

function member(fields: Partial<MemberTransaction>, secretKey = fixture.memberSecrets[0]![0]!) {
  return signMemberTransaction({
    transaction: {
      chainId: fixture.genesis.chainId,
      nonce: 0,
      to: marketAddress(0),
      data: encodeSetLimits(LIMITS),
      ...fields,
    },
    secretKey,
  });
}

/** At the end of slot 6 the first open slot is 9: slot 8 starts in 900 s. */
function order(fields: { readonly slotIndex?: number; readonly energyWh?: number }): Uint8Array {
  const slot = fixture.slotAtIndex(fields.slotIndex ?? 9);
  return encodePlaceOrder({ slot, side: 0, limitUcPerWh: 1, energyWh: fields.energyWh ?? 5 });
}

function cancelled(orderId: number): Uint8Array {
  return encodeCancelOrder({ slot: fixture.slotAtIndex(9), orderId });
}

function late(slotIndex: number, meterIndex = 0) {
  const slot = fixture.slotAtIndex(slotIndex);
  return [{ slot, meterIndex, importWh: 1, exportWh: 2, quality: 0 }];
}

/** The last byte of s: still canonical, but another key or none. */
function withSignature(bytes: Uint8Array, tail: number): Uint8Array {
  const out = bytes.slice();
  out.fill(tail, out.length - 32);
  return out;
}

const stranger = new Uint8Array(32).fill(7);
const farMarket = marketAddress(900);
const rows: readonly (readonly [string, string, () => Uint8Array])[] = [
  ["ok", "a change of limits", () => member({})],
  ["ok", "a report", () => report({})],
  ["ok", "a report with late entries", () => report({ late: [...late(3), ...late(4, 1)] })],
  ["ok", "a report that others of the committee sign", () => report({ signers: [1, 2, 3] })],
  ["ok", "a report that all sign", () => report({ signers: [0, 1, 2, 3] })],
  ["oversized", "too long", () => new Uint8Array(TRANSACTION_BYTES_MAX + 1)],
  ["malformed", "nothing", () => new Uint8Array(0)],
  ["malformed", "an unknown type", () => Uint8Array.of(0x05, 1, 2)],
  ["malformed", "a legacy transaction", () => Uint8Array.of(0xc0)],
  ["malformed", "trailing bytes", () => concatBytes([member({}), Uint8Array.of(0)])],
  ["malformed", "half a report", () => report({}).subarray(0, 60)],
  ["chain_mismatched", "another chain", () => member({ chainId: 1 })],
  ["signature_invalid", "high s", () => withSignature(member({}), 0xff)],
  ["sender_unknown", "a stranger", () => member({}, stranger)],
  ["nonce_gapped", "a nonce ahead", () => member({ nonce: 1 })],
  ["destination_unknown", "no market", () => member({ to: new Uint8Array(20) })],
  ["destination_unknown", "no region", () => member({ to: farMarket })],
  ["call_unknown", "no call", () => member({ data: new Uint8Array(4) })],
  ["member_elsewhere", "another region's market", () => member({ to: marketAddress(1) })],
  ["ok", "a forward order", () => member({ data: order({}) })],
  ["gate_closed", "a slot whose gate has closed", () => member({ data: order({ slotIndex: 7 }) })],
  ["order_invalid", "no energy", () => member({ data: order({ energyWh: 0 }) })],
  ["order_unknown", "nothing to cancel", () => member({ data: cancelled(9) })],
  ["member_elsewhere", "another's market", () => member({ to: marketAddress(1), data: order({}) })],
  ["report_malformed", "no region", () => report({ regionIndex: 2 })],
  ["report_malformed", "too few meters", () => report({ importWh: [1], exportWh: [1] })],
  ["report_unordered", "a slot again", () => report({ slotIndex: 5 })],
  ["report_unordered", "a slot ahead", () => report({ slotIndex: 7 })],
  ["certificate_invalid", "no quorum", () => report({ signers: [0, 1] })],
  ["config_mismatched", "other rules", () => report({ configDigest: new Uint8Array(32) })],
  ["late_invalid", "its own slot", () => report({ late: late(6) })],
  ["late_invalid", "window closed", () => report({ late: late(2) })],
];

describe("in the mempool and in a block", () => {
  const app = chain();
  test.each(rows)("%s: %s", (name, _, make) => {
    const bytes = make();
    expect(transactionCodeName(app.checkTx(bytes).code)).toBe(name);
    const block = { height: 2, timeS: fixture.slotEndS(6), transactions: [bytes] };
    const { results, appHash } = app.finalizeBlock(block);
    expect(transactionCodeName(results[0]!.code)).toBe(name);
    if (name === "ok") expect(results[0]!.info).toBe("");
    else expect(results[0]!.info).not.toBe("");
    expect(appHash.every((byte, i) => byte === app.head().appHash[i])).toBe(name !== "ok");
  });

  test("report_premature: known at a block's time only", () => {
    const bytes = report({});
    expect(app.checkTx(bytes).code).toBe(0);
    const timeS = (fixture.slotEndS(6) - 1) as UnixSeconds;
    const { results } = app.finalizeBlock({ height: 2, timeS, transactions: [bytes] });
    expect(transactionCodeName(results[0]!.code)).toBe("report_premature");
  });

  test("late_invalid: before genesis", () => {
    const young = createApplication({ genesis: fixture.genesis, stored: new Map() });
    young.initChain();
    const slot = (fixture.slotAtIndex(0) - 1) as Slot;
    const entries = [{ slot, meterIndex: 0, importWh: 1, exportWh: 0, quality: 0 }];
    const bytes = report({ slotIndex: 0, late: entries });
    expect(transactionCodeName(young.checkTx(bytes).code)).toBe("late_invalid");
  });

  test("certificate_invalid: another's signature, a signer who is nobody, a changed report", () => {
    const good = report({});
    const other = report({ signers: [0, 1, 3] });
    const swapped = concatBytes([good.subarray(0, -96), other.subarray(-96)]);
    expect(transactionCodeName(app.checkTx(swapped).code)).toBe("certificate_invalid");
    // The signers' bitmask is the byte before the signature's two-byte head.
    const nobody = good.slice();
    nobody[good.length - 99] = 0x17;
    expect(transactionCodeName(app.checkTx(nobody).code)).toBe("certificate_invalid");
  });

  test("nonces rise, and a second change waits for the first to take effect", () => {
    const changes = [member({}), member({}), member({ nonce: 1 })];
    const block = { height: 2, timeS: fixture.slotEndS(5), transactions: changes };
    const codes = app.finalizeBlock(block).results.map(({ code }) => transactionCodeName(code));
    expect(codes).toEqual(["ok", "nonce_stale", "limits_pending"]);
  });
});

test("the first code that applies is the answer", () => {
  const app = chain();
  const wrong = member({ chainId: 1, nonce: 9, to: farMarket, data: new Uint8Array(1) }, stranger);
  expect(transactionCodeName(app.checkTx(wrong).code)).toBe("chain_mismatched");
  const report6 = report({ slotIndex: 9, signers: [0], configDigest: new Uint8Array(32) });
  expect(transactionCodeName(app.checkTx(report6).code)).toBe("report_unordered");
});

test("a region's reports wait for the others up to a limit", () => {
  const lone = createMarketFixture({
    label: "waiting",
    regions: [
      { id: "east", limits: [undefined] },
      { id: "west", limits: [undefined] },
    ],
  });
  const app = createApplication({ genesis: lone.genesis, stored: new Map() });
  app.initChain();
  const transactions = Array.from({ length: PENDING_REPORTS_PER_LANE_MAX + 1 }, (_, slotIndex) =>
    lone.reportTransaction({ regionIndex: 0, slotIndex, importWh: [1], exportWh: [0] }),
  );
  const timeS = lone.slotEndS(PENDING_REPORTS_PER_LANE_MAX + 1);
  const { results } = app.finalizeBlock({ height: 1, timeS, transactions });
  const codes = results.map(({ code }) => transactionCodeName(code));
  expect(codes.slice(0, -1).every((code) => code === "ok")).toBe(true);
  expect(codes.at(-1)).toBe("report_unordered");
});

test("5,000 mutated or random transactions get a code and change nothing by themselves", () => {
  const app = chain();
  const prng = createPrng("fuzz");
  const seeds = rows.filter(([name]) => name !== "oversized").map(([, , make]) => make());
  const mutate = (bytes: Uint8Array): Uint8Array => {
    const out = bytes.slice();
    for (let i = 1 + prng.below(3); i > 0 && out.length > 0; i--) {
      out[prng.below(out.length)] = prng.below(256);
    }
    const kind = prng.below(4);
    if (kind === 0) return out.subarray(0, prng.below(out.length + 1));
    if (kind === 1) return concatBytes([out, out.subarray(0, prng.below(out.length + 1))]);
    return out;
  };
  const transactions = Array.from({ length: 5_000 }, (_, i) => {
    if (i % 5 > 0) return mutate(seeds[prng.below(seeds.length)]!);
    const type = [0x02, 0x67, prng.below(256)][prng.below(3)]!;
    const tail = Uint8Array.from({ length: prng.below(300) }, () => prng.below(256));
    return concatBytes([Uint8Array.of(type), tail]);
  });
  for (const bytes of transactions) expect(app.checkTx(bytes).code).toBeGreaterThanOrEqual(0);
  const block = { height: 2, timeS: fixture.slotEndS(6), transactions };
  const { results } = app.finalizeBlock(block);
  expect(results).toHaveLength(5_000);
  for (const { code } of results) expect(transactionCodeName(code)).not.toBe("unknown");
});

/**
 * The public interface's shapes, as zod schemas: the API validates and documents with them, the
 * dashboard and the CLI take their types. Money is a decimal string, energy an integer in Wh,
 * prices integers in uc/Wh, times unix seconds, bytes hexadecimal. A missing value is null.
 */
import { z } from "zod";
import {
  AUDIT_KEY_CHARACTERS_MAX,
  AUDIT_RECORDS_PER_PAGE_MAX,
  AUDITOR_DAYS_MAX,
} from "../primitives/limits.ts";
import { BILL_FIELDS } from "./bill.ts";

const zMoney = z.string().regex(/^-?\d+$/); // micro-cents
const zEnergy = z.int().min(0);
const zPriceOrNull = z.int().nullable();
const zHash = z.string().regex(/^0x[0-9a-f]*$/);

/** Every error answer: a stable code, a sentence, and where the fault is. */
export const ApiError = z.object({
  code: z.string(),
  message: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
});

export const Ratios = z.object({
  /** Share of consumption covered by the own roof, 0..1; null without consumption or PV meter. */
  selfSufficiencyOwn: z.number().nullable(),
  /** The same, energy of the community counted as local. */
  selfSufficiencyCommunity: z.number().nullable(),
  /** Share of production used at home; null without production. */
  selfConsumptionOwn: z.number().nullable(),
  selfConsumptionCommunity: z.number().nullable(),
});

export const EnergyWindow = z.enum(["last", "today", "all"]);

/** Where energy went and came from, with money, over a window. Own, or a whole community. */
export const EnergySummary = z.object({
  window: z.enum([...EnergyWindow.options, "day", "month"]), // the latter two: a statement's
  fromSlot: z.int().nullable(), // null: nothing settled in the window yet
  toSlot: z.int().nullable(),
  slots: z.int(),
  missingReadings: z.int(), // meter-slots without a value: a gap, not a zero
  productionWh: zEnergy.nullable(), // null where no production meter exists
  consumptionWh: zEnergy,
  ownUseWh: zEnergy.nullable(), // produced and used behind the same meter
  importWh: zEnergy,
  exportWh: zEnergy,
  communityBoughtWh: zEnergy,
  communitySoldWh: zEnergy,
  neighbourBoughtWh: zEnergy,
  neighbourSoldWh: zEnergy,
  retailerBoughtWh: zEnergy,
  retailerSoldWh: zEnergy,
  forwardBoughtWh: zEnergy, // before delivery; not part of the energies above
  forwardSoldWh: zEnergy,
  imbalanceBoughtWh: zEnergy, // sold forward and not delivered, bought from the retailer
  imbalanceSoldWh: zEnergy, // bought forward and not taken, sold to the retailer
  paidUc: zMoney, // >= 0
  earnedUc: zMoney, // >= 0
  retailerAloneUc: zMoney, // what the same energy would have come to without the community; signed
  amountUc: zMoney, // earned - paid, signed
  savingsUc: zMoney, // amount - retailerAlone, signed: what the community was worth
  /** The slot that drew the most, as its average power; of a group, what it drew together. */
  peakImportW: zEnergy.nullable(), // null: nothing settled in the window yet
  peakImportSlot: z.int().nullable(), // the earliest of equals; null where nothing was drawn
  ratios: Ratios,
});

export const SlotSummary = z.object({
  region: z.string(),
  slot: z.int(),
  startS: z.int(),
  endS: z.int(),
  height: z.int(),
  mechanism: z.enum(["mid-market-rate", "uniform-price"]),
  priceUcPerWh: zPriceOrNull, // null: nothing could trade
  priceIntervalUcPerWh: z.tuple([zPriceOrNull, zPriceOrNull]).nullable(),
  buyPriceUcPerWh: zPriceOrNull,
  sellPriceUcPerWh: zPriceOrNull,
  importWh: zEnergy,
  exportWh: zEnergy,
  tradedWh: zEnergy, // between members of the region
  inflowWh: zEnergy,
  outflowWh: zEnergy,
  retailerBoughtWh: zEnergy,
  retailerSoldWh: zEnergy,
  metersReported: z.int(),
  metersMissing: z.int(),
  refusedReadings: z.int(),
});

export const CurveStep = z.object({
  priceUcPerWh: z.int(),
  energyWh: zEnergy, // of this step alone
  meters: z.int(),
});

export const SlotDetail = SlotSummary.extend({
  /** Steps are merged until each stands for at least AGGREGATE_METERS_MIN meters. */
  supply: z.array(CurveStep), // rising price
  demand: z.array(CurveStep), // falling price
  suppressed: z.boolean(), // a side with too few meters is not shown
  retailUcPerWh: z.int(),
  feedInUcPerWh: z.int(),
  /** The slot's forward auction; null: nothing was traded forward. */
  forward: z
    .object({
      priceUcPerWh: z.int(),
      /** Bought or sold by members, the larger; null: by fewer than AGGREGATE_METERS_MIN meters. */
      tradedWh: zEnergy.nullable(),
    })
    .nullable(),
  /** After delivery; a line that carried forward energy the other way may exceed its capacity. */
  flows: z.array(
    z.object({
      line: z.string(),
      from: z.string(),
      to: z.string(),
      energyWh: zEnergy,
      capacityWh: zEnergy,
      feeUcPerWh: z.int(),
      rentUc: zMoney,
    }),
  ),
  receiptsRoot: zHash,
  readingsRoot: zHash,
  reportHash: zHash,
  /** With a session: the caller's own order in this slot. */
  own: z
    .object({
      importWh: zEnergy,
      exportWh: zEnergy,
      minSellUcPerWh: z.int(),
      maxBuyUcPerWh: z.int(),
      amountUc: zMoney,
      /** unmatched: within the limits, but nobody stood on the other side. */
      why: z.enum(["traded", "partly", "limit", "unmatched", "nothing", "missing"]),
    })
    .nullable(),
});

/** Why a region is out of the market, and the way back. */
export const RegionQuarantine = z.object({
  standing: z.enum(["quarantined", "catching up"]),
  sinceSlot: z.int(), // the first slot that it missed
  step: z.enum(["open", "market", "close"]), // of that slot, which broke an invariant
  missedSlots: z.int(), // that others have cleared and it has not
  fix: z.string(), // what the operator is to do
});

export const Region = z.object({
  id: z.string(),
  name: z.string(),
  mechanism: z.enum(["mid-market-rate", "uniform-price"]),
  members: z.int(),
  meters: z.int(),
  lastSlot: SlotSummary.nullable(),
  lines: z.array(
    z.object({ id: z.string(), from: z.string(), to: z.string(), capacityWh: z.int() }),
  ),
  quarantine: RegionQuarantine.nullable(), // null: in the market
});

export const Status = z.object({
  networkId: z.string(),
  chainId: z.int(),
  chainVersion: z.int(), // of the next block
  version: z.string(), // of the software
  currency: z.string(),
  timeZone: z.string(), // IANA name: the community's days and months are of this zone
  slotS: z.int(),
  retailUcPerWh: z.int(),
  feedInUcPerWh: z.int(),
  height: z.int(),
  appHash: zHash,
  blockTimeS: z.int(),
  marketTimeS: z.int(),
  /** Market seconds per real second: 1 in the field, more in a demo; null: driven by readings. */
  speed: z.number().nullable(),
  genesisSlot: z.int(),
  lastSlot: z.int().nullable(),
  clearedSlots: z.int(),
  regions: z.int(),
  members: z.int(),
  metersRegistered: z.int(),
  metersReporting: z.int(), // reported the last closed slot
  readingsAccepted: z.int(), // since the process started
  readingsRefused: z.record(z.string(), z.int()), // by code name
});

export const Health = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

export const Bill = z.object({
  ...Object.fromEntries(BILL_FIELDS.map((field) => [field, z.int()])),
  amountUc: zMoney,
} as {
  [Field in (typeof BILL_FIELDS)[number]]: Field extends "amountUc" ? z.ZodString : z.ZodInt;
});

/** One bill line as a member sees it. */
export const BillLine = Bill.extend({
  region: z.string(),
  startS: z.int(),
  endS: z.int(),
  height: z.int(),
  settledSlot: z.int(), // the slot whose receipts tree holds the leaf; `slot` but for late bills
  leafIndex: z.int(),
  qualityLetter: z.enum(["A", "S", "E", "N"]),
  retailerAloneUc: zMoney,
});

export const BillProofAnswer = z.object({
  bill: Bill,
  region: z.string(),
  regionIndex: z.int(),
  leafIndex: z.int(),
  receiptsProof: z.array(zHash),
  lanesProof: z.array(zHash),
  header: zHash, // canonical bytes, `wire/header.ts`
  signature: zHash,
  sequencerPublicKey: zHash,
});

export const Me = z.object({
  region: z.string(),
  memberIndex: z.int(),
  label: z.string(),
  address: zHash,
  balanceUc: zMoney,
  limits: z.object({ minSellUcPerWh: z.int(), maxBuyUcPerWh: z.int() }),
  nonce: z.int(),
  meters: z.array(
    z.object({
      deviceId: z.string(),
      role: z.enum(["grid", "production", "feeder"]),
      trust: z.enum(["meter-signed", "gateway-signed", "imported"]), // who vouches for its readings
      lastIntervalEndS: z.int().nullable(),
      refused: z.int(),
    }),
  ),
});

/** A member's forward market: what is still open, and what waits for delivery. */
export const MyOrders = z.object({
  firstOpenSlot: z.int(), // the next slot whose gate has not closed at the last block's time
  gateClosureS: z.int(), // before a slot's start
  horizonS: z.int(), // how far ahead a slot may start
  orders: z.array(
    z.object({
      orderId: z.int(),
      slot: z.int(),
      startS: z.int(),
      gateClosesS: z.int(),
      side: z.enum(["bid", "ask"]),
      limitUcPerWh: z.int(),
      energyWh: zEnergy,
    }),
  ),
  positions: z.array(
    z.object({
      slot: z.int(),
      startS: z.int(),
      boughtWh: zEnergy,
      soldWh: zEnergy,
      priceUcPerWh: z.int(),
    }),
  ),
});

/**
 * Payments that moved the member's balance, newest first. `received` and `refunded` add to it, the
 * others take from it: `sent` went to another region, and a refund names it by its number.
 */
export const MyPayments = z.object({
  payments: z.array(
    z.object({
      height: z.int(), // the block in which the balance changed
      timeS: z.int(),
      kind: z.enum(["paid", "sent", "received", "refunded"]),
      amountUc: zMoney, // above 0
      region: z.string(), // the other member's
      address: zHash, // the other member's
      seq: z.int(), // from the payer's region to the payee's; 0 inside a region
    }),
  ),
  nextBefore: z.string().nullable(), // as `before` asks for older ones; null: there are none
});

/** What a wallet needs to sign its next transaction. */
export const AccountNonce = z.object({ address: zHash, nonce: z.int() });

/** What the oracle's committee has ordered, and the number of its next order. */
export const CommitteeOrders = z.object({
  nextSequence: z.int(),
  chainVersion: z.int(), // of the next block
  upgrades: z.array(z.object({ version: z.int(), height: z.int() })), // rising
});

/** A day's roll-up, made by the calendar job. */
export const DailyStatement = z.object({
  day: z.string().regex(/^\d{4}-\d{2}-\d{2}$/), // market day in the community's time zone
  summary: EnergySummary,
});

/** A month of daily statements, added up. */
export const MonthlyStatement = z.object({
  month: z.string().regex(/^\d{4}-\d{2}$/), // of market days, in the community's time zone
  fromDay: z.string(), // the first and the last market day in it
  toDay: z.string(),
  days: z.int(),
  complete: z.boolean(), // false while days of the month are still to come
  summary: EnergySummary,
});

export const StatementPeriod = z.enum(["day", "month"]);

export const PairingRequest = z.strictObject({ region: z.string(), member: z.string() });
export const Pairing = z.object({ code: z.string(), expiresS: z.int() });
export const SessionRequest = z.strictObject({ code: z.string().min(4).max(64) });
export const Session = z.object({ token: z.string(), region: z.string(), label: z.string() });

/** The right to audit, for a while; the token is said once. */
export const AuditorRequest = z.strictObject({ days: z.int().min(1).max(AUDITOR_DAYS_MAX) });
export const Auditor = z.object({ token: z.string(), expiresS: z.int() });
export const AuditorsRevoked = z.object({ revoked: z.int() });

/** Keys of the application's records, `chain/store-keys.ts`. */
export const AuditRecordsRequest = z.strictObject({
  keys: z
    .array(z.string().min(1).max(AUDIT_KEY_CHARACTERS_MAX))
    .min(1)
    .max(AUDIT_RECORDS_PER_PAGE_MAX),
});

export const TransactionRequest = z.strictObject({
  raw: z.string().regex(/^0x([0-9a-f]{2})*$/i, "must be hexadecimal bytes with 0x"),
});
export const TransactionAnswer = z.object({
  hash: zHash,
  code: z.int(),
  codeName: z.string(),
  height: z.int(),
});

/** What the oracle refused on one UTC day of market time, for the operator. */
export const RefusalPage = z.object({
  region: z.string().nullable(), // null: records whose topic names no region
  day: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
  counts: z.record(z.string(), z.int()), // of the whole day, by code name
  rows: z.array(
    z.object({
      timeS: z.int(),
      deviceId: z.string().nullable(),
      code: z.int(),
      codeName: z.string(),
      recordHash: zHash, // SHA-256 of the bytes as received
      measured: z.number().nullable(), // what broke the rule
      bound: z.number().nullable(), // what it had to keep to
    }),
  ), // newest first
});

/** The stream cannot resume where the client left off: fetch anew, then follow from `height`. */
export const StreamReset = z.object({ height: z.int() });

/** A block on the stream; its SSE id is the height. The first event on connecting is `status`. */
export const StreamBlock = z.object({
  height: z.int(),
  timeS: z.int(),
  appHash: zHash,
  slots: z.array(SlotSummary),
});

export type ApiError = z.output<typeof ApiError>;
export type Ratios = z.output<typeof Ratios>;
export type EnergyWindow = z.output<typeof EnergyWindow>;
export type EnergySummary = z.output<typeof EnergySummary>;
export type SlotSummary = z.output<typeof SlotSummary>;
export type CurveStep = z.output<typeof CurveStep>;
export type SlotDetail = z.output<typeof SlotDetail>;
export type Region = z.output<typeof Region>;
export type RegionQuarantine = z.output<typeof RegionQuarantine>;
export type CommitteeOrders = z.output<typeof CommitteeOrders>;
export type Status = z.output<typeof Status>;
export type BillLine = z.output<typeof BillLine>;
export type BillProofAnswer = z.output<typeof BillProofAnswer>;
export type Me = z.output<typeof Me>;
export type MyOrders = z.output<typeof MyOrders>;
export type MyPayments = z.output<typeof MyPayments>;
export type AccountNonce = z.output<typeof AccountNonce>;
export type DailyStatement = z.output<typeof DailyStatement>;
export type MonthlyStatement = z.output<typeof MonthlyStatement>;
export type Session = z.output<typeof Session>;
export type TransactionAnswer = z.output<typeof TransactionAnswer>;
export type RefusalPage = z.output<typeof RefusalPage>;
export type StreamBlock = z.output<typeof StreamBlock>;

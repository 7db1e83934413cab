/**
 * The steps of lanes as values in shared memory (`shared-values.ts`): what a worker is told, and
 * what it answers. Each `write` has its `read` beside it. A lane's columns and its rules are shared
 * by reference and are not in here.
 *
 * Safe because both ends are one program: nothing here is ever stored or sent to another machine.
 */
import type { Curve } from "../market/curve.ts";
import { concatBytes, fromUtf8, utf8 } from "../primitives/bytes.ts";
import type { MicroCents } from "../primitives/units.ts";
import { decodeReport } from "../wire/report.ts";
import type { LineFlow } from "../wire/slot-record.ts";
import type { HeldSlot } from "./forward-book.ts";
import type { PendingReport } from "./lane.ts";
import type { ClearedBook, LaneAnswer, LaneFailure, LaneStep } from "./lane-executor.ts";
import type { ValueReader, ValueSink } from "./shared-values.ts";

const HASH_BYTES = 32;

/** Phase 1, in. */
export function writeOpenJob(
  sink: ValueSink,
  { report, held }: { readonly report: PendingReport | null; readonly held: HeldSlot | null },
): void {
  sink.column(report?.bytes ?? new Uint8Array(0));
  if (report !== null) sink.column(report.hash);
  writeHeld(sink, held);
}

export function readOpenJob(reader: ValueReader): {
  readonly report: PendingReport | null;
  readonly held: HeldSlot | null;
} {
  const bytes = reader.bytes();
  if (bytes.length === 0) return { report: null, held: readHeld(reader) };
  const hash = reader.bytes();
  return { report: { bytes, hash, report: decodeReport(bytes) }, held: readHeld(reader) };
}

function writeHeld(sink: ValueSink, held: HeldSlot | null): void {
  sink.number(held === null ? 0 : 1);
  if (held === null) return;
  sink.number(held.priceUcPerWh);
  const rows = new Float64Array(3 * held.positions.length);
  held.positions.forEach(({ memberIndex, boughtWh, soldWh }, i) => {
    rows.set([memberIndex, boughtWh, soldWh], 3 * i);
  });
  sink.column(rows);
  writeFlows(sink, held.flows);
}

function readHeld(reader: ValueReader): HeldSlot | null {
  if (reader.number() === 0) return null;
  const priceUcPerWh = reader.number();
  const rows = reader.doubles();
  const positions = Array.from({ length: Math.floor(rows.length / 3) }, (_, i) => ({
    memberIndex: rows[3 * i]!,
    boughtWh: rows[3 * i + 1]!,
    soldWh: rows[3 * i + 2]!,
  }));
  return { priceUcPerWh, positions, flows: readFlows(reader) };
}

function writeFlows(sink: ValueSink, flows: readonly LineFlow[]): void {
  sink.number(flows.length);
  for (const { lineIndex, energyWh, rentUc } of flows) {
    sink.number(lineIndex);
    sink.number(energyWh);
    sink.money(rentUc);
  }
}

function readFlows(reader: ValueReader): LineFlow[] {
  return Array.from({ length: reader.number() }, () => ({
    lineIndex: reader.number(),
    energyWh: reader.number(),
    rentUc: reader.money() as MicroCents,
  }));
}

/** Phase 1, out. */
export function writeCurve(sink: ValueSink, curve: Curve | null): void {
  sink.number(curve === null ? 0 : 1);
  if (curve === null) return;
  sink.number(curve.bidWh);
  sink.number(curve.askWh);
  sink.column(curve.priceUcPerWh);
  sink.column(curve.reachedWh);
  sink.column(curve.askReachedWh);
}

export function readCurve(reader: ValueReader): Curve | null {
  if (reader.number() === 0) return null;
  const bidWh = reader.number();
  const askWh = reader.number();
  const priceUcPerWh = reader.ints();
  const reachedWh = reader.doubles();
  return { bidWh, askWh, priceUcPerWh, reachedWh, askReachedWh: reader.doubles() };
}

/** Phase 2, in. */
export function writeAnswer(sink: ValueSink, answer: LaneAnswer | null): void {
  sink.number(answer === null ? 0 : 1);
  if (answer === null) return;
  const { prices, lines, flows } = answer;
  sink.number(prices.lowUcPerWh);
  sink.number(prices.highUcPerWh);
  sink.number(prices.atUcPerWh);
  sink.number(prices.netInflowWh);
  sink.number(prices.passes ? 1 : 0);
  sink.number(lines.inflowWh);
  sink.number(lines.outflowWh);
  sink.money(lines.inflowFeesUc);
  sink.money(lines.inflowRentUc);
  writeFlows(sink, flows);
}

export function readAnswer(reader: ValueReader): LaneAnswer | null {
  if (reader.number() === 0) return null;
  const prices = {
    lowUcPerWh: reader.number(),
    highUcPerWh: reader.number(),
    atUcPerWh: reader.number(),
    netInflowWh: reader.number(),
    passes: reader.number() === 1,
  };
  const lines = {
    inflowWh: reader.number(),
    outflowWh: reader.number(),
    inflowFeesUc: reader.money(),
    inflowRentUc: reader.money(),
  };
  return { prices, lines, flows: readFlows(reader) };
}

/** Phase 2, out: the slot's record as stored; the lane's columns are written where they belong. */
export function writeClosed(
  sink: ValueSink,
  closed: { readonly record: Uint8Array; readonly cleared: ClearedBook | null },
): void {
  const { record, cleared } = closed;
  sink.column(record);
  sink.number(cleared === null ? 0 : 1);
  if (cleared === null) return;
  writeNullable(sink, cleared.priceLowUcPerWh);
  writeNullable(sink, cleared.priceHighUcPerWh);
  writeNullable(sink, cleared.priceUcPerWh);
  sink.number(cleared.boughtWh);
  sink.number(cleared.soldWh);
  const { facts } = cleared;
  sink.number(facts.lowUcPerWh);
  sink.number(facts.highUcPerWh);
  sink.number(facts.bidAtWh);
  sink.number(facts.bidAtFilledWh);
  sink.number(facts.askAtWh);
  sink.number(facts.askAtFilledWh);
}

export function readClosed(reader: ValueReader): {
  readonly record: Uint8Array;
  readonly cleared: ClearedBook | null;
} {
  const record = reader.bytes();
  if (reader.number() === 0) return { record, cleared: null };
  const clearing = {
    priceLowUcPerWh: readNullable(reader),
    priceHighUcPerWh: readNullable(reader),
    priceUcPerWh: readNullable(reader),
    boughtWh: reader.number(),
    soldWh: reader.number(),
  };
  const facts = {
    lowUcPerWh: reader.number(),
    highUcPerWh: reader.number(),
    bidAtWh: reader.number(),
    bidAtFilledWh: reader.number(),
    askAtWh: reader.number(),
    askAtFilledWh: reader.number(),
  };
  return { record, cleared: { ...clearing, facts } };
}

function writeNullable(sink: ValueSink, value: number | null): void {
  sink.number(value ?? Number.NaN);
}

function readNullable(reader: ValueReader): number | null {
  const value = reader.number();
  return Number.isNaN(value) ? null : value;
}

type RootInput = {
  readonly pendingHashes: readonly Uint8Array[];
  readonly forwardRoot: Uint8Array;
  readonly historyLength: number;
  readonly leaves: readonly Uint8Array[];
};

/** Roots, in. */
export function writeRootJob(sink: ValueSink, input: RootInput): void {
  sink.column(concatBytes(input.pendingHashes));
  sink.column(input.forwardRoot);
  sink.number(input.historyLength);
  sink.column(concatBytes(input.leaves));
}

export function readRootJob(reader: ValueReader): RootInput {
  const pendingHashes = split(reader.bytes());
  const forwardRoot = reader.bytes();
  const historyLength = reader.number();
  return { pendingHashes, forwardRoot, historyLength, leaves: split(reader.bytes()) };
}

type Rooted = {
  readonly stateRoot: Uint8Array;
  readonly receiptsRoot: Uint8Array;
  readonly frontier: Uint8Array;
  readonly paths: readonly (readonly Uint8Array[])[];
};

/** Roots, out. */
export function writeRooted(sink: ValueSink, rooted: Rooted): void {
  sink.column(rooted.stateRoot);
  sink.column(rooted.receiptsRoot);
  sink.column(rooted.frontier);
  sink.number(rooted.paths.length);
  for (const path of rooted.paths) sink.column(concatBytes(path));
}

/** Copies: a worker writes its next outcomes to the same memory. */
export function readRooted(reader: ValueReader): Rooted {
  const stateRoot = reader.bytes().slice();
  const receiptsRoot = reader.bytes().slice();
  const frontier = reader.bytes().slice();
  const paths = Array.from({ length: reader.number() }, () => split(reader.bytes()));
  return { stateRoot, receiptsRoot, frontier, paths };
}

function split(hashes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.floor(hashes.length / HASH_BYTES) }, (_, i) =>
    hashes.slice(HASH_BYTES * i, HASH_BYTES * (i + 1)),
  );
}

const STEPS: readonly LaneStep[] = ["open", "close", "root"];

export function writeFailure(sink: ValueSink, failure: LaneFailure): void {
  sink.number(failure.regionIndex);
  sink.number(STEPS.indexOf(failure.step));
  sink.column(utf8(failure.message));
}

export function readFailure(reader: ValueReader): LaneFailure {
  const regionIndex = reader.number();
  const step = STEPS[reader.number()]!;
  return { regionIndex, step, message: fromUtf8(reader.bytes()) };
}

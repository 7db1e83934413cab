/**
 * What every application with the power of snapshots (services/chain/abci.ts, 8 to 13) owes.
 *
 * Method: a plain run takes a snapshot at every height. From each, applications that know nothing
 * boot by random logs of state sync: offers that are refused, chunks in any order, twice, cut off,
 * flipped or of random bytes from a sender who lies, restores given up half way and begun again,
 * and crashes. Every log must pass the grammar; each restore must give the app hash and the records
 * of the original, the same snapshot again, and the same outcome of every block that follows.
 */
import { describe, expect, test } from "vitest";
import type { Application, Snapshot, SnapshotPower } from "../../services/chain/abci.ts";
import type { SnapshotSource } from "../../services/chain/snapshot.ts";
import { sha256 } from "../../services/crypto/hash.ts";
import { bytesEqual, toHex } from "../../services/primitives/bytes.ts";
import { createPrng, type Prng } from "../../services/primitives/prng.ts";
import { type AbciCall, grammarFault } from "./abci-grammar.ts";
import {
  type ApplicationSubject,
  noise,
  plainRun,
  randomBytes,
  stepOf,
} from "./application-suite.ts";

type Snapshotting = Application & SnapshotPower;
export type Taken = { readonly snapshot: Snapshot; readonly chunks: readonly Uint8Array[] };

export type StateSyncSubject = Omit<ApplicationSubject, "create"> & {
  create(stored: ReadonlyMap<string, Uint8Array>, kept?: SnapshotSource): Snapshotting;
  take(application: Snapshotting): Taken;
  /** Of durable records the state's, whole: others are history, which a restore does not bring. */
  stateOf(records: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array>;
};

type Original = {
  readonly taken: Taken;
  readonly appHash: Uint8Array;
  readonly records: ReadonlyMap<string, Uint8Array>;
};

export function stateSyncSuite(name: string, subject: () => StateSyncSubject): void {
  describe(`${name} boots by state sync`, () => {
    test("what is kept is listed and handed out, and nothing else", () => {
      const [first, second] = originals(subject());
      const kept = sourceOf([second!.taken, first!.taken]);
      const app = subject().create(new Map(), kept);
      expect(app.listSnapshots()).toEqual([second!.taken.snapshot, first!.taken.snapshot]);
      for (const { snapshot, chunks } of [first!.taken, second!.taken]) {
        const { height, format } = snapshot;
        expect(snapshot.chunks).toBe(chunks.length);
        chunks.forEach((chunk, index) => {
          expect(app.loadSnapshotChunk({ height, format, index }).chunk).toEqual(chunk);
        });
        for (const place of [
          { height, format, index: chunks.length },
          { height, format: format + 1, index: 0 },
          { height: height + 77, format, index: 0 },
        ]) {
          expect(app.loadSnapshotChunk(place).chunk).toHaveLength(0);
        }
      }
      expect(subject().create(new Map()).listSnapshots()).toEqual([]);
    });

    test("offers that cannot lead to the trusted app hash are refused, each for its reason", () => {
      const [{ taken, appHash }] = originals(subject()).slice(-1) as [Original];
      const { snapshot } = taken;
      const other = new Uint8Array(32).fill(9);
      const flipped = snapshot.metadata.slice();
      flipped[flipped.length >> 1]! ^= 4;
      const app = subject().create(new Map());
      const offer = (changed: Partial<Snapshot>, trusted = appHash) =>
        app.offerSnapshot({ snapshot: { ...snapshot, ...changed }, appHash: trusted }).result;
      expect(offer({ format: snapshot.format + 1 })).toBe("reject_format");
      expect(offer({}, other)).toBe("reject");
      expect(offer({ hash: other })).toBe("reject_sender");
      expect(offer({ metadata: flipped })).toBe("reject_sender");
      expect(offer({ metadata: flipped, hash: sha256(flipped) })).toMatch(/^reject/);
      expect(offer({ height: snapshot.height + 1 })).toBe("reject");
      expect(offer({ chunks: snapshot.chunks + 1 })).toBe("reject");
      expect(app.info()).toMatchObject({ lastBlockHeight: 0 });
      const chunk = taken.chunks[0]!;
      expect(app.applySnapshotChunk({ index: 0, chunk, sender: "a" }).result).toBe("abort");
      expect(offer({})).toBe("accept");
    });

    test("an application that has a state takes no offer", () => {
      const { create, blocks } = subject();
      const [{ taken, appHash }] = originals(subject()).slice(-1) as [Original];
      const app = create(new Map());
      app.initChain();
      app.finalizeBlock(blocks[0]!);
      app.commit();
      const before = app.info();
      expect(app.offerSnapshot({ snapshot: taken.snapshot, appHash }).result).toBe("abort");
      const part = { index: 0, chunk: taken.chunks[0]!, sender: "a" };
      expect(app.applySnapshotChunk(part).result).toBe("abort");
      expect(app.info()).toEqual(before);
    });

    test("random bytes as metadata never throw and are never accepted", () => {
      const [{ taken, appHash }] = originals(subject()) as [Original];
      const app = subject().create(new Map());
      const prng = createPrng("state-sync/metadata");
      for (let i = 0; i < 300; i++) {
        const metadata = i % 2 === 0 ? randomBytes(prng) : mutated(taken.snapshot.metadata, prng);
        if (bytesEqual(metadata, taken.snapshot.metadata)) continue;
        const snapshot = { ...taken.snapshot, metadata, hash: sha256(metadata) };
        const { result } = app.offerSnapshot({ snapshot, appHash });
        // Chunk hashes cannot be told from the metadata alone: those are found when chunks come.
        if (result !== "accept") continue;
        for (const [index, chunk] of taken.chunks.entries()) {
          app.applySnapshotChunk({ index, chunk, sender: "a" });
        }
        expect(app.info().lastBlockHeight).toBe(0);
      }
    });

    test("any log of state sync gives the reference, through lies, restarts and crashes", () => {
      const runs = subject().runs ?? 25;
      const all = originals(subject());
      const reference = plainRun(subject());
      for (let seed = 0; seed < runs; seed++) {
        const prng = createPrng(`state-sync/${seed}`);
        const original = all[prng.below(all.length)]!;
        const { calls, app, stored } = drive(subject(), all, original, prng);
        expect(grammarFault(calls), `seed ${seed}`).toBeNull();
        expect(toHex(app.info().lastBlockAppHash)).toBe(toHex(original.appHash));
        const same = subject().take(app);
        expect(same.snapshot).toEqual(original.taken.snapshot);
        const { create, blocks, stateOf } = subject();
        for (const [key, value] of stored)
          expect(original.records.get(key) ?? value).toEqual(value);
        for (const key of original.records.keys()) expect(stored.has(key), key).toBe(true);
        // Once more from what was made durable, then on with the blocks of the source.
        const again = create(stored);
        expect(again.info()).toEqual(app.info());
        const after = new Map(stored);
        for (const block of blocks.slice(original.taken.snapshot.height)) {
          expect(stepOf(again.finalizeBlock(block))).toEqual(reference[block.height - 1]);
          persist(after, again.commit().changes);
        }
        const last = all[all.length - 1]!;
        const state = stateOf(after);
        for (const [key, value] of last.records) expect(state.get(key), key).toEqual(value);
      }
    });
  });
}

/** A plain run, with a snapshot and the state's records at each height. */
function originals({ create, take, blocks, stateOf }: StateSyncSubject): Original[] {
  const app = create(new Map());
  app.initChain();
  const records = new Map<string, Uint8Array>();
  return blocks.map((block) => {
    const { appHash } = app.finalizeBlock(block);
    persist(records, app.commit().changes);
    return { taken: take(app), appHash, records: stateOf(records) };
  });
}

function persist(
  stored: Map<string, Uint8Array>,
  changes: readonly { readonly key: string; readonly value: Uint8Array | null }[],
): void {
  for (const { key, value } of changes) {
    if (value === null) stored.delete(key);
    else stored.set(key, value.slice());
  }
}

/** Snapshots as a node would keep them. */
export function sourceOf(all: readonly Taken[]): SnapshotSource {
  return {
    list: () => all.map(({ snapshot }) => snapshot),
    chunk: ({ height, format, index }) => {
      const taken = all.find(({ snapshot }) => snapshot.height === height);
      return taken?.snapshot.format === format ? (taken.chunks[index] ?? null) : null;
    },
  };
}

/** One random log of state sync from nothing, up to the call of info that reports the height. */
function drive(
  { create, blocks }: StateSyncSubject,
  all: readonly Original[],
  original: Original,
  prng: Prng,
) {
  const calls: AbciCall[] = [];
  for (let attempt = 0; ; attempt++) {
    const stored = new Map<string, Uint8Array>(); // an interrupted restore starts over
    const app = create(stored);
    calls.push({ call: "boot" });
    const info = () => calls.push({ call: "info", height: app.info().lastBlockHeight });
    info();
    if (prng.below(2) === 0) {
      app.initChain();
      calls.push({ call: "initChain" });
    }
    for (let given = prng.below(3); given > 0; given--) {
      const other = all[prng.below(all.length)]!;
      calls.push({ call: "offerSnapshot" });
      app.offerSnapshot({ snapshot: other.taken.snapshot, appHash: other.appHash });
      // Not the last chunk, or it would be the one that is restored.
      for (const [index, chunk] of other.taken.chunks.slice(0, -1).entries()) {
        calls.push({ call: "applySnapshotChunk" });
        app.applySnapshotChunk({ index, chunk, sender: "a" });
      }
    }
    noise(app, blocks, prng);
    calls.push({ call: "offerSnapshot" });
    const offer = { snapshot: original.taken.snapshot, appHash: original.appHash };
    expect(app.offerSnapshot(offer).result).toBe("accept");
    const isCut = attempt < 3 && prng.below(3) === 0;
    const chunks = shuffled(original.taken.chunks, prng);
    for (const [place, { index, chunk }] of chunks.entries()) {
      for (let lies = prng.below(3); lies > 0; lies--) {
        const lie = prng.below(2) === 0 ? randomBytes(prng) : mutated(chunk, prng);
        if (bytesEqual(lie, chunk)) continue;
        calls.push({ call: "applySnapshotChunk" });
        const verdict = app.applySnapshotChunk({ index, chunk: lie, sender: "liar" });
        expect(verdict).toMatchObject({
          ...{ result: "retry", refetchChunks: [index], rejectSenders: ["liar"], changes: [] },
        });
      }
      info();
      if (isCut && place === chunks.length - 1) break;
      for (let times = 1 + prng.below(2); times > 0; times--) {
        calls.push({ call: "applySnapshotChunk" });
        const verdict = app.applySnapshotChunk({ index, chunk, sender: "b" });
        if (verdict.result === "abort") break; // it was the last one, and came again
        expect(verdict.result).toBe("accept");
        persist(stored, verdict.changes);
      }
    }
    if (isCut) continue;
    info();
    return { calls, app, stored };
  }
}

function shuffled(chunks: readonly Uint8Array[], prng: Prng) {
  const left = chunks.map((chunk, index) => ({ index, chunk }));
  return chunks.map(() => left.splice(prng.below(left.length), 1)[0]!);
}

/** Bytes with one bit flipped, cut off, or with more behind them. */
export function mutated(bytes: Uint8Array, prng: Prng): Uint8Array {
  const pick = prng.below(3);
  if (pick === 0) return bytes.subarray(0, prng.below(bytes.length));
  if (pick === 1) return Uint8Array.from([...bytes.subarray(0, 64), ...bytes]);
  const out = bytes.slice();
  out[prng.below(out.length)]! ^= 1 << prng.below(8);
  return out;
}

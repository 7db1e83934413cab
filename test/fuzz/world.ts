/**
 * A small chain in mid-life for the fuzz targets: two of three regions have reported the next slot,
 * so a report of the first clears it; orders are open, and every kind of record is in the store.
 */
import { createApplication, type MarketApplication } from "../../services/chain/application.ts";
import { aggregateBlsSignatures, signBls } from "../../services/crypto/bls.ts";
import { signBlock } from "../../services/ordering/embedded/block.ts";
import { createPrng } from "../../services/primitives/prng.ts";
import type { UnixSeconds } from "../../services/primitives/units.ts";
import { encodePlaceOrder } from "../../services/wire/forward-order.ts";
import { encodeReportTransaction, reportStatement } from "../../services/wire/report.ts";
import { randomBlocks, randomReport, threeRegions } from "../services/chain/workload.ts";
import type { MarketFixture } from "../support/market-fixture.ts";

const SLOTS = 4;

export type World = {
  readonly fixture: MarketFixture;
  readonly application: MarketApplication; // nothing is ever committed to it again
  readonly stored: ReadonlyMap<string, Uint8Array>; // the application's records, all families
  readonly transactions: readonly Uint8Array[]; // of all blocks
  readonly height: number; // of the last block
  /** When the next slot has ended: the time of a block that may take its reports. */
  readonly dueS: UnixSeconds;
  readonly nextReport: Uint8Array; // transaction of the first region's report of the next slot
  readonly signedHeaders: readonly ReturnType<typeof signBlock>[];
  nonce(regionIndex: number, memberIndex: number): number;
};

export function createWorld(): World {
  const fixture = threeRegions();
  const { genesis, sequencerSecret } = fixture;
  const application = createApplication({ genesis, stored: new Map() });
  application.initChain();
  const stored = new Map<string, Uint8Array>();
  const transactions: Uint8Array[] = [];
  const signedHeaders: ReturnType<typeof signBlock>[] = [];
  let appHash = application.view().head().appHash;
  const blocks = randomBlocks(fixture, "fuzz", SLOTS);
  const prng = createPrng("fuzz/next");
  const reports = [0, 1, 2].map((regionIndex) =>
    randomReport(fixture, prng, { regionIndex, slotIndex: SLOTS }),
  );
  const dueS = (fixture.slotEndS(SLOTS) + 60) as UnixSeconds;
  blocks.push({
    height: blocks.length + 1,
    timeS: dueS,
    transactions: [...reports.slice(1), order(fixture, blocks.length)],
  });
  for (const block of blocks) {
    const { height, timeS } = block;
    const parentHash = new Uint8Array(32).fill(height);
    const header = { chainVersion: 1, networkId: genesis.networkId, height, timeS, parentHash };
    signedHeaders.push(
      signBlock({
        header: { ...header, appHash },
        transactions: block.transactions,
        secretKey: sequencerSecret,
      }),
    );
    transactions.push(...block.transactions);
    appHash = application.finalizeBlock(block).appHash;
    for (const { key, value } of application.commit().changes) {
      if (value === null) stored.delete(key);
      else stored.set(key, value);
    }
  }
  const nonce = (regionIndex: number, memberIndex: number) => {
    const address = genesis.regions[regionIndex]!.members[memberIndex]!.address;
    return application.nonce(Uint8Array.from(Buffer.from(address, "hex")));
  };
  return {
    ...{ fixture, application, stored, transactions, signedHeaders, dueS, nonce },
    height: blocks.length,
    nextReport: reports[0]!,
  };
}

/** An open order of a member who never ordered before. */
function order(fixture: MarketFixture, height: number): Uint8Array {
  const slot = fixture.slotAtIndex(SLOTS + 3 + (height % 2));
  const data = encodePlaceOrder({ slot, side: 0, limitUcPerWh: 12_000, energyWh: 400 });
  return fixture.callTransaction({ regionIndex: 1, memberIndex: 0, nonce: 0, data });
}

/** What the whole committee would sign, whatever it is. */
export function certified({ oracleSecrets }: MarketFixture, reportBytes: Uint8Array): Uint8Array {
  const message = reportStatement(reportBytes);
  const signatures = oracleSecrets.map(({ bls }) => signBls({ message, secretKey: bls }));
  const signers = 2 ** oracleSecrets.length - 1;
  const signature = aggregateBlsSignatures(signatures);
  return encodeReportTransaction({ reportBytes, certificate: { signers, signature } });
}

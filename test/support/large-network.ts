/**
 * Networks of many members and meters without keys of their own, and certified reports of them: for
 * tests and benches of size. Every member has one meter; device keys are never looked at.
 */
import { aggregateBlsSignatures, signBls } from "../../services/crypto/bls.ts";
import type { Slot } from "../../services/primitives/units.ts";
import { type Genesis, oracleConfigDigest } from "../../services/wire/genesis.ts";
import {
  encodeReport,
  encodeReportTransaction,
  reportStatement,
} from "../../services/wire/report.ts";
import { createMarketFixture } from "./market-fixture.ts";

export type LargeNetwork = {
  readonly genesis: Genesis;
  readonly sequencerSecret: Uint8Array;
  /** A certified report of a region: every second home sells. */
  report(place: { readonly regionIndex: number; readonly slotIndex: number }): Uint8Array;
};

/** @param metersByRegion - meters (and members) of each region */
export function createLargeNetwork(metersByRegion: readonly number[]): LargeNetwork {
  const fixture = createMarketFixture({ regions: [{ id: "r", limits: [undefined] }] });
  const [member] = fixture.genesis.regions[0]!.members;
  const [meter] = fixture.genesis.regions[0]!.meters;
  const hex = (n: number, bytes: number) => n.toString(16).padStart(2 * bytes, "0");
  let next = 1;
  const genesis: Genesis = {
    ...fixture.genesis,
    regions: metersByRegion.map((meters, r) => {
      const first = next;
      next += meters;
      return {
        id: `r${r}`,
        name: `r${r}`,
        mechanism: "uniform-price" as const,
        members: Array.from({ length: meters }, (_, m) => ({
          ...member!,
          address: hex(first + m, 20),
          limits: { minSellUcPerWh: 8_000 + (m % 9_000), maxBuyUcPerWh: 30_000 - (m % 9_000) },
        })),
        meters: Array.from({ length: meters }, (_, m) => ({
          ...meter!,
          deviceId: hex(first + m, 16),
          memberIndex: m,
        })),
      };
    }),
  };
  const configDigest = oracleConfigDigest(genesis);
  const secretKey = fixture.oracleSecrets[0]!.bls;
  return {
    genesis,
    sequencerSecret: fixture.sequencerSecret,
    report({ regionIndex, slotIndex }) {
      const meters = metersByRegion[regionIndex]!;
      const column = (sells: number) =>
        Uint32Array.from({ length: meters }, (_, m) =>
          m % 2 === sells ? 50 + ((m * 131 + regionIndex * 977 + slotIndex * 13) % 900) : 0,
        );
      const reportBytes = encodeReport({
        configDigest,
        regionIndex,
        slot: (genesis.genesisTimeS / genesis.slotS + slotIndex) as Slot,
        importWh: column(0),
        exportWh: column(1),
        quality: new Uint8Array(meters),
        readingsRoot: new Uint8Array(32),
        refusedReadings: 0,
        late: [],
      });
      const signature = signBls({ message: reportStatement(reportBytes), secretKey });
      const certificate = { signers: 1, signature: aggregateBlsSignatures([signature]) };
      return encodeReportTransaction({ reportBytes, certificate });
    },
  };
}

/**
 * A meter's memory and what it does when an interval ends. Pure: state and energy in, state and
 * record out. Registers are cumulative and never fall; each signed record takes the next sequence
 * number and names the one before it.
 */

import { sha256 } from "../services/crypto/hash.ts";
import { utf8 } from "../services/primitives/bytes.ts";
import { assert } from "../services/primitives/errors.ts";
import { REGISTER_WH_MAX } from "../services/primitives/limits.ts";
import { slotEndS, slot as toSlot, wattHours } from "../services/primitives/units.ts";
import {
  encodeEnvelope,
  encodeReadingPayload,
  keyIdOf,
  READING_KIND,
  type Reading,
  recordHash,
  SHORT_HASH_BYTES,
  TIME_STATUS,
} from "../services/wire/reading.ts";
import type { Device } from "./provision.ts";

export type MeterState = {
  readonly boot: number; // starts so far, 1 in the first run
  readonly seq: number; // of the last record; 0 before the first
  readonly importWh: number | null; // register 1.8.0; null where the role has none
  readonly exportWh: number | null; // register 2.8.0
  readonly previousHash: Uint8Array; // of the last record; zeros before the first
  readonly openSlot: number; // first slot that no record covers yet
  readonly nextSlot: number; // first slot that the registers do not hold yet
};

/** Energy through one meter in one slot; both directions may be above zero. */
export type MeterEnergy = { readonly importWh: number; readonly exportWh: number };

const FIRMWARE_HASH = sha256(utf8("gridlane firmware-sim 1")).slice(0, SHORT_HASH_BYTES);

export function newMeter(device: Device, firstSlot: number): MeterState {
  return {
    boot: 0,
    seq: 0,
    importWh: device.role === "production" ? null : 0,
    exportWh: 0,
    previousHash: new Uint8Array(SHORT_HASH_BYTES),
    openSlot: firstSlot,
    nextSlot: firstSlot,
  };
}

export function bootMeter(state: MeterState): MeterState {
  return { ...state, boot: state.boot + 1 };
}

/** Counts a slot's energy. `slot` MUST be state.nextSlot. */
export function measure(state: MeterState, slot: number, energy: MeterEnergy): MeterState {
  assert(slot === state.nextSlot, "a meter measures every slot once, in order");
  return {
    ...state,
    importWh: addTo(state.importWh, energy.importWh),
    exportWh: addTo(state.exportWh, energy.exportWh),
    nextSlot: slot + 1,
  };
}

function addTo(registerWh: number | null, energyWh: number): number | null {
  assert(
    Number.isSafeInteger(energyWh) && energyWh >= 0,
    "interval energy is a whole Wh, unsigned",
  );
  if (registerWh === null) return null;
  assert(registerWh + energyWh <= REGISTER_WH_MAX, "a register does not roll over here");
  return registerWh + energyWh;
}

/** What a signer says of its own record beside registers and interval. */
export type Stamp = Pick<Reading, "timeStatus" | "clockErrorMs" | "flags" | "firmwareHash"> & {
  readonly resolution?: number; // 10^n Wh; default 0
};
const SIMULATED: Stamp = {
  timeStatus: TIME_STATUS.synchronised,
  clockErrorMs: 0,
  flags: 0,
  firmwareHash: FIRMWARE_HASH,
};

/**
 * Makes the record of all slots since the last one. The caller persists the state that comes back
 * before it signs, so that no sequence number is ever signed for two contents.
 */
export function closeInterval({
  state,
  device,
  slotS,
  kind,
  stamp = SIMULATED,
}: {
  state: MeterState;
  device: Device;
  slotS: number;
  kind: keyof typeof READING_KIND;
  stamp?: Stamp;
}): { state: MeterState; reading: Reading } {
  assert(state.nextSlot > state.openSlot, "a record covers at least one slot");
  const reading: Reading = {
    deviceId: device.deviceId,
    boot: state.boot,
    seq: state.seq + 1,
    intervalEndS: slotEndS(toSlot(state.nextSlot - 1), slotS),
    intervalS: (state.nextSlot - state.openSlot) * slotS,
    importWh: state.importWh === null ? null : wattHours(state.importWh),
    exportWh: state.exportWh === null ? null : wattHours(state.exportWh),
    ...stamp,
    kind: READING_KIND[kind],
    previousHash: state.previousHash,
  };
  const next: MeterState = {
    ...state,
    seq: reading.seq,
    previousHash: recordHash(encodeReadingPayload(reading)),
    openSlot: state.nextSlot,
  };
  return { state: next, reading };
}

/** The record before it is signed, as the journal holds it: an envelope with a zero signature. */
export function unsignedRecord(device: Device, reading: Reading): Uint8Array {
  return encodeEnvelope({
    algorithm: device.key.algorithm,
    keyId: keyIdOf(device.publicKey),
    payload: encodeReadingPayload(reading),
    signature: new Uint8Array(64),
  });
}

/** Signed records of one meter, as a journal would hold them, and a way to wait for a condition. */
import type { JournalRecord } from "../../../firmware-sim/journal.ts";
import { bootMeter, closeInterval, measure, newMeter } from "../../../firmware-sim/meter.ts";
import type { Device } from "../../../firmware-sim/provision.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { signReading } from "../../../services/wire/reading.ts";
import { FIRST_SLOT, NETWORK_ID, SLOT_S } from "./fleet.ts";

export function signedRecords(device: Device, count: number): JournalRecord[] {
  let state = bootMeter(newMeter(device, FIRST_SLOT));
  return Array.from({ length: count }, (_, k) => {
    const slot = FIRST_SLOT + k;
    state = measure(state, slot, { importWh: 10, exportWh: 0 });
    const closed = closeInterval({ state, device, slotS: SLOT_S, kind: "live" });
    state = closed.state;
    const bytes = signReading({ reading: closed.reading, networkId: NETWORK_ID, key: device.key });
    const seq = closed.reading.seq;
    return { device: toHex(device.deviceId), seq, slot, bytes, state: "new" };
  });
}

/** A promise and the function that resolves it. */
export function signal<Value = void>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
} {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

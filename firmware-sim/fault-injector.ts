/**
 * Applies a plan of faults to a stream of genuine records.
 *
 * Rules compose: each adds its own transmissions behind the record, and none disturbs what another
 * added; once a rule has lost the record, the rules after it have nothing to act on. Which records
 * a rule hits depends on seed, device and sequence number alone, so a restart repeats no draw.
 */
import { toHex } from "../services/primitives/bytes.ts";
import { GridError } from "../services/primitives/errors.ts";
import { createPrng } from "../services/primitives/prng.ts";
import type { Reading } from "../services/wire/reading.ts";
import { FAULTS, type Fault, type FaultName, type FaultyRecord } from "./faults.ts";
import type { Device } from "./provision.ts";

/** Genuine records of one device that a fault may reach back to. */
export const FAULT_HISTORY_MAX = 64;

/** One line of a fault plan. */
export type FaultRule = {
  readonly fault: FaultName;
  readonly share: number; // of the records it may hit, 0 to 1
  readonly device?: string; // id in hexadecimal; default: every device
  readonly fromSlot?: number;
  readonly untilSlot?: number; // exclusive
};

export type GenuineRecord = {
  readonly device: Device;
  readonly slot: number;
  readonly reading: Reading;
  readonly bytes: Uint8Array;
};

export type FaultInjector = (record: GenuineRecord) => readonly FaultyRecord[];

/**
 * @param travels - "broker" where devices publish over their own connections, which carry no other
 *   device's topic
 * @throws GridError argument_invalid for a fault or a share that does not exist here
 */
export function createFaultInjector({
  rules,
  networkId,
  seed,
  travels,
}: {
  rules: readonly FaultRule[];
  networkId: string;
  seed: string;
  travels: "broker" | "direct";
}): FaultInjector {
  const faults = FAULTS.filter((fault) => travels === "direct" || fault.travels === "broker");
  const plan = rules.map((rule) => ({ rule, fault: faultOf(rule, faults) }));
  const histories = new Map<string, Uint8Array[]>();
  const prng = createPrng(`gridlane/faults/${seed}`);
  return ({ device, slot, reading, bytes }) => {
    const name = toHex(device.deviceId);
    const history = histories.get(name) ?? [];
    histories.set(name, history);
    const added: FaultyRecord[] = [];
    let isKept = true;
    for (const [line, { rule, fault }] of plan.entries()) {
      const own = prng.fork(`${line}/${name}/${reading.boot}/${reading.seq}`);
      if (!isKept || !hits(rule, name, slot) || own.unit() >= rule.share) continue;
      const context = { device, reading, bytes, history, networkId, prng: own };
      for (const one of fault.adds(context)) added.push({ ...one, fault: fault.name });
      isKept = fault.record === "kept";
    }
    if (!isKept) return added;
    history.push(bytes);
    if (history.length > FAULT_HISTORY_MAX) history.shift();
    return [{ deviceId: device.deviceId, bytes, fault: null }, ...added];
  };
}

function hits(rule: FaultRule, device: string, slot: number): boolean {
  if (rule.device !== undefined && rule.device !== device) return false;
  return slot >= (rule.fromSlot ?? 0) && slot < (rule.untilSlot ?? Infinity);
}

function faultOf(rule: FaultRule, faults: readonly Fault[]): Fault {
  const fault = faults.find((one) => one.name === rule.fault);
  if (fault === undefined || !(rule.share >= 0 && rule.share <= 1)) {
    const names = faults.map((one) => one.name).join(", ");
    const value = JSON.stringify(rule);
    throw new GridError("argument_invalid", `no fault rule: ${value}; faults are ${names}`, {
      argument: "faults",
      value,
    });
  }
  return fault;
}

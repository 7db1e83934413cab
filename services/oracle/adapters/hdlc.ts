/**
 * The two link layers of DLMS meters' customer ports: HDLC frames of type 3 (ISO/IEC 13239, FCS
 * CRC-16/X-25, header and body checked apart) and M-Bus long frames (EN 13757-2, sum of bytes).
 * Each yields the application layer's bytes, of one frame that is not segmented.
 */
import { crc16X25 } from "./crc16.ts";
import type { Scanner } from "./framing.ts";
import { refuse } from "./telegram.ts";

const FLAG = 0x7e;
const LONG = 0x68;
const STOP = 0x16;
const SEGMENTED = 0x08;

/** Bytes of the frame that begins at `at`; 0: none begins here; null: too few bytes to tell. */
function frameLength(bytes: Uint8Array, at: number): number | null {
  if (bytes[at] === FLAG) {
    if (at + 3 > bytes.length) return null;
    if ((bytes[at + 1]! & 0xf0) !== 0xa0) return 0;
    return ((bytes[at + 1]! & 7) << 8) + bytes[at + 2]! + 2;
  }
  if (at + 4 > bytes.length) return null;
  const isLong = bytes[at + 1] === bytes[at + 2] && bytes[at + 3] === LONG;
  return isLong ? bytes[at + 1]! + 6 : 0;
}

export const scanDlms: Scanner = (bytes) => {
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== FLAG && bytes[at] !== LONG) continue;
    const length = frameLength(bytes, at);
    if (length === 0) continue;
    if (length === null || at + length > bytes.length) {
      return { kind: "wait", start: at, resume: 0 };
    }
    const last = bytes[at + length - 1];
    if (last !== (bytes[at] === FLAG ? FLAG : STOP)) continue;
    return { kind: "frame", start: at, end: at + length };
  }
  return { kind: "wait", start: bytes.length, resume: 0 };
};

/** @throws GridError telegram_refused */
export function hdlcContent(frame: Uint8Array): Uint8Array {
  const end = frame.length - 1;
  if (frame[0] !== FLAG || frame[end] !== FLAG || frame.length < 9) {
    return refuse("dlms", "incomplete", "no HDLC frame between two flags");
  }
  const length = ((frame[1]! & 7) << 8) + frame[2]!;
  if ((frame[1]! & 0xf0) !== 0xa0 || length !== frame.length - 2) {
    return refuse("dlms", "malformed", "HDLC format or length");
  }
  checkFcs(frame.subarray(1, end), "HDLC frame");
  if ((frame[1]! & SEGMENTED) !== 0) return refuse("dlms", "unsupported", "a segmented frame");
  let at = 3;
  for (let address = 0; address < 2; address++) at = afterAddress(frame, at);
  at += 1; // control
  if (at + 2 > end - 2) return refuse("dlms", "malformed", "an HDLC frame without content");
  checkFcs(frame.subarray(1, at + 2), "HDLC header");
  return frame.subarray(at + 2, end - 2);
}

/** An address is 1 to 4 bytes; the lowest bit marks the last. */
function afterAddress(frame: Uint8Array, from: number): number {
  for (let at = from; at < from + 4 && at < frame.length; at++) {
    if ((frame[at]! & 1) === 1) return at + 1;
  }
  return refuse("dlms", "malformed", "an HDLC address without end");
}

function checkFcs(bytes: Uint8Array, what: string): void {
  const end = bytes.length - 2;
  const fcs = bytes[end]! | (bytes[end + 1]! << 8);
  if (crc16X25(bytes.subarray(0, end)) !== fcs) refuse("dlms", "checksum_invalid", what);
}

/** @throws GridError telegram_refused */
export function mbusContent(frame: Uint8Array): Uint8Array {
  const length = frame[1] ?? 0;
  const isLong = frame[0] === LONG && frame[2] === length && frame[3] === LONG;
  if (!isLong || frame.length !== length + 6 || frame.at(-1) !== STOP || length < 5) {
    return refuse("dlms", "malformed", "no M-Bus long frame");
  }
  const body = frame.subarray(4, frame.length - 2);
  let sum = 0;
  for (const byte of body) sum = (sum + byte) & 0xff;
  if (sum !== frame.at(-2)) return refuse("dlms", "checksum_invalid", "M-Bus frame");
  const control = body[2]!; // CI: 0x00 to 0x1f is DLMS transport, 0x10 marks the last segment
  if (control > 0x1f) return refuse("dlms", "unsupported", "an M-Bus frame of another protocol");
  if (body[5] === 0xdb) return refuse("dlms", "encrypted", "general-glo-ciphering");
  if (control !== 0x10) return refuse("dlms", "unsupported", "a segmented frame");
  return body.subarray(5); // C, A, CI, source and destination
}

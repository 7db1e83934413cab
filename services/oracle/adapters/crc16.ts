/**
 * The checksums of serial meters, reflected: CRC-16/ARC (P1: polynomial 0x8005, start 0) and
 * CRC-16/X-25 (SML frames, HDLC: 0x1021, start and final 0xFFFF; ISO/IEC 13239). Check values over
 * "123456789": 0xBB3D and 0x906E.
 */
const ARC = table(0xa001);
const X25 = table(0x8408);

function table(reflected: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ reflected : crc >>> 1;
    return crc;
  });
}

export function crc16Arc(bytes: Uint8Array): number {
  return run(bytes, ARC, 0);
}

export function crc16X25(bytes: Uint8Array): number {
  return run(bytes, X25, 0xffff) ^ 0xffff;
}

function run(bytes: Uint8Array, steps: Uint16Array, start: number): number {
  let crc = start;
  for (const byte of bytes) crc = (crc >>> 8) ^ steps[(crc ^ byte) & 0xff]!;
  return crc;
}

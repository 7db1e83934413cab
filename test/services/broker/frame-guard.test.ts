/**
 * Method: random packets cut into random chunks must come out whole, in order and no more at once
 * than asked for; then the edges of the length encoding (MQTT 3.1.1, section 2.2.3).
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameGuard } from "../../../services/broker/frame-guard.ts";
import { concatBytes } from "../../../services/primitives/bytes.ts";
import { packet } from "../../support/mqtt-wire.ts";

function guardOver(chunks: Uint8Array[], bytesMax = 1000) {
  const rest = [...chunks];
  return new FrameGuard({ source: { read: () => rest.shift() ?? null }, bytesMax });
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const bounds = [0, ...at, bytes.length];
  return bounds.slice(1).map((end, i) => bytes.subarray(bounds[i], end));
}

test("packets come out whole and in order, at most as many at once as asked for", () => {
  const packets = fc.array(
    fc.uint8Array({ maxLength: 300 }).map((body) => packet(3, 2, [body])),
    { maxLength: 20 },
  );
  const cuts = fc.array(fc.nat(), { maxLength: 20 });
  fc.assert(
    fc.property(packets, cuts, fc.integer({ min: 1, max: 5 }), (sent, at, framesMax) => {
      const guard = guardOver(split(concatBytes(sent), at));
      const received: Uint8Array[] = [];
      for (;;) {
        const frames = guard.take(framesMax);
        if (frames.kind === "wait") break;
        if (frames.kind !== "bytes") throw new Error(frames.kind);
        received.push(frames.bytes);
      }
      expect(concatBytes(received)).toEqual(concatBytes(sent));
      let next = 0;
      for (const bytes of received) {
        let length = 0;
        let frames = 0;
        while (length < bytes.length) {
          length += sent[next++]!.length;
          frames++;
        }
        expect(length).toBe(bytes.length);
        expect(frames).toBeLessThanOrEqual(framesMax);
      }
    }),
  );
});

test.each([
  { name: "exactly the limit", announced: 997, kind: "bytes" },
  { name: "one byte more", announced: 998, kind: "oversized" },
  { name: "the largest there is", announced: 268_435_455, kind: "oversized" },
])("$name", ({ announced, kind }) => {
  const header = packet(3, 0, []).subarray(0, 1);
  const digits = [];
  for (let rest = announced; rest > 0 || digits.length === 0; rest = Math.floor(rest / 128)) {
    digits.push((rest % 128) + (rest >= 128 ? 128 : 0));
  }
  const body = new Uint8Array(Math.min(announced, 2000));
  expect(guardOver([header, Uint8Array.from(digits), body]).take(1).kind).toBe(kind);
});

test("a fifth digit of length is malformed; an unfinished header waits", () => {
  expect(guardOver([Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80)]).take(1).kind).toBe("malformed");
  expect(guardOver([Uint8Array.of(0x30, 0x80, 0x80)]).take(1).kind).toBe("wait");
  expect(guardOver([Uint8Array.of(0x30)]).take(1).kind).toBe("wait");
});

test("without room nothing is taken, and nothing is read", () => {
  const guard = new FrameGuard({
    source: {
      read: () => {
        throw new Error("read");
      },
    },
    bytesMax: 10,
  });
  expect(guard.take(0).kind).toBe("wait");
});

/** Method: each record reads back as it was written; any other bytes are refused by code. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeMeta,
  decodeResponse,
  decodeState,
  encodeMeta,
  encodeResponse,
  encodeState,
} from "../../../../services/ordering/embedded/engine-records.ts";
import { type CodecValue, encode } from "../../../../services/primitives/codec.ts";
import { GridError } from "../../../../services/primitives/errors.ts";
import { unixSeconds } from "../../../../services/primitives/units.ts";

const hash = new Uint8Array(32).fill(7);

test("records read back", () => {
  const state = { height: 9, timeS: unixSeconds(1_700_000_000), appHash: hash };
  expect(decodeState(encodeState(state))).toEqual(state);
  expect(decodeState(encodeState(null))).toBeNull();
  const response = {
    appHash: hash,
    results: [
      { code: 0, info: "" },
      { code: 22, info: "x" },
    ],
  };
  expect(decodeResponse(encodeResponse(response))).toEqual(response);
  const meta = { format: 1, genesisHash: hash };
  expect(decodeMeta(encodeMeta(meta))).toEqual(meta);
});

const forms: CodecValue[] = [
  ...[0, "", hash, [], [1], [1, 2, 3, 4]],
  ...[
    [-1, 0, hash],
    [1, "", hash],
    [1, 2, 3],
    [hash, 1],
    [hash, [1]],
    [hash, [[1]]],
  ],
  ...[
    [hash, [["", ""]]],
    [hash, [[1, 2]]],
    [hash, [[-1, ""]]],
    [1, ""],
    ["", hash],
  ],
];

test.each(forms.map((form) => [form]))("%j is no record", (form) => {
  for (const read of [decodeState, decodeResponse, decodeMeta]) {
    expect(() => read(encode(form))).toThrow(GridError);
  }
});

test("any bytes are read or refused by code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const read of [decodeState, decodeResponse, decodeMeta]) {
        try {
          read(bytes);
        } catch (failure) {
          expect((failure as GridError).code).toBe("bytes_malformed");
        }
      }
    }),
  );
});

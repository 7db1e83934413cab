/**
 * Method: 256 records of the transparency software's own tests, with the outcome recorded by
 * another verification; registers by hand; what we write is read and verified by an independent
 * package, and every single bit flip of its payload is refused by both.
 */
import { generateKeyPairSync } from "node:crypto";
import { Verifier } from "@road-labs/ocmf";
import { Crypto } from "@road-labs/ocmf-crypto-noble";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type OcmfRecord,
  ocmfTelegrams,
  readOcmf,
} from "../../../services/oracle/adapters/ocmf.ts";
import { ocmfRecordsOf } from "../../../services/oracle/adapters/ocmf-file.ts";
import { ocmfPayload, ocmfRecord } from "../../../services/oracle/adapters/ocmf-writer.ts";
import { signOcmf, verifyOcmf } from "../../../services/oracle/ocmf-signature.ts";
import { fromHex, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import type { Reading } from "../../../services/wire/reading.ts";
import { bitFlips, capture, captureJson, hasCaptures, outcome } from "./adapters/captures.ts";

type Vector = {
  file: string;
  index: number;
  ocmf: string;
  payload: string;
  publicKeySpkiHex: string | null;
  nodeCryptoVerify: boolean | null;
};
const vectors = hasCaptures ? captureJson<Vector[]>("ocmf-safe/ocmf-vectors.json") : [];
const vector = (file: string, index = 0) =>
  vectors.find((one) => one.file === file && one.index === index)!;
const VERDICT = new Map([
  [true, "genuine"],
  [false, "forged"],
  [null, "key_unusable"],
]);

test.skipIf(!hasCaptures)("256 records: each verdict as recorded", () => {
  const counts: Record<string, number> = {};
  for (const { file, index, ocmf, payload, publicKeySpkiHex, nodeCryptoVerify } of vectors) {
    const record = readOcmf(utf8(ocmf));
    expect(record.payload, file).toEqual(utf8(payload));
    const verdict = verifyOcmf(record, fromHex(publicKeySpkiHex ?? ""));
    expect(verdict, `${file} ${index}`).toBe(VERDICT.get(nodeCryptoVerify));
    counts[verdict] = (counts[verdict] ?? 0) + 1;
    expect(typeof outcome(() => ocmfTelegrams(record)), file).not.toBe("string");
  }
  expect(counts).toEqual({ genuine: 245, forged: 7, key_unusable: 4 });
});

test.skipIf(!hasCaptures)(
  "every curve of the corpus, each single bit flip of payload or signature",
  () => {
    for (const file of ["brainpoolP256r1.xml", "nistP384_0Wh.xml", "test.xml", "ocmf_sec.xml"]) {
      const { ocmf, publicKeySpkiHex } = vector(file);
      const record = readOcmf(utf8(ocmf));
      const key = fromHex(publicKeySpkiHex!);
      let flips = 0;
      for (const payload of bitFlips(record.payload)) {
        if (flips++ % 16 !== 0) continue; // a sixteenth: each costs a verification
        expect(verifyOcmf({ ...record, payload }, key)).toBe("forged");
      }
      const { data } = record.signature;
      for (let at = 8; at < data.length; at += 16) {
        const digit = data[at] === "0" ? "1" : "0";
        const forged = {
          ...record.signature,
          data: data.slice(0, at) + digit + data.slice(at + 1),
        };
        expect(verifyOcmf({ ...record, signature: forged }, key)).toBe("forged");
      }
    }
  },
);

test.skipIf(!hasCaptures).each([
  [
    "test_ocmf_keba_kcp30.xml",
    0,
    [
      [259, null, "truncated"],
      [259, null, "truncated"],
    ],
  ],
  ["ocmf_sec.xml", 0, [[3988, null, ""]]],
  ["20211007-device-with-evt-ocmf-sss-ses.xml", 0, []], // *198 counts one transaction
  [
    "Ocmf_Example_OBIS_98.8.0_2.8.0.xml",
    0,
    [
      [null, 1000, ""],
      [null, 2000, ""],
    ],
  ],
])("registers of %s", (file, index, expected) => {
  const found = ocmfTelegrams(readOcmf(utf8(vector(file, index).ocmf))).map((one) => [
    ...[one.importWh, one.exportWh, one.flags.join()],
  ]);
  expect(found).toEqual(expected);
});

test.skipIf(!hasCaptures)("the 256 records come out of their XML files as recorded", () => {
  const files = new Set(vectors.map(({ file }) => file));
  let keys = 0;
  for (const file of files) {
    const own = vectors.filter((one) => one.file === file);
    const found = ocmfRecordsOf(capture(`ocmf-safe/xml/${file}`));
    const records = found.map(({ record }) => record);
    expect(records, file).toEqual(own.map(({ ocmf }) => utf8(ocmf)));
    found.forEach(({ publicKey }, i) => {
      if (publicKey !== null && toHex(publicKey) === own[i]!.publicKeySpkiHex) keys++;
    });
  }
  expect(keys).toBe(250); // the others have no key, or a bare point
});

test("plain files, and files that hold nothing", () => {
  const two = utf8('OCMF|{"a":1}|{}\n\n  OCMF|{"b":\n2}|{}\n');
  const found = ocmfRecordsOf(two).map(({ record }) => new TextDecoder().decode(record));
  expect(found).toEqual(['OCMF|{"a":1}|{}', 'OCMF|{"b":\n2}|{}']);
  const other = "<values><value><signedData>x</signedData></value></values>";
  expect(ocmfRecordsOf(utf8(other))).toEqual([]);
  expect(outcome(() => ocmfRecordsOf(utf8("nothing")))).toBe("unsupported");
  expect(outcome(() => ocmfRecordsOf(Uint8Array.of(0xff)))).toBe("malformed");
});

const RECORD = (rows: string, signature = '{"SD":"00"}') =>
  utf8(`OCMF|{"RD":[${rows}]}|${signature}`);

test("what a reading leaves out is as in the one before; a doubtful status is told", () => {
  const rows = [
    '{"TM":"2026-01-01T00:00:00,000+0100 S","RV":"  1.5","RI":"1-b:1.8.0","RU":"kWh","ST":"G"}',
    '{"RV":2,"RI":"1-0:2.8.0.FF"}',
    '{"TM":"2026-01-01T00:15:00,000+0100 S","RV":3,"RI":"01-00:B0.08.00*FF","ST":"M"}',
    '{"RV":9,"RI":"01-00:B2.08.00*FF"}', // one transaction's
    '{"RV":7,"RI":"1-0:1.7.0","RU":"kW"}',
  ];
  const found = ocmfTelegrams(readOcmf(RECORD(rows.join(","))));
  expect(found).toMatchObject([
    { timeS: Date.parse("2025-12-31T23:00:00Z") / 1000, importWh: 1500, exportWh: 2000, flags: [] },
    { importWh: 3000, exportWh: null, flags: ["status_doubtful"] },
  ]);
});

test.each([
  ["two parts", utf8('OCMF|{"RD":[]}'), "malformed"],
  ["four parts", utf8('OCMF|{"RD":[]}|{"SD":"00"}|'), "malformed"],
  ["another header", utf8('OCPP|{"RD":[]}|{"SD":"00"}'), "malformed"],
  ["no readings", utf8('OCMF|{}|{"SD":"00"}'), "malformed"],
  ["no signature", RECORD("", "{}"), "malformed"],
  ["an unknown encoding", RECORD("", '{"SD":"00","SE":"rot13"}'), "unsupported"],
  ["another form", RECORD("", '{"SD":"00","SM":"text/plain"}'), "unsupported"],
  ["a key twice", RECORD("", '{"SD":"00","SD":"01"}'), "malformed"],
  ["too many readings", RECORD(Array(1025).fill("1").join(",")), "oversized"],
  ["too many bytes", RECORD(" ".repeat(65_536)), "oversized"],
])("a record of %s is refused", (_, bytes, reason) => {
  expect(outcome(() => readOcmf(bytes))).toBe(reason);
});

test("whatever comes: a record or a coded refusal", () => {
  const row = fc.json({ maxDepth: 2 });
  const made = fc.array(row, { maxLength: 4 }).map((rows) => RECORD(rows.join(",")));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), made), (bytes) => {
      const record = outcome(() => readOcmf(bytes));
      if (typeof record !== "string") outcome(() => ocmfTelegrams(record));
    }),
    { numRuns: 1000 },
  );
});

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));

function reading(own: Partial<Reading>): Reading {
  return {
    ...{ deviceId: new Uint8Array(16).fill(5), boot: 3, seq: 12, intervalEndS: 1_700_000_100 },
    ...{ intervalS: 900, importWh: 63_068_772, exportWh: 5, timeStatus: 1, clockErrorMs: -7000 },
    ...{ flags: 1, kind: 0, firmwareHash: new Uint8Array(8), previousHash: new Uint8Array(8) },
    ...own,
  } as Reading;
}

function written(own: Partial<Reading>): string {
  const payload = ocmfPayload({
    reading: reading(own),
    recordHash: new Uint8Array(32).fill(9),
    ...{ trust: "gateway-signed", networkId: "test-net", softwareVersion: "1.2.3" },
  });
  return ocmfRecord(payload, signOcmf(utf8(payload), privateKey));
}

test("exported records verify with the independent package, changed ones do not", async () => {
  const crypto = new Crypto();
  const key = await crypto.decodeEcPublicKey(spki, "spki-der");
  const verifier = new Verifier(crypto);
  const record = written({});
  const answer = await verifier.parseAndVerify(record, key);
  expect(answer.verified).toBe(true);
  expect(answer.value!.payloadData).toMatchObject({
    ...{
      FV: "1.4",
      GS: "test-net",
      PG: "F12",
      MS: "05".repeat(16),
      IS: false,
      ZT: "gateway-signed",
    },
    RD: [
      { TM: "2023-11-14T22:15:00,000+0000 I", RV: 63_068.772, RI: "01-00:01.08.00*FF", RU: "kWh" },
      { TM: "2023-11-14T22:15:00,000+0000 I", RV: 0.005, RI: "01-00:02.08.00*FF", ST: "G" },
    ],
  });
  expect(record).toContain('"RV":63068.772');
  const changed = record.replace("63068.772", "63068.773");
  expect((await verifier.parseAndVerify(changed, key)).verified).toBe(false);
});

test("what is written is read back: registers, moment, verdict, at any resolution", () => {
  const registers = fc.record({
    importWh: fc.option(fc.integer({ min: 0, max: 1e12 })),
    exportWh: fc.integer({ min: 0, max: 1e12 }),
    resolution: fc.integer({ min: 0, max: 3 }),
    intervalEndS: fc.integer({ min: 946_684_800, max: 4_102_444_799 }),
  });
  fc.assert(
    fc.property(registers, ({ importWh, exportWh, resolution, intervalEndS }) => {
      const step = 10 ** resolution;
      const own = {
        ...{ resolution, intervalEndS: intervalEndS as Reading["intervalEndS"] },
        importWh: (importWh === null ? null : importWh - (importWh % step)) as Reading["importWh"],
        exportWh: (exportWh - (exportWh % step)) as Reading["exportWh"],
      };
      const record: OcmfRecord = readOcmf(utf8(written(own)));
      expect(verifyOcmf(record, spki)).toBe("genuine");
      const { importWh: drawn, exportWh: fed } = own;
      expect(ocmfTelegrams(record)).toMatchObject([
        { timeS: intervalEndS, importWh: drawn, exportWh: fed, resolutionWh: step, flags: [] },
      ]);
      const text = new TextDecoder().decode(record.payload);
      const moment = /"TM":"([^,]+),000\+0000/.exec(text)![1];
      expect(Date.parse(`${moment}Z`)).toBe(intervalEndS * 1000);
    }),
    { numRuns: 200 },
  );
});

test("a key on another curve than the record names proves nothing", () => {
  const other = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey;
  const der = new Uint8Array(other.export({ format: "der", type: "spki" }));
  expect(verifyOcmf(readOcmf(utf8(written({}))), der)).toBe("forged");
  expect(verifyOcmf(readOcmf(utf8(written({}))), spki.slice(1))).toBe("key_unusable");
});

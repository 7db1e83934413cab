/**
 * Method: the JSON captures of Tasmota, Shelly and AIIDA with registers read off by eye; made-up
 * messages for the forms of OpenEMS and Home Assistant; tables of refusals; exact decimals.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readAiida } from "../../../../services/oracle/adapters/aiida.ts";
import {
  addDecimals,
  parseDecimal,
  registerWh,
  shiftDecimal,
} from "../../../../services/oracle/adapters/decimal.ts";
import { Framer, scanJsonLine } from "../../../../services/oracle/adapters/framing.ts";
import { readHomeAssistant } from "../../../../services/oracle/adapters/home-assistant.ts";
import { type JsonValue, parseJsonText } from "../../../../services/oracle/adapters/json-text.ts";
import { readOpenems } from "../../../../services/oracle/adapters/openems.ts";
import { readShelly } from "../../../../services/oracle/adapters/shelly.ts";
import { readTasmota } from "../../../../services/oracle/adapters/tasmota.ts";
import { utf8 } from "../../../../services/primitives/bytes.ts";
import { captureJson, hasCaptures, METERING, outcome } from "./captures.ts";

const json = (value: unknown) => utf8(JSON.stringify(value));
const at = (text: string) => Date.parse(text) / 1000;
const usual = { component: null };

test.each([
  ["0.1", 3, 100],
  ["9098.245", 3, 9_098_245],
  ["8.7", 3, 8700], // 8699.999... as a float
  ["26289.57", 0, 26_289],
  ["1.15e3", 0, 1150],
  ["0.0009", 3, 0],
  ["281474976710.655", 3, 281_474_976_710_655],
])("%s at 10^%i is %i Wh", (text, shift, expected) => {
  const value = shiftDecimal(parseDecimal(text)!, shift);
  expect(registerWh("tasmota", value, 0).energyWh).toBe(expected);
});

test("decimals: any sum of registers is exact", () => {
  const register = fc.tuple(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 999 }));
  fc.assert(
    fc.property(fc.array(register, { minLength: 1, maxLength: 5 }), (parts) => {
      const sum = parts
        .map(([kwh, wh]) => parseDecimal(`${kwh}.${String(wh).padStart(3, "0")}`)!)
        .reduce(addDecimals);
      const expected = parts.reduce((total, [kwh, wh]) => total + 1000 * kwh + wh, 0);
      expect(registerWh("dsmr", shiftDecimal(sum, 3), 0).energyWh).toBe(expected);
    }),
  );
});

test("JSON of any kind reads as JSON.parse does, numbers kept as text", () => {
  const asPlain = (value: JsonValue): unknown => {
    if (value instanceof Map)
      return Object.fromEntries([...value].map(([k, v]) => [k, asPlain(v)]));
    if (Array.isArray(value)) return value.map(asPlain);
    if (typeof value === "object" && value !== null)
      return Number((value as { text: string }).text);
    return value;
  };
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const own = JSON.parse(text, (key, value) => (key === "__proto__" ? undefined : value));
      if (text.includes("__proto__")) return;
      expect(asPlain(parseJsonText("tasmota", utf8(text)))).toEqual(own);
    }),
  );
});

test.each([
  ["a key twice", '{"a":1,"a":2}', "malformed"],
  ["a trailing comma", '{"a":1,}', "malformed"],
  ["two values", "{} {}", "malformed"],
  ["a leading zero", '{"a":01}', "malformed"],
  ["NaN", '{"a":NaN}', "malformed"],
  ["an open string", '{"a":"', "malformed"],
  ["nothing", "", "malformed"],
  ["too deep", "[".repeat(18) + "]".repeat(18), "oversized"],
  ["too many values", `[${"0,".repeat(4096)}0]`, "oversized"],
  ["too many bytes", `"${"x".repeat(16_384)}"`, "oversized"],
])("JSON with %s is refused", (_, text, reason) => {
  expect(outcome(() => parseJsonText("tasmota", utf8(text)))).toBe(reason);
});

test.skipIf(!hasCaptures)("Tasmota: every captured line, with its log's prefix", () => {
  const log = readFileSync(`${METERING}/tasmota-shelly/tasmota-energy-lines.txt`);
  const { frames, droppedBytes } = new Framer(scanJsonLine).push(Uint8Array.from(log));
  const found = frames.map((frame) => readTasmota(frame, { utcOffsetS: 3600 }));
  expect(found.map(({ importWh, exportWh, timeS }) => [importWh, exportWh, timeS])).toEqual([
    [9_098_245, null, at("2021-10-26T17:28:45+01:00")],
    [9_098_255, null, at("2021-10-26T17:33:45+01:00")],
    [9_098_265, null, at("2021-10-26T17:38:45+01:00")],
    [6404, null, at("2018-11-15T08:54:18+01:00")],
    [6294, null, at("2018-02-15T17:37:10+01:00")],
  ]);
  expect(droppedBytes).toBeGreaterThan(0);
});

test("Tasmota: channels are summed, local time without a zone is told", () => {
  const message = { Time: "2026-01-01T00:00:00", ENERGY: { Total: [0.1, 0.2], ExportActive: 1.5 } };
  expect(readTasmota(json(message), { utcOffsetS: null })).toEqual({
    ...{ format: "tasmota", identification: null, timeS: null, importWh: 300, exportWh: 1500 },
    ...{ resolutionWh: 1, flags: ["channels_summed", "time_unusable"] },
  });
});

test.each([
  ["no energy", { Time: "2026-01-01T00:00:00" }, "unsupported"],
  ["a text for a register", { ENERGY: { Total: "1.2" } }, "register_invalid"],
  ["a register below zero", { ENERGY: { Total: -1 } }, "register_invalid"],
  ["no channel", { ENERGY: { Total: [] } }, "register_invalid"],
])("Tasmota with %s is refused", (_, message, reason) => {
  expect(outcome(() => readTasmota(json(message), { utcOffsetS: 0 }))).toBe(reason);
});

type Payload = { file: string; var: string | null; payload: string };
const payloads = hasCaptures ? captureJson<Payload[]>("aiida-mqtt/payloads.json") : [];
const payloadsOf = (file: string) =>
  payloads.filter(
    (one) => one.file.endsWith(`/${file}.java`) && one.payload.trimStart().startsWith("{"),
  );

test.skipIf(!hasCaptures)("Shelly: the fixture and every captured message", () => {
  const fixture = captureJson<{ status: object }>("tasmota-shelly/aioshelly-pro3em-fixture.json");
  expect(readShelly(json(fixture), usual)).toMatchObject({
    ...{ importWh: 2_589_773, exportWh: 1026, flags: ["truncated"] },
  });
  const shelly = payloadsOf("ShellyJsonTest").map((one) => {
    return outcome(() => readShelly(utf8(one.payload), { component: null }));
  });
  expect(shelly).toMatchObject([
    "unsupported", // powers only, no register
    {
      ...{ identification: "shellypro3em-8813bfe14804", timeS: 1_757_060_280 },
      ...{ importWh: 26_289, exportWh: 131_881 },
    },
    "unsupported", // switch:3 has to be named
    "unsupported",
  ]);
  const plug = utf8(payloadsOf("ShellyJsonTest")[2]!.payload);
  expect(readShelly(plug, { component: "switch:3" })).toMatchObject({
    ...{ importWh: 1000, exportWh: 234, timeS: 1_757_591_520 }, // 1235.456 - 234.567
  });
});

test("Shelly: a component's own topic, one clamp, a plug that never returned", () => {
  const own = { id: 0, total_act: 10.9, total_act_ret: 0.5 };
  expect(readShelly(json(own), usual)).toMatchObject({ importWh: 10, exportWh: 0 });
  const clamp = { params: { "em1data:0": { total_act_energy: 7, total_act_ret_energy: 8 } } };
  expect(readShelly(json(clamp), usual)).toMatchObject({ importWh: 7, exportWh: 8 });
  const plug = { "switch:0": { aenergy: { total: 3.2 } } };
  expect(readShelly(json(plug), usual)).toMatchObject({ importWh: 3, exportWh: null });
});

test.skipIf(!hasCaptures)("AIIDA: every captured Austrian and French payload", () => {
  const austrian = ["IntegrationTest", "Test"].flatMap((one) =>
    payloadsOf(`OesterreichsEnergieAdapter${one}`),
  );
  const all = [...austrian, ...payloadsOf("OesterreichsEnergieAdapterJsonTest")];
  const found = all.map((one) => outcome(() => readAiida(utf8(one.payload))));
  const row = (one: (typeof found)[number]) =>
    typeof one === "string" ? one : [one.importWh, one.exportWh, one.timeS];
  expect(found.map(row)).toEqual([
    [83_403, 16_564, 1_697_623_015],
    [null, null, null],
    [null, null, null],
    [null, null, null],
    [null, null, null],
    "unsupported",
    [null, null, null],
    [83_622, null, 1_698_218_800],
    [83_402, null, 1_697_622_940],
  ]);
  const french = ["MicroTeleinfoV3AdapterTest", "MicroTeleinfoV3AdapterJsonTest"]
    .flatMap(payloadsOf)
    .map((one) => outcome(() => readAiida(utf8(one.payload))));
  expect(french.map(row)).toEqual([
    [32_507_388, 9_509_008, at("2025-04-14T12:54:38Z")],
    [6_367_621, null, null],
    "unsupported",
    [6_367_621, null, null],
    [905_868_888, null, null],
  ]);
});

test("AIIDA: an entry with time 0 was never read", () => {
  const entry = (value: number, time: number) => ({ value, time });
  const message = { "1-0:1.8.0": entry(0, 0), "1-0:2.8.0": entry(5, 1_700_000_000) };
  expect(readAiida(json(message))).toMatchObject({ importWh: null, exportWh: 5 });
});

test("OpenEMS: the site, a grid meter, backfill, several moments in order", () => {
  const params = {
    1700000100000: { "_sum/GridBuyActiveEnergy": 20, "meter0/ActiveProductionEnergy": 7 },
    1700000000000: { "_sum/GridBuyActiveEnergy": 10, "_sum/GridSellActiveEnergy": 3 },
    1700000200000: { "_sum/EssSoc": 50, "_sum/GridBuyActiveEnergy": null },
  };
  const message = (method: string) => json({ jsonrpc: "2.0", method, params });
  expect(readOpenems(message("timestampedData"), usual)).toMatchObject([
    { timeS: 1_700_000_000, importWh: 10, exportWh: 3, flags: [] },
    { timeS: 1_700_000_100, importWh: 20, exportWh: null, flags: [] },
  ]);
  expect(readOpenems(message("resendData"), { component: "meter0" })).toMatchObject([
    { timeS: 1_700_000_100, importWh: 7, exportWh: null, flags: ["backfill"] },
  ]);
  expect(outcome(() => readOpenems(message("getEdgeConfig"), usual))).toBe("unsupported");
});

const HOME = { importField: "energy.in", exportField: "energy.out", unit: "kWh" } as const;
const homely = { ...HOME, utcOffsetS: null };

test.each([
  ["numbers", { energy: { in: 12.5, out: 0.001 } }, [12_500, 1]],
  ["numbers as text", { energy: { in: "12.5", out: "3" } }, [12_500, 3000]],
  ["no value yet", { energy: { in: "unavailable", out: null } }, [null, null]],
])("Home Assistant style: %s", (_, message, expected) => {
  const { importWh, exportWh } = readHomeAssistant(json(message), homely);
  expect([importWh, exportWh]).toEqual(expected);
});

test.each([
  ["3.737", 3737],
  ["unavailable", null],
  ["unknown", null],
  ["", null],
])("Home Assistant style: the bare state %j", (state, importWh) => {
  const settings = { importField: "", exportField: null, unit: "kWh", utcOffsetS: null } as const;
  expect(readHomeAssistant(utf8(state), settings)).toMatchObject({ importWh, exportWh: null });
});

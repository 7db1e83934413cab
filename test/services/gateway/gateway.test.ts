/**
 * Method: a gateway in this process between a real source and an oracle of the test. Sources: a TCP
 * server that hangs up, a file, a broker's topic, a pseudo-terminal. What arrives at the oracle
 * must be what the meter showed, once each, whatever was stopped in between.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Aedes } from "aedes";
import { afterAll, expect, test } from "vitest";
import {
  type GatewayEvent,
  type GatewayOptions,
  startGateway,
} from "../../../services/gateway/gateway.ts";
import { ADAPTERS } from "../../../services/oracle/adapters/adapters.ts";
import { ADAPTER_SETTINGS } from "../../../services/oracle/adapters/telegram.ts";
import { concatBytes, toHex, utf8 } from "../../../services/primitives/bytes.ts";
import { ManualClock } from "../../../services/primitives/clock.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";
import { READING_FLAG, type Reading, TIME_STATUS } from "../../../services/wire/reading.ts";
import {
  NETWORK_ID,
  removeTestDirectories,
  SLOT_S,
  testDevices,
  testDirectory,
} from "../../firmware-sim/support/fleet.ts";
import { ORACLE_PUBLIC, TAKE, TestOracle } from "../../firmware-sim/support/oracle.ts";
import { P1Server, telegram } from "../../support/p1-meter.ts";

afterAll(removeTestDirectories);

const DEVICE = testDevices()[0]!;
const GENESIS_S = 1_767_225_600; // 2026-01-01T00:00:00Z, a slot boundary
const FAST = { backoffMinMs: 5, backoffMaxMs: 50, receiptTimeoutMs: 200 };
const SOURCE_FAST = { retryMinMs: 5, retryMaxMs: 50, silenceMs: 5000 };

function options(own: Partial<GatewayOptions> & Pick<GatewayOptions, "source" | "brokerUrl">) {
  return {
    device: DEVICE,
    meter: { openingImportWh: 0, openingExportWh: 0 },
    ...{ trust: "gateway-signed", networkId: NETWORK_ID, slotS: SLOT_S, genesisTimeS: GENESIS_S },
    ...{ adapter: ADAPTERS.dsmr, settings: ADAPTER_SETTINGS, counts: "both" },
    ...{ identification: null, time: "telegram", graceS: 0 },
    clock: new ManualClock(unixSeconds(GENESIS_S + 10 * SLOT_S)),
    ...{ oracleReceiptPublicKey: ORACLE_PUBLIC, timing: FAST, sourceTiming: SOURCE_FAST },
    directory: "",
    ...own,
  } as const satisfies GatewayOptions;
}

function readings(oracle: TestOracle): Reading[] {
  return (oracle.readings().get(toHex(DEVICE.deviceId)) ?? []).map(({ reading }) => reading);
}

const END = (slot: number) => GENESIS_S + (slot + 1) * SLOT_S;
const row = ({ intervalEndS, intervalS, importWh, clockErrorMs, flags }: Reading) => [
  ...[(intervalEndS - GENESIS_S) / SLOT_S, intervalS / SLOT_S, importWh, clockErrorMs, flags],
];

test("a file: registers as read, glitches held, damage counted, then it ends", async () => {
  const directory = await testDirectory();
  const oracle = await TestOracle.start();
  const broken = telegram(GENESIS_S + 300, 999);
  broken[40]! ^= 1;
  const file = join(directory, "p1.txt");
  const stream = [
    ...[telegram(GENESIS_S + 200, 100), broken, telegram(END(0) - 7, 200)],
    ...[telegram(END(0) - 3, 0), telegram(END(0) + 5, 210)], // a reboot across the boundary
    ...[telegram(END(1), 400), telegram(END(1) - 400, 300)], // the second one comes late
    ...[telegram(END(4) - 1, 500), utf8("noise")], // two slots without a telegram
  ];
  writeFileSync(file, concatBytes(stream));
  const place = { source: { kind: "file", path: file }, brokerUrl: oracle.url } as const;
  const gateway = await startGateway(options({ ...place, directory: join(directory, "j") }));
  const status = await gateway.done;
  await oracle.stop();
  expect(readings(oracle).map(row)).toEqual([
    [1, 1, 200, -7000, READING_FLAG.gatewaySigned | READING_FLAG.registerHeld],
    [2, 1, 400, 0, READING_FLAG.gatewaySigned],
    [5, 3, 500, -1000, READING_FLAG.gatewaySigned],
  ]);
  expect(readings(oracle)[0]).toMatchObject({ timeStatus: TIME_STATUS.informative, exportWh: 0 });
  expect(status).toMatchObject({
    ...{ frames: 8, telegrams: 5, held: 1, late: 1, refused: { checksum_invalid: 1 } },
    ...{ signed: 3, unreceipted: 0, receipts: { accepted: 3 }, nextSlot: END(4) / SLOT_S },
  });
});

/** Resolves when the oracle has `count` distinct records. */
function arrived(oracle: TestOracle, count: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (readings(oracle).length >= count) resolve();
    };
    oracle.onArrival = look;
    look();
  });
}

test("TCP: the meter hangs up, the gateway is started anew, the oracle is away", async () => {
  const directory = await testDirectory();
  const oracle = await TestOracle.start();
  const meter = await P1Server.start();
  const own = options({ source: meter.place, brokerUrl: oracle.url, directory });
  let gateway = await startGateway(own);
  await meter.connected();
  meter.send(telegram(END(0), 100));
  await arrived(oracle, 1);
  // The link is cut inside a telegram; the next connection begins inside one as well.
  meter.send(telegram(END(1) - 10, 150).subarray(0, 90));
  meter.hangUp();
  await meter.connected();
  meter.send(telegram(END(1) - 5, 160).subarray(60));
  meter.send(telegram(END(1), 170));
  await arrived(oracle, 2);
  // No receipts: what is signed meanwhile waits in the journal over a restart.
  oracle.policy = () => ({ receipts: 0 });
  meter.send(concatBytes([telegram(END(2), 200), telegram(END(3), 300)]));
  await arrived(oracle, 4);
  expect((await gateway.stop()).unreceipted).toBe(2);
  oracle.policy = () => TAKE;
  meter.hangUp(); // of the old gateway
  gateway = await startGateway(own);
  await meter.connected();
  meter.send(telegram(END(6), 420)); // slots 4 and 5 passed while nobody listened
  await arrived(oracle, 5);
  while (gateway.status().unreceipted > 0) await new Promise((next) => setImmediate(next));
  const status = await gateway.stop();
  await Promise.all([meter.stop(), oracle.stop()]);
  expect(readings(oracle).map(row)).toEqual([
    ...[100, 170, 200, 300].map((importWh, slot) => [slot + 1, 1, importWh, 0, 1]),
    [7, 3, 420, 0, 1],
  ]);
  expect(readings(oracle).map(({ boot, seq }) => [boot, seq])).toEqual([
    ...[1, 2, 3, 4].map((seq) => [1, seq]),
    [2, 5],
  ]);
  expect(status).toMatchObject({ unreceipted: 0, receipts: { accepted: 3 }, signed: 1 });
});

test("MQTT: without a zone the gateway's clock counts; what is retained is skipped", async () => {
  const directory = await testDirectory();
  const oracle = await TestOracle.start();
  const local = await Aedes.createBroker();
  const server = createServer(local.handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const publish = (totalKwh: number, retain: boolean) =>
    new Promise<void>((resolve, reject) => {
      const payload = JSON.stringify({ Time: "2026-01-01T03:00:00", ENERGY: { Total: totalKwh } });
      const packet = { cmd: "publish", topic: "tele/plug/SENSOR", payload, retain } as const;
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      local.publish({ ...packet, qos: 0, dup: false }, done);
    });
  await publish(9, true);
  const clock = new ManualClock(unixSeconds(GENESIS_S + 100));
  const connected = new Promise<void>((resolve) => {
    local.on("subscribe", () => resolve());
  });
  const topics = ["tele/plug/SENSOR"];
  const gateway = await startGateway(
    options({
      ...{ source: { kind: "mqtt", url: `mqtt://127.0.0.1:${port}`, topics }, directory, clock },
      ...{ brokerUrl: oracle.url, adapter: ADAPTERS.tasmota, counts: "import", time: "auto" },
    }),
  );
  await connected;
  await publish(0.05, false);
  while (gateway.status().telegrams < 1) await new Promise((next) => setImmediate(next));
  clock.advanceTo(unixSeconds(END(0) + 1)); // the slot ends by the clock
  await arrived(oracle, 1);
  const status = await gateway.stop();
  await Promise.all([oracle.stop(), new Promise<void>((done) => local.close(done))]);
  await new Promise((done) => server.close(done));
  const flags = READING_FLAG.gatewaySigned | READING_FLAG.clockReplaced;
  expect(readings(oracle).map(row)).toEqual([[1, 1, 50, -800_000, flags]]);
  expect(readings(oracle)[0]).toMatchObject({ timeStatus: TIME_STATUS.unknown, exportWh: 0 });
  expect(status).toMatchObject({ frames: 1, telegrams: 1 });
});

/** Opens a pseudo-terminal, prints the name of its slave, and passes on what comes on stdin. */
const PTY = `
import os, sys
m, s = os.openpty()
print(os.ttyname(s), flush=True)
while True:
    b = os.read(0, 4096)
    if not b: break
    os.write(m, b)
`;

function hasPython(): boolean {
  try {
    execFileSync("python3", ["-c", "import os; os.openpty()"], { stdio: "ignore" });
    execFileSync("stty", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    process.stdout.write("skipped: no python3 or stty to make a serial line with\n");
    return false;
  }
}

test.skipIf(!hasPython())(
  "serial: a terminal is set up by stty and read as it speaks",
  async () => {
    const directory = await testDirectory();
    const oracle = await TestOracle.start();
    const line = spawn("python3", ["-c", PTY], { stdio: ["pipe", "pipe", "inherit"] });
    const [name] = (await once(line.stdout, "data")) as [Buffer];
    const path = name.toString().trim();
    const stty = "115200 cs8 -parenb -cstopb raw -echo".split(" ");
    const source = { kind: "serial", path, stty } as const;
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const onEvent = (event: GatewayEvent) => {
      if (event.kind === "source" && event.state === "connected") open();
    };
    const own = options({ source, brokerUrl: oracle.url, directory, onEvent });
    const gateway = await startGateway(own);
    await opened; // what a line says before it is set up is lost
    line.stdin.write(concatBytes([telegram(END(0), 10), telegram(END(1), 20)]));
    await arrived(oracle, 2);
    await gateway.stop();
    line.stdin.end();
    await once(line, "exit");
    await oracle.stop();
    expect(readings(oracle).map(({ importWh }) => importWh)).toEqual([10, 20]);
  },
);

test.each([
  ["a file that is not there", { kind: "file", path: "/nowhere/p1.txt" }, "file_unreadable"],
  ["no serial device", { kind: "serial", path: "/dev/null", stty: ["raw"] }, "argument_invalid"],
] as const)("%s ends the gateway with a coded error", async (_, source, code) => {
  const oracle = await TestOracle.start();
  const directory = await testDirectory();
  const gateway = await startGateway(options({ source, brokerUrl: oracle.url, directory }));
  await expect(gateway.done).rejects.toMatchObject({ code });
  await oracle.stop();
});

test("registers in whole kWh are signed with their resolution", async () => {
  const directory = await testDirectory();
  const oracle = await TestOracle.start();
  const adapter = {
    ...ADAPTERS.dsmr,
    read: () => [
      {
        ...({ format: "sml", identification: null, timeS: END(0), flags: [] } as const),
        ...{ importWh: 3000, exportWh: 0, resolutionWh: 1000 },
      },
    ],
  };
  const source = { kind: "frames", frames: [new Uint8Array(1)] } as const;
  await (await startGateway(options({ source, adapter, brokerUrl: oracle.url, directory }))).done;
  await oracle.stop();
  expect(readings(oracle)).toMatchObject([{ importWh: 3000, exportWh: 0, resolution: 3 }]);
});

/**
 * A meter that cannot sign, from its P1 port to settled energy: telegrams over TCP, `gridlane
 * gateway`, a running node. Both are killed (SIGKILL) in between, telegrams are glitched and
 * broken. Truth: the registers that the meter showed. At the end the readings are exported as OCMF
 * and verified by an independent package, and OCMF records of another system are imported.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Verifier } from "@road-labs/ocmf";
import { Crypto } from "@road-labs/ocmf-crypto-noble";
import { expect, test } from "vitest";
import { createApplication } from "../../services/chain/application.ts";
import { STATE_KEYS } from "../../services/chain/store-keys.ts";
import { readGenesis } from "../../services/cli/directory.ts";
import { openBlockStore } from "../../services/ordering/embedded/block-store.ts";
import { concatBytes, fromHex } from "../../services/primitives/bytes.ts";
import { type Command, freePort, gridlane, inTemporaryDirectory, run } from "../support/command.ts";
import { P1Server, telegram } from "../support/p1-meter.ts";

const SLOT_S = 900;
/** Market time is the wall clock's, and all that the meter shows is of the last hours. */
const GENESIS_S = (Math.floor(Date.now() / 1000 / SLOT_S) - 12) * SLOT_S;
const OPENING_WH = 5_000_000; // a meter that has run for years
const END = (slot: number) => GENESIS_S + (slot + 1) * SLOT_S;
const ADDRESS = "11".repeat(20);

function community(publicKey: string, trust: string): string {
  return `
version: 1
networkId: gateway-test
chainId: 260620
currency: EUR
startsAt: ${new Date(GENESIS_S * 1000).toISOString()}
retailUcPerWh: 30000
feedInUcPerWh: 8000
regions:
  - id: street
    name: Street
    mechanism: mid-market-rate
    members:
      - label: Home
        address: "${ADDRESS}"
        meters:
          - algorithm: ed25519
            publicKey: "${publicKey}"
            role: grid
            trust: ${trust}
            connectionW: 17250
            openingImportWh: ${OPENING_WH}
`;
}

async function prepare(directory: string, trust = "gateway-signed"): Promise<void> {
  const key = await run(["gateway", "key", join(directory, "key.json"), "--json"]);
  expect(key.code, key.stderr).toBe(0);
  const { publicKey } = JSON.parse(key.stdout) as { publicKey: string };
  writeFileSync(join(directory, "community.yaml"), community(publicKey, trust));
  const place = join(directory, "village");
  const file = join(directory, "community.yaml");
  const init = await run(["init", place, "--community", file, "--seed", "gateway"]);
  expect(init.code, init.stderr).toBe(0);
  // A slot closes when its only meter has reported, however late that is, and not before.
  appendFileSync(join(place, "gridlane.yaml"), "startGraceS: 3600\n");
}

type Ports = { readonly http: number; readonly mqtt: number };

async function startNode(directory: string, ports: Ports): Promise<Command> {
  const node = gridlane(["node", "--config", join(directory, "village", "gridlane.yaml")], {
    GRIDLANE_HTTP_PORT: String(ports.http),
    GRIDLANE_MQTT_PORT: String(ports.mqtt),
  });
  await node.says(/http:\/\/127\.0\.0\.1:\d+/);
  return node;
}

function gatewayArguments(directory: string, ports: Ports): string[] {
  const place = (name: string) => join(directory, "village", name);
  return [
    ...["gateway", "--key", join(directory, "key.json"), "--genesis", place("genesis.json")],
    ...["--passwords", place("passwords.json"), "--journal", join(directory, "journal")],
    ...["--broker", `mqtt://127.0.0.1:${ports.mqtt}`],
  ];
}

async function cleared({ http }: Ports, slots: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${http}/api/v1/status`).catch(() => null);
    const status = (await answer?.json()) as { clearedSlots: number } | undefined;
    if ((status?.clearedSlots ?? -1) >= slots) return;
    await delay(20);
  }
}

/** What the chain has settled for the meter, from the stopped node's own store. */
async function settled(directory: string) {
  const village = join(directory, "village");
  const genesis = readGenesis(join(village, "genesis.json"));
  const store = await openBlockStore({ directory: join(village, "data", "chain") });
  const stored = new Map<string, Uint8Array>();
  for (const range of STATE_KEYS) {
    const all = { ...range, order: "rising", limit: Number.POSITIVE_INFINITY } as const;
    for (const { key, value } of await store.applicationRecords(all)) stored.set(key, value);
  }
  await store.close();
  const lane = createApplication({ genesis, stored }).lane(0);
  return { importWh: lane.settledImportWh[0], exportWh: lane.settledExportWh[0] };
}

test("P1 over TCP to settled energy, over kills of gateway and node", {
  timeout: 400_000,
}, async () => {
  await inTemporaryDirectory(async (directory) => {
    await prepare(directory);
    const ports = { http: await freePort(), mqtt: await freePort() };
    const meter = await P1Server.start();
    const { host, port } = meter.place;
    const start = () =>
      gridlane([
        ...gatewayArguments(directory, ports),
        ...["--format", "dsmr", "--tcp", `${host}:${port}`, "--time", "telegram", "--json"],
      ]);
    const show = (atS: number, importWh: number, exportWh: number) =>
      meter.send(telegram(atS, OPENING_WH + importWh, exportWh));
    let node = await startNode(directory, ports);
    let gateway = start();
    await meter.connected();
    show(END(0) - 1, 120, 0);
    show(END(0) + 2, 0 - OPENING_WH, 0); // a reboot: everything shows 0 for a moment
    show(END(1), 260, 0);
    await cleared(ports, 2);

    // The gateway is killed; the meter goes on, and nobody listens for two slots.
    expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
    meter.hangUp();
    show(END(2), 300, 40);
    gateway = start();
    await meter.connected();
    show(END(4), 350, 90);
    await cleared(ports, 5);

    // The node is killed; what is signed meanwhile waits in the journal, over the gateway's kill.
    expect(await node.kill("SIGKILL")).toBe("SIGKILL");
    show(END(5), 360, 500);
    show(END(6), 370, 900);
    await gateway.says(/slot \d+ signed as 5/);
    expect(await gateway.kill("SIGKILL")).toBe("SIGKILL");
    meter.hangUp();
    node = await startNode(directory, ports);
    gateway = start();
    await meter.connected();
    await cleared(ports, 7);
    // A telegram in which one bit fell, then a good one.
    const broken = telegram(END(7) - 9, OPENING_WH + 371, 905);
    broken[60]! ^= 4;
    meter.send(concatBytes([broken, telegram(END(7), OPENING_WH + 380, 910)]));
    await cleared(ports, 8);
    expect(await gateway.kill("SIGTERM"), gateway.stderr()).toBe(0);
    expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);
    await meter.stop();

    expect(JSON.parse(gateway.stdout())).toMatchObject({
      ...{ unreceipted: 0, refused: { checksum_invalid: 1 }, signed: 1, seq: 6 },
    });
    expect(await settled(directory)).toEqual({ importWh: 380, exportWh: 910 });
    await exported(directory);
  });
});

async function exported(directory: string): Promise<void> {
  const key = join(directory, "export.pem");
  const member = ["--region", "street", "--member", "Home", "--key", key];
  const { code, stdout, stderr } = await run([
    ...["export", "ocmf", join(directory, "village"), ...member],
  ]);
  expect(code, stderr).toBe(0);
  const records = stdout.trim().split("\n");
  expect(records).toHaveLength(6); // slots 0, 1, 2 to 4 as one, 5, 6, 7
  const spki = fromHex(/public key ([0-9a-f]+)/.exec(stderr)![1]!);
  const crypto = new Crypto();
  const publicKey = await crypto.decodeEcPublicKey(spki, "spki-der");
  const registers: number[] = [];
  for (const record of records) {
    const { verified, value } = await new Verifier(crypto).parseAndVerify(record, publicKey);
    expect(verified).toBe(true);
    registers.push(value!.payloadData.RD![0]!.RV as number);
  }
  expect(registers).toEqual([5000.12, 5000.26, 5000.35, 5000.36, 5000.37, 5000.38]);
  const file = join(directory, "home.ocmf");
  writeFileSync(file, stdout);
  const check = ["meters", "import-ocmf", file, "--json", "--key"];
  const own = await run([...check, Buffer.from(spki).toString("hex")]);
  expect([own.code, JSON.parse(own.stdout).genuine]).toEqual([0, true]);
  writeFileSync(file, stdout.replace("5000.120", "5000.121"));
  const forged = await run([...check, Buffer.from(spki).toString("hex")]);
  expect([forged.code, JSON.parse(forged.stdout).genuine]).toEqual([1, false]);
}

test("OCMF records of another system, imported over a running node", {
  timeout: 300_000,
}, async () => {
  await inTemporaryDirectory(async (directory) => {
    await prepare(directory, "imported");
    const { generateKeyPairSync, sign } = await import("node:crypto");
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "brainpoolP256r1" });
    const spki = publicKey.export({ format: "der", type: "spki" }).toString("hex");
    const record = (atS: number, importKwh: string) => {
      const time = new Date(atS * 1000).toISOString().slice(0, 19);
      const moment = `{"TM":"${time},000+0000 S","RI":"1-0:1.8.0","RU":"kWh","ST":"G"`;
      const exportRow = '{"RV":0.5,"RI":"1-0:2.8.0","RU":"kWh"}';
      const payload = `{"MS":"7","PG":"F1","RD":[${moment},"RV":${importKwh}},${exportRow}]}`;
      const data = sign("sha256", Buffer.from(payload), privateKey).toString("hex");
      return `OCMF|${payload}|{"SA":"ECDSA-brainpool256r1-SHA256","SD":"${data}"}`;
    };
    const first = record(END(0) - 2, "5000.250");
    const forged = record(END(1) - 60, "5000.300").replace("5000.300", "5001.300");
    const last = record(END(1), "5000.500");
    const file = join(directory, "station.ocmf");
    writeFileSync(file, [first, forged, last].join("\n"));
    const ports = { http: await freePort(), mqtt: await freePort() };
    const node = await startNode(directory, ports);
    const { code, stdout, stderr } = await run([
      ...[...gatewayArguments(directory, ports), "--format", "ocmf", "--file", file],
      ...["--ocmf-key", spki, "--json"],
    ]);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ refused: { signature_invalid: 1 }, telegrams: 2, signed: 2, receipts: { accepted: 2 } },
    });
    await cleared(ports, 2);
    expect(await node.kill("SIGTERM"), node.stderr()).toBe(0);
    expect(await settled(directory)).toEqual({ importWh: 500, exportWh: 500 });
  });
});

test("a gateway does not sign for a meter that is registered as signing itself", {
  timeout: 120_000,
}, async () => {
  await inTemporaryDirectory(async (directory) => {
    await prepare(directory, "meter-signed");
    const ports = { http: 1, mqtt: 1 };
    const place = [...gatewayArguments(directory, ports), "--format", "dsmr", "--stdin"];
    const { code, stderr } = await run(place, {}, "");
    expect(code).toBe(3);
    expect(stderr).toContain("trust: gateway-signed");
    // A key is never overwritten.
    const before = readFileSync(join(directory, "key.json"), "utf8");
    expect((await run(["gateway", "key", join(directory, "key.json")])).code).toBe(2);
    expect(readFileSync(join(directory, "key.json"), "utf8")).toBe(before);
  });
});

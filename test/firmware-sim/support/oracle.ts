/**
 * A broker with an oracle behind it, for tests of the meters: takes readings in the publish hook,
 * remembers them, and answers with receipts signed by a test key, as the test's policy says.
 */
import { createServer, type Server } from "node:net";
import { Aedes, type AedesPublishPacket, type Client } from "aedes";
import { ed25519PublicKey } from "../../../services/crypto/ed25519.ts";
import { sha256 } from "../../../services/crypto/hash.ts";
import { toHex } from "../../../services/primitives/bytes.ts";
import { unixSeconds } from "../../../services/primitives/units.ts";
import { decodeReading, type SignedReading } from "../../../services/wire/reading.ts";
import { encodeReceipt } from "../../../services/wire/receipt.ts";
import { parseDeviceTopic, receiptTopic } from "../../../services/wire/topics.ts";

export const ORACLE_SECRET = new Uint8Array(32).fill(7);
export const ORACLE_PUBLIC = ed25519PublicKey(ORACLE_SECRET);

export type Arrival = {
  readonly device: string; // of the topic
  readonly region: string;
  readonly bytes: Uint8Array;
  readonly record: SignedReading | null; // null: unreadable
  readonly copies: number; // how often these bytes came, this time included
};
export type Answer = {
  readonly receipts: number; // 0: none, 2: the same receipt twice
  readonly code?: number;
  /** The link is cut after PUBACK; the receipts, if any, come first. */
  readonly link?: "cut";
  readonly secretKey?: Uint8Array; // signs in the oracle's place
};
export type Policy = (arrival: Arrival) => Answer | Promise<Answer>;

export const TAKE: Answer = { receipts: 1 };

export class TestOracle {
  readonly arrivals: Arrival[] = [];
  policy: Policy;
  /** Takes readings without a PUBACK, as a broker with a stuck store would. */
  holdsPuback = false;
  onArrival: (arrival: Arrival) => void = () => {};
  /** Device id in hexadecimal to password; empty lets everybody in. */
  passwords: ReadonlyMap<string, string> = new Map();
  readonly #copies = new Map<string, number>();
  readonly #broker: Aedes;
  readonly #server: Server;
  readonly #clients = new Set<Client>();

  private constructor(broker: Aedes, server: Server, policy: Policy) {
    this.#broker = broker;
    this.#server = server;
    this.policy = policy;
  }

  static async start(policy: Policy = () => TAKE): Promise<TestOracle> {
    const broker = await Aedes.createBroker();
    const server = createServer({ noDelay: true }, broker.handle);
    const oracle = new TestOracle(broker, server, policy);
    broker.authenticate = (client, username, password, done) => {
      const expected = oracle.passwords.get(client.id);
      const isKnown = username === client.id && password?.toString() === expected;
      if (oracle.passwords.size === 0 || isKnown) done(null, true);
      else done(Object.assign(new Error("refused"), { returnCode: 5 }), false);
    };
    broker.authorizePublish = (client, packet, done) => {
      if (client === null || !oracle.holdsPuback) done(null);
      if (client !== null) void oracle.#take(client, packet as AedesPublishPacket);
    };
    broker.on("client", (client) => oracle.#clients.add(client));
    broker.on("clientDisconnect", (client) => oracle.#clients.delete(client));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return oracle;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `mqtt://127.0.0.1:${address.port}`;
  }

  get connections(): number {
    return this.#clients.size;
  }

  cutAll(): void {
    for (const client of this.#clients) client.close();
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#broker.close(() => resolve()));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Distinct genuine readings by device, in order of sequence number. */
  readings(): Map<string, SignedReading[]> {
    const byDevice = new Map<string, Map<number, SignedReading>>();
    for (const { record } of this.arrivals) {
      if (record === null) continue;
      const device = toHex(record.reading.deviceId);
      const own = byDevice.get(device) ?? new Map<number, SignedReading>();
      byDevice.set(device, own.set(record.reading.seq, record));
    }
    return new Map(
      [...byDevice].map(([device, own]) => [
        device,
        [...own.values()].sort((a, b) => a.reading.seq - b.reading.seq),
      ]),
    );
  }

  async #take(client: Client, packet: AedesPublishPacket): Promise<void> {
    const topic = parseDeviceTopic(packet.topic);
    if (topic === null || topic.leaf !== "r") return;
    const bytes = Uint8Array.from(packet.payload as Buffer);
    const key = toHex(sha256(bytes));
    const copies = (this.#copies.get(key) ?? 0) + 1;
    this.#copies.set(key, copies);
    const device = toHex(topic.deviceId);
    const arrival = { device, region: topic.region, bytes, record: readable(bytes), copies };
    this.arrivals.push(arrival);
    this.onArrival(arrival);
    const answer = await this.policy(arrival);
    const payload = this.receipt(arrival, answer);
    for (let i = 0; i < answer.receipts; i++) {
      await this.publish(receiptTopic(topic.region, topic.deviceId), payload);
    }
    if (answer.link === "cut") client.close();
  }

  receipt({ bytes, record, device }: Arrival, { code = 0, secretKey }: Answer): Uint8Array {
    return encodeReceipt({
      receipt: {
        deviceId: Uint8Array.from(Buffer.from(device, "hex")),
        boot: record?.reading.boot ?? 0,
        seq: record?.reading.seq ?? 0,
        recordHash: sha256(bytes),
        leafHash: new Uint8Array(32),
        memberId: "oracle-1",
        code,
        timeS: unixSeconds(record?.reading.intervalEndS ?? 0),
      },
      secretKey: secretKey ?? ORACLE_SECRET,
    });
  }

  async publish(topic: string, payload: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#broker.publish(
        { cmd: "publish", topic, payload: Buffer.from(payload), qos: 1, dup: false, retain: false },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  }
}

function readable(bytes: Uint8Array): SignedReading | null {
  try {
    return decodeReading(bytes);
  } catch {
    return null;
  }
}

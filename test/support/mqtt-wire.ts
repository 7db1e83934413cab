/**
 * A bare MQTT 3.1.1 client for tests, on bytes: it can do what a well-behaved library will not
 * (withhold an acknowledgement, stop reading, send 500 packets in one write), and shares no code
 * with the broker under test. Sections are those of the OASIS standard.
 */
import { connect, type Socket } from "node:net";
import { concatBytes, fromUtf8, uintBytes, utf8 } from "../../services/primitives/bytes.ts";

export const PACKET = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
} as const;

export type Packet = { readonly type: number; readonly flags: number; readonly body: Uint8Array };
export type Message = {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly id: number; // 0 for QoS 0
};

export type ConnectFields = {
  readonly clientId: string;
  readonly clean?: boolean; // default: true
  readonly keepaliveS?: number;
  readonly username?: string;
  readonly password?: string;
  readonly will?: { topic: string; payload: string; qos?: number; retain?: boolean };
};

export type PublishFields = {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos?: number; // default: 1
  readonly id?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
};

/** Section 3.1. */
export function connectPacket(fields: ConnectFields): Uint8Array {
  const { clientId, clean = true, keepaliveS = 60, username, password, will } = fields;
  const flags =
    (username === undefined ? 0 : 0x80) +
    (password === undefined ? 0 : 0x40) +
    (will?.retain === true ? 0x20 : 0) +
    (will?.qos ?? 0) * 8 +
    (will === undefined ? 0 : 4) +
    (clean ? 2 : 0);
  const parts = [text("MQTT"), Uint8Array.of(4, flags), uintBytes(keepaliveS, 2), text(clientId)];
  if (will !== undefined) parts.push(text(will.topic), text(will.payload));
  if (username !== undefined) parts.push(text(username));
  if (password !== undefined) parts.push(text(password));
  return packet(PACKET.connect, 0, parts);
}

/** Section 3.3. */
export function publishPacket(fields: PublishFields): Uint8Array {
  const { topic, payload, qos = 1, id = 1, dup = false, retain = false } = fields;
  const flags = (dup ? 8 : 0) + qos * 2 + (retain ? 1 : 0);
  const bytes = typeof payload === "string" ? utf8(payload) : payload;
  const parts = qos === 0 ? [text(topic), bytes] : [text(topic), uintBytes(id, 2), bytes];
  return packet(PACKET.publish, flags, parts);
}

/** Section 3.8. */
export function subscribePacket(filters: Readonly<Record<string, number>>, id = 1): Uint8Array {
  const parts = Object.entries(filters).flatMap(([filter, qos]) => [
    text(filter),
    Uint8Array.of(qos),
  ]);
  return packet(PACKET.subscribe, 2, [uintBytes(id, 2), ...parts]);
}

/** Section 3.10. */
export function unsubscribePacket(filters: readonly string[], id = 1): Uint8Array {
  return packet(PACKET.unsubscribe, 2, [uintBytes(id, 2), ...filters.map(text)]);
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP: sections 3.4 to 3.7. */
export function acknowledgement(type: number, id: number): Uint8Array {
  return packet(type, type === PACKET.pubrel ? 2 : 0, [uintBytes(id, 2)]);
}

export function barePacket(type: number): Uint8Array {
  return packet(type, 0, []);
}

export function packet(type: number, flags: number, parts: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(parts);
  return concatBytes([Uint8Array.of(type * 16 + flags), remainingLength(body.length), body]);
}

/** Section 2.2.3. */
export function remainingLength(length: number): Uint8Array {
  const bytes = [];
  let rest = length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit + 128 : digit);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

function text(value: string): Uint8Array {
  const bytes = utf8(value);
  return concatBytes([uintBytes(bytes.length, 2), bytes]);
}

export function messageOf({ flags, body }: Packet): Message {
  const qos = Math.floor(flags / 2) % 4;
  const topicEnd = 2 + body[0]! * 256 + body[1]!;
  const start = qos === 0 ? topicEnd : topicEnd + 2;
  return {
    topic: fromUtf8(body.subarray(2, topicEnd)),
    payload: fromUtf8(body.subarray(start)),
    qos,
    dup: flags >= 8,
    retain: flags % 2 === 1,
    id: qos === 0 ? 0 : packetId({ body: body.subarray(topicEnd) }),
  };
}

export function packetId({ body }: { readonly body: Uint8Array }): number {
  return body[0]! * 256 + body[1]!;
}

/** A connection that hands out packets one by one, in order. */
export class WireClient {
  readonly socket: Socket;
  readonly #packets: Packet[] = [];
  #held: Uint8Array = new Uint8Array(0);
  #isClosed = false;
  #changed: () => void = () => {};

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    this.socket.on("data", (chunk) => this.#accept(chunk));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.#isClosed = true;
      this.#changed();
    });
  }

  send(...packets: readonly Uint8Array[]): void {
    this.socket.write(concatBytes(packets));
  }

  /** The next packet of this type; packets of other types stay. Null once the connection ended. */
  async next(type: number): Promise<Packet | null> {
    for (;;) {
      const at = this.#packets.findIndex((entry) => entry.type === type);
      if (at >= 0) return this.#packets.splice(at, 1)[0]!;
      if (this.#isClosed) return null;
      await this.#change();
    }
  }

  async message(): Promise<Message | null> {
    const found = await this.next(PACKET.publish);
    return found === null ? null : messageOf(found);
  }

  /** Packets that have arrived and were not asked for. */
  get waiting(): readonly Packet[] {
    return this.#packets;
  }

  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#change();
  }

  /** The code of the CONNACK, or null where the connection was cut instead. */
  async connect(fields: ConnectFields): Promise<{ code: number; sessionPresent: boolean } | null> {
    this.send(connectPacket(fields));
    const connack = await this.next(PACKET.connack);
    return connack === null
      ? null
      : { code: connack.body[1]!, sessionPresent: connack.body[0] === 1 };
  }

  async subscribe(filters: Readonly<Record<string, number>>): Promise<number[] | null> {
    this.send(subscribePacket(filters));
    const suback = await this.next(PACKET.suback);
    return suback === null ? null : [...suback.body.subarray(2)];
  }

  /** Everything the broker had to say before it answered this: a barrier without a clock. */
  async ping(): Promise<boolean> {
    this.send(barePacket(PACKET.pingreq));
    return (await this.next(PACKET.pingresp)) !== null;
  }

  /** A clean end (no will). */
  async disconnect(): Promise<void> {
    this.send(barePacket(PACKET.disconnect));
    await this.closed();
  }

  /** An unclean end: the broker publishes the will. */
  async drop(): Promise<void> {
    this.socket.destroy();
    await this.closed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#changed;
      this.#changed = () => {
        before();
        this.#changed = () => {};
        resolve();
      };
    });
  }

  #accept(chunk: Uint8Array): void {
    this.#held = concatBytes([this.#held, chunk]);
    for (;;) {
      const length = this.#frameLength();
      if (length === null || length.total > this.#held.length) break;
      const first = this.#held[0]!;
      this.#packets.push({
        type: Math.floor(first / 16),
        flags: first % 16,
        body: this.#held.slice(length.header, length.total),
      });
      this.#held = this.#held.subarray(length.total);
    }
    this.#changed();
  }

  #frameLength(): { header: number; total: number } | null {
    let remaining = 0;
    for (let i = 1; i <= 4; i++) {
      const digit = this.#held[i];
      if (digit === undefined) return null;
      remaining += (digit % 128) * 128 ** (i - 1);
      if (digit < 128) return { header: i + 1, total: i + 1 + remaining };
    }
    return null;
  }
}

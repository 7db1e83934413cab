/**
 * How the house meets an MQTT broker, whether it runs in this process (`embedded.ts`) or elsewhere
 * (`external.ts`). Requirements, held by one suite for both:
 *
 * 1. A reading MUST be acknowledged (PUBACK) only after `onReading` resolved, and in arrival order.
 * 2. Where `onReading` rejects, the reading MUST NOT be acknowledged: the meter sends it again.
 * 3. `publish` MUST send with QoS 1, and resolve when the broker has taken the message over.
 * 4. After `stop` resolved, `onReading` MUST NOT be called or still be running.
 */
export type IncomingReading = {
  readonly topic: string;
  readonly payload: Uint8Array; // as received: may be oversized or no reading at all
  readonly region: string; // of the topic
  readonly deviceId: Uint8Array; // 16 B, of the topic: only the signature proves it
};

/**
 * Makes a reading durable and answers it with a receipt. A bad reading MUST resolve like a good
 * one (and get a refusing receipt): MQTT 3.1.1 cannot say no, it can only cut the connection, and
 * the meter would send the same record for ever. Reject only when the store failed.
 */
export type ReadingHandler = (reading: IncomingReading) => Promise<void>;

export type OutgoingMessage = {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retain?: boolean; // default: not retained
};

/** Since the start, but for `clients`. For metrics; read them at any time. */
export type BrokerCounters = {
  readonly clients: number; // connected now
  readonly readings: number; // acknowledged
  readonly readingsFailed: number; // `onReading` rejected
  readonly messagesSent: number; // by `publish`
  readonly messagesDropped: number; // for a client that is away or does not read
  readonly loginsRefused: number;
  readonly publishesDenied: number; // by the access rules; each cuts the connection
  readonly subscriptionsDenied: number;
  readonly packetsOversized: number; // above MQTT_PACKET_BYTES_MAX; each cuts the connection
  readonly connectionsFailed: number; // not accepted, or lost to an external broker
  readonly takeovers: number; // a second connection under one client id
};

export type Broker = {
  readonly url: string;
  readonly counters: BrokerCounters;
  publish(message: OutgoingMessage): Promise<void>;
  stop(): Promise<void>;
};

/** The counters as their owner moves them. */
export type MovingCounters = { -readonly [Name in keyof BrokerCounters]: number };

export function zeroCounters(): MovingCounters {
  return {
    clients: 0,
    readings: 0,
    readingsFailed: 0,
    messagesSent: 0,
    messagesDropped: 0,
    loginsRefused: 0,
    publishesDenied: 0,
    subscriptionsDenied: 0,
    packetsOversized: 0,
    connectionsFailed: 0,
    takeovers: 0,
  };
}

/**
 * Subscriptions, retained messages and queues of MQTT clients, in memory, with the bounds that
 * aedes's own store lacks: a filter that the rules deny is never stored (aedes stores every filter
 * of a SUBSCRIBE of which one was allowed, and delivers to it after a reconnect), and no queue
 * grows without end. Memory is enough: a meter keeps its journal until it has the receipt.
 */
import type { Client, Subscription } from "aedes";
import MemoryPersistence from "aedes-persistence/asyncPersistence.js";

export type SessionLimits = {
  readonly maySubscribe: (client: Client, filter: string) => boolean;
  readonly queueMax: number; // messages kept for one client
  readonly onDrop: () => void; // a message was not kept
};

type Addressee = Parameters<MemoryPersistence["outgoingEnqueue"]>[0];
type Message = Parameters<MemoryPersistence["outgoingEnqueue"]>[1];

export class SessionStore extends MemoryPersistence {
  readonly #limits: SessionLimits;
  readonly #queued = new Map<string, number>(); // by client id

  constructor(limits: SessionLimits) {
    super();
    this.#limits = limits;
  }

  // aedes demands an async function by its name, not by what it returns.
  override async setup(broker: unknown): Promise<void> {
    return super.setup(broker);
  }

  override async addSubscriptions(client: Client, filters: Subscription[]): Promise<void> {
    const allowed = filters.filter(({ topic }) => this.#limits.maySubscribe(client, topic));
    if (allowed.length > 0) await super.addSubscriptions(client, allowed);
  }

  override async outgoingEnqueue(addressee: Addressee, message: Message): Promise<void> {
    if (this.#reserve(addressee.clientId)) await super.outgoingEnqueue(addressee, message);
  }

  override async outgoingEnqueueCombi(addressees: Addressee[], message: Message): Promise<void> {
    const kept = addressees.filter(({ clientId }) => this.#reserve(clientId));
    await super.outgoingEnqueueCombi(kept, message);
  }

  override async outgoingClearMessageId(client: Client, message: Message): Promise<Message> {
    const cleared = await super.outgoingClearMessageId(client, message);
    if (cleared !== undefined) this.#release(client.id);
    return cleared;
  }

  #reserve(clientId: string): boolean {
    const queued = this.#queued.get(clientId) ?? 0;
    if (queued >= this.#limits.queueMax) {
      this.#limits.onDrop();
      return false;
    }
    this.#queued.set(clientId, queued + 1);
    return true;
  }

  #release(clientId: string): void {
    const queued = (this.#queued.get(clientId) ?? 0) - 1;
    if (queued > 0) this.#queued.set(clientId, queued);
    else this.#queued.delete(clientId);
  }
}

/**
 * The members' wallets: each sends its member's actions in order, one at a time, and asks the chain
 * for the nonce when a node died before it answered. So each action takes effect once, or is
 * refused; what was answered is told to the auditor, who holds the chain to it.
 */
import type { LaneView, Submitted } from "../../services/chain/access.ts";
import { GridError } from "../../services/primitives/errors.ts";
import type { MicroCents } from "../../services/primitives/units.ts";
import { encodeCancelOrder, encodePlaceOrder } from "../../services/wire/forward-order.ts";
import { encodePay } from "../../services/wire/payment.ts";
import {
  encodeSetLimits,
  marketAddress,
  memberAddress,
  signMemberTransaction,
} from "../../services/wire/transaction.ts";
import { type Community, GENESIS_S, GENESIS_SLOT } from "./community.ts";
import type { MarketNode, Running } from "./market-node.ts";
import type { Action } from "./plan.ts";
import type { World } from "./world.ts";

const RETRY_MS = 15_000;

export type Answered = { readonly transaction: Uint8Array; readonly answer: Submitted };

type Wallet = {
  readonly region: number;
  readonly member: number;
  readonly secret: Uint8Array;
  readonly address: Uint8Array;
  readonly queue: Action[];
  last: Uint8Array | null; // executed
  pending: { readonly bytes: Uint8Array; readonly nonce: number } | null;
  asked: Running | null; // the node that was asked last
};

export class Wallets {
  readonly #world: World;
  readonly #node: MarketNode;
  readonly #community: Community;
  readonly #wallets = new Map<string, Wallet>();
  readonly #onAnswer: (answered: Answered) => void;
  readonly #onViolation: (where: string, failure: unknown) => void;
  actions = 0;

  constructor(parts: {
    readonly world: World;
    readonly node: MarketNode;
    readonly community: Community;
    readonly actions: readonly Action[];
    readonly onAnswer: (answered: Answered) => void;
    readonly onViolation: (where: string, failure: unknown) => void;
  }) {
    this.#world = parts.world;
    this.#node = parts.node;
    this.#community = parts.community;
    this.#onAnswer = parts.onAnswer;
    this.#onViolation = parts.onViolation;
    for (const action of parts.actions) {
      parts.world.at((GENESIS_S + action.atS) * 1000, () => {
        const wallet = this.#wallet(action);
        wallet.queue.push(action);
        if (wallet.queue.length === 1) this.#next(wallet);
      });
    }
  }

  /** Actions without an answer. */
  get waiting(): number {
    return [...this.#wallets.values()].reduce((sum, { queue }) => sum + queue.length, 0);
  }

  #wallet({ region, member }: Action): Wallet {
    const key = `${region}/${member}`;
    const known = this.#wallets.get(key);
    if (known !== undefined) return known;
    const secret = this.#community.secrets.members[region]![member]!;
    const address = memberAddress(secret);
    const wallet = {
      ...{ region, member, secret, address },
      ...{ queue: [], last: null, pending: null, asked: null },
    };
    this.#wallets.set(key, wallet);
    return wallet;
  }

  #next(wallet: Wallet): void {
    const running = this.#node.running;
    const action = wallet.queue[0];
    if (action === undefined) return;
    if (running === null) {
      this.#later(wallet);
      return;
    }
    const { reader, writer } = running.chain;
    const nonce = reader.nonce(wallet.address);
    if (wallet.pending !== null && nonce > wallet.pending.nonce) {
      this.#done(wallet, wallet.pending.bytes); // executed, and the answer died with the node
      return;
    }
    const bytes = this.#bytes(wallet, action, reader.lane(wallet.region), nonce);
    if (bytes === null) {
      this.#done(wallet, null);
      return;
    }
    if (action.call.kind !== "repeat") wallet.pending = { bytes, nonce };
    wallet.asked = running;
    const isCurrent = () => this.#node.running === running && wallet.asked === running;
    writer.submit(bytes).then(
      (answer) => {
        if (!isCurrent()) return;
        this.#onAnswer({ transaction: bytes, answer });
        this.#world.note(`wallet ${wallet.region}/${wallet.member} ${answer.code}`);
        this.#done(wallet, answer.code === 0 ? bytes : null);
      },
      (failure: unknown) => {
        // The node is failing; ask again when it is back.
        if (isCurrent() && !(failure instanceof GridError)) this.#onViolation("wallet", failure);
      },
    );
    this.#later(wallet);
  }

  /** Asks again, should the node that was asked be gone by then. */
  #later(wallet: Wallet): void {
    const action = wallet.queue[0];
    this.#world.after(RETRY_MS, () => {
      if (wallet.queue[0] !== action || action === undefined) return;
      const { running } = this.#node;
      if (running === null || running === wallet.asked) this.#later(wallet);
      else this.#next(wallet);
    });
  }

  #done(wallet: Wallet, executed: Uint8Array | null): void {
    wallet.pending = null;
    wallet.asked = null;
    wallet.last = executed ?? wallet.last;
    wallet.queue.shift();
    this.actions++;
    this.#next(wallet);
  }

  /** Null where there is nothing to send. */
  #bytes(wallet: Wallet, { call }: Action, lane: LaneView, nonce: number): Uint8Array | null {
    if (call.kind === "repeat") return wallet.last;
    if (wallet.pending !== null) return wallet.pending.bytes;
    const data = this.#data(wallet, call, lane);
    if (data === null) return null;
    const to = marketAddress(wallet.region);
    const { chainId } = this.#community.genesis;
    const transaction = { chainId, nonce, to, data };
    return signMemberTransaction({ transaction, secretKey: wallet.secret });
  }

  #data(
    { member }: Wallet,
    call: Exclude<Action["call"], { kind: "repeat" }>,
    lane: LaneView,
  ): Uint8Array | null {
    if (call.kind === "limits") return encodeSetLimits(call);
    if (call.kind === "pay") {
      const { members } = this.#community.secrets;
      const secret = call.to === null ? null : members[call.to.region]?.[call.to.member];
      const to = secret == null ? new Uint8Array(20).fill(0xaa) : memberAddress(secret);
      return encodePay({ to, amountUc: BigInt(call.amountUc) as MicroCents });
    }
    if (call.kind === "order") return encodePlaceOrder({ ...call, slot: GENESIS_SLOT + call.slot });
    const own = lane.forwardOrders.find((order) => order.memberIndex === member);
    return own === undefined ? null : encodeCancelOrder({ slot: own.slot, orderId: own.id });
  }
}

/**
 * The law of payments between members, written down a second time: who has how much, what is on its
 * way to another region, and which payment is refused. A region that is out of the market sends
 * nothing, and what was sent to it waits.
 */
import { toHex } from "../../../services/primitives/bytes.ts";
import type { Genesis } from "../../../services/wire/genesis.ts";
import type { Pay } from "../../../services/wire/payment.ts";
import { TRANSACTION_CODE } from "../../../services/wire/refusals.ts";
import { sumUc } from "./shares.ts";

/** What payments write to, by region. */
export type Purses = readonly {
  readonly membersUc: bigint[];
  neighboursUc: bigint;
}[];

type Sent = { readonly region: number; readonly member: number; readonly amountUc: bigint };

export class Payments {
  readonly #genesis: Genesis;
  readonly #purses: Purses;
  #inFlight: readonly Sent[] = [];
  counts = { inside: 0, across: 0, received: 0, waited: 0 }; // waited: a block each

  constructor(genesis: Genesis, purses: Purses) {
    this.#genesis = genesis;
    this.#purses = purses;
  }

  get inFlightUc(): bigint {
    return sumUc(this.#inFlight.map(({ amountUc }) => amountUc));
  }

  /** Whether something is on its way to a region. */
  isExpected(region: number): boolean {
    return this.#inFlight.some((sent) => sent.region === region);
  }

  /** At the beginning of a block: what earlier blocks sent to regions in the market. */
  deliver(isInMarket: (region: number) => boolean): void {
    const due = this.#inFlight.filter(({ region }) => isInMarket(region));
    this.#inFlight = this.#inFlight.filter(({ region }) => !isInMarket(region));
    this.counts.waited += this.#inFlight.length;
    for (const { region, member, amountUc } of due) {
      this.#purses[region]!.neighboursUc -= amountUc;
      this.#purses[region]!.membersUc[member]! += amountUc;
      this.counts.received++;
    }
  }

  /** The code a payment must have; takes its effect where that is 0. No amount fills an account. */
  pay([region, member]: readonly [number, number], { to, amountUc }: Pay): number {
    const payee = this.#place(to);
    if (amountUc < 1n) return TRANSACTION_CODE.payment_invalid;
    if (payee === null) return TRANSACTION_CODE.payee_unknown;
    const isInside = payee.region === region;
    if (isInside && payee.member === member) return TRANSACTION_CODE.payment_invalid;
    const purse = this.#purses[region]!;
    if (purse.membersUc[member]! < amountUc) return TRANSACTION_CODE.balance_insufficient;
    purse.membersUc[member]! -= amountUc;
    if (isInside) {
      purse.membersUc[payee.member]! += amountUc;
      this.counts.inside++;
      return TRANSACTION_CODE.ok;
    }
    purse.neighboursUc += amountUc;
    this.#inFlight = [...this.#inFlight, { ...payee, amountUc }];
    this.counts.across++;
    return TRANSACTION_CODE.ok;
  }

  #place(address: Uint8Array): { readonly region: number; readonly member: number } | null {
    const wanted = toHex(address);
    for (const [region, { members }] of this.#genesis.regions.entries()) {
      const member = members.findIndex((one) => one.address === wanted);
      if (member >= 0) return { region, member };
    }
    return null;
  }
}

/**
 * The oracle committee where it looks after lanes: for each poison of a plan it looks at the region
 * from time to time, and orders the release of a lane that stands quarantined at the poison's slot.
 * First in vain, as often as the plan says; then, where the plan says so, with the bug repaired.
 */
import { signBls } from "../../services/crypto/bls.ts";
import { GridError } from "../../services/primitives/errors.ts";
import {
  committeeOrderStatement,
  encodeCommitteeOrder,
  encodeCommitteeOrderTransaction,
} from "../../services/wire/committee-order.ts";
import { oracleConfigDigest } from "../../services/wire/genesis.ts";
import { type Community, GENESIS_S, GENESIS_SLOT, SLOT_S } from "./community.ts";
import type { MarketNode } from "./market-node.ts";
import type { PoisonFault, Poisons } from "./poison.ts";
import type { Answered } from "./wallets.ts";
import type { World } from "./world.ts";

export type CommitteeParts = {
  readonly world: World;
  readonly community: Community;
  readonly node: MarketNode;
  readonly poisons: Poisons;
  readonly onAnswer: (answered: Answered) => void;
  readonly onViolation: (where: string, failure: unknown) => void;
};

export class Committee {
  readonly #parts: CommitteeParts;
  readonly #vain = new Map<PoisonFault, number>(); // releases ordered before the repair

  constructor(parts: CommitteeParts) {
    this.#parts = parts;
  }

  /** @param endS - of the plan's faults, from genesis: then everything is repaired that ever is */
  schedule(endS: number): void {
    const { world, poisons } = this.#parts;
    for (const fault of poisons.faults) {
      const look = (): void => {
        this.#look(fault);
        world.after(fault.lookS * 1000, look);
      };
      world.at((GENESIS_S + (fault.slot + 1) * SLOT_S) * 1000, look);
    }
    world.at((GENESIS_S + endS) * 1000, () => {
      for (const fault of poisons.faults) {
        if (!fault.comesBack) continue;
        this.#vain.set(fault, fault.vainReleases);
        poisons.repair(fault);
      }
    });
  }

  #look(fault: PoisonFault): void {
    const { world, node, poisons, onAnswer, onViolation } = this.#parts;
    const { running } = node;
    if (running === null) return;
    const { reader, writer } = running.chain;
    const { quarantine } = reader.lane(fault.region);
    if (quarantine?.standing !== "quarantined") return;
    if (quarantine.sinceSlot !== GENESIS_SLOT + fault.slot) return;
    const vain = this.#vain.get(fault) ?? 0;
    if (vain < fault.vainReleases) this.#vain.set(fault, vain + 1);
    else if (fault.comesBack) poisons.repair(fault);
    else return;
    const sequence = reader.head().committee.nextSequence;
    const transaction = this.#release(fault.region, sequence);
    world.note(`committee releases ${fault.region} (${sequence})`);
    writer.submit(transaction).then(
      (answer) => {
        if (node.running !== running) return;
        onAnswer({ transaction, answer });
        world.note(`committee ${answer.code}`);
      },
      (failure: unknown) => {
        // The node is failing; the next look finds the lane as it stands then.
        const isCurrent = node.running === running;
        if (isCurrent && !(failure instanceof GridError)) onViolation("committee", failure);
      },
    );
  }

  #release(regionIndex: number, sequence: number): Uint8Array {
    const { genesis, secrets } = this.#parts.community;
    const orderBytes = encodeCommitteeOrder({
      configDigest: oracleConfigDigest(genesis),
      sequence,
      act: { kind: "release", regionIndex },
    });
    const signature = signBls({
      secretKey: secrets.oracleBls,
      message: committeeOrderStatement(orderBytes),
    });
    return encodeCommitteeOrderTransaction({ orderBytes, certificate: { signers: 1, signature } });
  }
}

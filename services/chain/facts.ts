/**
 * What was found out about some bytes and stays true: a bounded memory of answers. Safe because an
 * answer is a pure function of its key, so to forget one costs time and nothing else.
 */
export class Facts<Answer> {
  readonly #answers = new Map<string, Answer>();
  readonly #max: number;

  /** @param max - answers remembered; the oldest goes first */
  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): Answer | undefined {
    return this.#answers.get(key);
  }

  /** @returns the answer */
  put(key: string, answer: Answer): Answer {
    if (this.#answers.size >= this.#max) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    this.#answers.set(key, answer);
    return answer;
  }
}

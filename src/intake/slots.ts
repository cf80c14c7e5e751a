/** Counts what is open, in total and by peer address, against two limits. */
export class Slots {
  /** Both can be changed at any time; what is open stays open. */
  max: number;
  perPeerMax: number;
  readonly #byPeer = new Map<string, number>();
  #taken = 0;

  constructor(max: number, perPeerMax: number) {
    this.max = max;
    this.perPeerMax = perPeerMax;
  }

  get taken(): number {
    return this.#taken;
  }

  takenBy(peer: string): number {
    return this.#byPeer.get(peer) ?? 0;
  }

  /** @returns gives the slot back; calling it again does nothing */
  take(peer: string): () => void {
    this.#taken += 1;
    this.#byPeer.set(peer, this.takenBy(peer) + 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken -= 1;
      const left = this.takenBy(peer) - 1;
      if (left > 0) this.#byPeer.set(peer, left);
      else this.#byPeer.delete(peer);
    };
  }
}

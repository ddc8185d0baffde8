/** Why a channel is closed to its patient and how else to reach the team: fetched when a closed channel is shown. No DOM. */

export class Contacts {
  #wire;
  #changed;
  #known = new Map(); // channel id → {asked, contact}: `asked` is how the channel stood when it was asked

  constructor(wire, changed) {
    this.#wire = wire;
    this.#changed = changed;
  }

  /** What is known about a channel that is closed to me; null for an open one, and until it has come. */
  of(channel) {
    if (!channel || (channel.status === "active" && channel.writable !== false)) return null;
    const known = this.#known.get(channel.id);
    const asked = `${channel.status} ${channel.writable}`;
    if (known?.asked !== asked && this.#wire.online) this.#fetch(channel.id, asked);
    return known?.contact ?? null;
  }

  async #fetch(id, asked) {
    this.#known.set(id, { asked, contact: this.#known.get(id)?.contact });
    try {
      this.#known.set(id, { asked, contact: await this.#wire.rpc("channel.contact", { channel_id: id }) });
    } catch (error) {
      if (!error.code) throw error;
      this.#known.delete(id);
      return;
    }
    this.#changed();
  }
}

// What was said in rooms, as this client shows it: whether it could be read, under which shield, and what it belongs to.
import assert from 'node:assert/strict';
import { createDecipheriv, createHash } from 'node:crypto';
import { ClientEvent, MatrixEventEvent, RoomEvent } from 'matrix-js-sdk';
import { EventShieldColour, EventShieldReason } from 'matrix-js-sdk/lib/crypto-api/index.js';

const MOST_KEPT = 10_000;

const named = (names, value) => (value === null || value === undefined ? null : names[value].toLowerCase());
const text = (content) => ({
  msgtype: content.msgtype ?? null,
  body: content.body ?? null,
  formatted_body: content.formatted_body ?? null,
});

/** Whether it came in clear, was decrypted, could not be, or is still being looked at. */
function state(event) {
  if (!event.isEncrypted()) return 'clear';
  if (event.isDecryptionFailure()) return 'failed';
  return event.getClearContent() === null ? 'sealed' : 'decrypted';
}

export class Messages {
  #client;
  #news;
  #events = new Map();

  constructor(client, news) {
    [this.#client, this.#news] = [client, news];
    client.on(RoomEvent.Timeline, (event, _room, toStart) => {
      if (toStart || event.isState() || event.getSender() === client.getUserId()) return;
      this.#keep(event);
    });
    for (const change of [MatrixEventEvent.Decrypted, MatrixEventEvent.Replaced, ClientEvent.Sync]) {
      client.on(change, news.tell);
    }
  }

  /** The first message of others, here already or still to come, that is as `wanted` says in every part. */
  async wait(wanted, withinMs) {
    const { has, state: states = ['clear', 'decrypted'], ...same } = wanted;
    const find = async () => {
      for (const event of this.#events.values()) {
        if (!states.includes(state(event))) continue;
        const told = await this.#described(event);
        const fits = Object.entries(same).every(([name, value]) => told[name] === value);
        if (fits && (has === undefined || told.words.body?.includes(has))) return told;
      }
    };
    return this.#news.until(`a message with ${JSON.stringify(wanted)}`, find, withinMs);
  }

  /** How a message stands here now. */
  async look(id) {
    return this.#described(this.#event(id));
  }

  /** The bytes of the encrypted file that a message brought, and whose hash holds. */
  async attachment(id) {
    const { file } = this.#event(id).getContent();
    assert.equal(file?.v, 'v2', 'the message brings no encrypted file');
    const url = this.#client.mxcUrlToHttp(file.url, undefined, undefined, undefined, false, true, true);
    const answer = await fetch(url, { headers: { Authorization: `Bearer ${this.#client.getAccessToken()}` } });
    assert(answer.ok, `the homeserver gives no file: ${answer.status}`);
    const sealed = Buffer.from(await answer.arrayBuffer());
    const hash = createHash('sha256').update(sealed).digest('base64').replace(/=+$/, '');
    assert.equal(hash, file.hashes.sha256, 'the file is not the one that was sent');
    const [key, iv] = [Buffer.from(file.key.k, 'base64url'), Buffer.from(file.iv, 'base64')];
    const cipher = createDecipheriv('aes-256-ctr', key, iv);
    return Buffer.concat([cipher.update(sealed), cipher.final()]);
  }

  #event(id) {
    const event = this.#events.get(id);
    assert(event, `no message ${id} came here`);
    return event;
  }

  #keep(event) {
    this.#events.set(event.getId(), event);
    if (this.#events.size > MOST_KEPT) this.#events.delete(this.#events.keys().next().value);
    this.#news.tell();
  }

  async #described(event) {
    const [content, relation] = [event.getOriginalContent(), event.getWireContent()['m.relates_to'] ?? {}];
    const inside = content['m.relates_to'] ?? relation;
    const edits = inside.rel_type === 'm.replace';
    const shield = await this.#client.getCrypto().getEncryptionInfoForEvent(event);
    return {
      room: event.getRoomId(),
      event: event.getId(),
      sender: event.getSender(),
      type: event.getType(),
      state: state(event),
      failure: event.decryptionFailureReason,
      shield: shield && {
        colour: named(EventShieldColour, shield.shieldColour),
        reason: named(EventShieldReason, shield.shieldReason),
      },
      words: text(content),
      relates_to: inside,
      in_reply_to: inside['m.in_reply_to']?.event_id ?? null,
      edits: edits ? inside.event_id : null,
      edited: edits && content['m.new_content'] ? text(content['m.new_content']) : null,
      shown: text(event.getContent()), // with the edits that this client lets count
      shown_from: event.replacingEventId() ?? null,
    };
  }
}

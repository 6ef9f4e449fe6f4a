// Comparing emoji with somebody, to-device or in a room. It never confirms by itself: a test is the person who looks.
import assert from 'node:assert/strict';
import { CryptoEvent, VerificationPhase, VerificationRequestEvent } from 'matrix-js-sdk/lib/crypto-api/index.js';

const SAS = 'm.sas.v1';
const { Ready, Started, Cancelled, Done } = VerificationPhase;

export class Verifications {
  #client;
  #news;
  #requests = new Map();
  #offered = [];
  #verifying = new Set();

  constructor(client, news) {
    [this.#client, this.#news] = [client, news];
    client.on(CryptoEvent.VerificationRequestReceived, (request) => {
      this.#offered.push(this.#keep(request));
      news.tell();
    });
  }

  /** Ask somebody for it: in a room, at one device, or on our own other devices. */
  async ask({ user, device, room }) {
    const crypto = this.#client.getCrypto();
    const asked = room
      ? crypto.requestVerificationDM(user, room)
      : device
        ? crypto.requestDeviceVerification(user, device)
        : crypto.requestOwnUserVerification();
    return this.#told(this.#keep(await asked));
  }

  /** The next one that somebody has asked us for. */
  async offered(withinMs) {
    const request = await this.#news.until('a request to verify', () => this.#offered.shift(), withinMs);
    return this.#told(request);
  }

  /** Say that we are ready for it. */
  async accept(id) {
    await this.#request(id).accept();
    return this.#told(this.#request(id));
  }

  /** Begin, once both are ready. */
  async begin(id, withinMs) {
    const request = this.#request(id);
    await this.#until(request, 'the other side to be ready', () => request.phase === Ready, withinMs);
    await request.startVerification(SAS);
    return this.#told(request);
  }

  /** The emoji, whoever has begun. */
  async emoji(id, withinMs) {
    const request = this.#request(id);
    const verifier = () => request.phase === Started && request.verifier;
    const begun = await this.#until(request, 'somebody to begin', verifier, withinMs);
    if (!this.#verifying.has(id)) {
      this.#verifying.add(id);
      begun.verify().catch(this.#news.tell); // how it ended is asked of the request
    }
    const shown = () => request.verifier?.getShowSasCallbacks();
    const { sas } = await this.#until(request, 'the emoji', shown, withinMs);
    return { emoji: sas.emoji, decimal: sas.decimal };
  }

  /** They are the same. */
  async confirm(id) {
    await this.#shown(id).confirm();
    return this.#told(this.#request(id));
  }

  /** They are not. */
  mismatch(id) {
    this.#shown(id).mismatch();
    return this.#told(this.#request(id));
  }

  /** Not now. */
  async cancel(id) {
    await this.#request(id).cancel();
    return this.#told(this.#request(id));
  }

  /** How it ended. */
  async end(id, withinMs) {
    const request = this.#request(id);
    const over = () => [Cancelled, Done].includes(request.phase);
    await this.#news.until('the end of a verification', over, withinMs);
    return this.#told(request);
  }

  #keep(request) {
    this.#requests.set(request.transactionId, request);
    request.on(VerificationRequestEvent.Change, this.#news.tell);
    return request;
  }

  #request(id) {
    const request = this.#requests.get(id);
    assert(request, `there is no verification ${id}`);
    return request;
  }

  #shown(id) {
    const shown = this.#request(id).verifier?.getShowSasCallbacks();
    assert(shown, 'no emoji were shown');
    return shown;
  }

  async #until(request, what, find, withinMs) {
    const found = () => {
      assert.notEqual(request.phase, Cancelled, `it was cancelled: ${request.cancellationCode}`);
      return find();
    };
    return this.#news.until(what, async () => found(), withinMs);
  }

  #told(request) {
    return {
      id: request.transactionId,
      user: request.otherUserId,
      device: request.otherDeviceId ?? null,
      room: request.roomId ?? null,
      phase: VerificationPhase[request.phase].toLowerCase(),
      code: request.phase === Cancelled ? request.cancellationCode : null,
      cancelled_by: request.phase === Cancelled ? request.cancellingUserId ?? null : null,
    };
  }
}

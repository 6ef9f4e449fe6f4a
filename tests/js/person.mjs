// Somebody at a new device of an account, with the client library and the encryption that people have in their apps.
import { ClientEvent, EventType, RoomStateEvent, createClient } from 'matrix-js-sdk';
import {
  AllDevicesIsolationMode,
  CryptoEvent,
  OnlySignedDevicesIsolationMode,
  decodeRecoveryKey,
} from 'matrix-js-sdk/lib/crypto-api/index.js';
import { Messages } from './messages.mjs';
import { News } from './news.mjs';
import { Verifications } from './verifications.mjs';

const ENCRYPTION = { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } };
const STORED = ['m.cross_signing.master', 'm.cross_signing.self_signing', 'm.cross_signing.user_signing'];
const ISOLATION = {
  all: () => new AllDevicesIsolationMode(false),
  signed: () => new OnlySignedDevicesIsolationMode(),
};

export class Person {
  news = new News();
  #client;
  #password;
  #storageKeys = new Map();

  /** Log in as a new device, and know the rooms. Nothing is kept on disk: it ends with this process. */
  static async online({ homeserver, user, password, device_name: name, within_ms: withinMs }) {
    const person = new Person();
    const login = await createClient({ baseUrl: homeserver }).loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
      initial_device_display_name: name,
    });
    const client = createClient({
      baseUrl: homeserver,
      userId: login.user_id,
      deviceId: login.device_id,
      accessToken: login.access_token,
      cryptoCallbacks: person.#callbacks(),
    });
    person.#client = client;
    person.#password = password;
    await client.initRustCrypto({ useIndexedDB: false });
    person.messages = new Messages(client, person.news);
    person.verifications = new Verifications(client, person.news);
    const changes = [RoomStateEvent.Events, CryptoEvent.DevicesUpdated, CryptoEvent.UserTrustStatusChanged];
    for (const change of [ClientEvent.Room, ClientEvent.AccountData, ...changes]) client.on(change, person.news.tell);
    await client.startClient({ initialSyncLimit: 50 });
    await person.news.until('the first sync', () => client.isInitialSyncComplete(), withinMs);
    return person;
  }

  get #crypto() {
    return this.#client.getCrypto();
  }

  /** Who we are, and with what. */
  whoami() {
    return { user: this.#client.getUserId(), device: this.#client.getDeviceId(), crypto: this.#crypto.getVersion() };
  }

  /** Have an identity that signs this device: the one that a recovery key opens, or a new one with a new key. */
  async identity({ recovery_key: recoveryKey, within_ms: withinMs = 20_000 }) {
    const storage = this.#client.secretStorage;
    if (recoveryKey) {
      // What another device has stored a moment ago comes with the stream. Without it a new identity would be made.
      const isThere = () => STORED.every((name) => this.#client.getAccountData(name));
      await this.news.until('the stored identity', isThere, withinMs);
      this.#storageKeys.set(await storage.getDefaultKeyId(), decodeRecoveryKey(recoveryKey));
    }
    await this.#crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (upload) => this.#prove(upload) });
    let made = recoveryKey;
    const createSecretStorageKey = async () => {
      const key = await this.#crypto.createRecoveryKeyFromPassphrase();
      made = key.encodedPrivateKey;
      return key;
    };
    await this.#crypto.bootstrapSecretStorage({ createSecretStorageKey });
    const [master, ready] = [await this.#crypto.getCrossSigningKeyId(), await this.#crypto.isCrossSigningReady()];
    return { master, ready, stored: await this.#crypto.isSecretStorageReady(), recovery_key: made };
  }

  /** With whose devices this client shares keys, and whose messages it reads. */
  isolate({ mode }) {
    this.#crypto.setDeviceIsolationMode(ISOLATION[mode]());
  }

  /** Whether devices that we have not verified get no keys. */
  onlyVerified({ on }) {
    this.#crypto.globalBlacklistUnverifiedDevices = on;
  }

  async createRoom({ name, invite, encrypted, within_ms: withinMs }) {
    const initial_state = encrypted ? [ENCRYPTION] : [];
    const { room_id: room } = await this.#client.createRoom({ name, invite, preset: 'private_chat', initial_state });
    const made = async () =>
      this.#client.getRoom(room) && (await this.#crypto.isEncryptionEnabledInRoom(room)) === encrypted;
    await this.news.until(`the making of ${room}`, made, withinMs);
    return { room };
  }

  async join({ room, within_ms: withinMs }) {
    await this.#client.joinRoom(room);
    await this.member({ room, user: this.#client.getUserId(), membership: 'join', within_ms: withinMs });
  }

  async invite({ room, user }) {
    await this.#client.invite(room, user);
  }

  /** Wait until somebody's membership of a room is this one. */
  async member({ room, user, membership, within_ms: withinMs }) {
    const is = () => this.#client.getRoom(room)?.getMember(user)?.membership === membership;
    await this.news.until(`${user} to be in ${room} as ${membership}`, is, withinMs);
  }

  /** Say something. Where the room is encrypted, so is this. */
  async say({ room, content }) {
    const { event_id: event } = await this.#client.sendEvent(room, EventType.RoomMessage, content);
    return { event };
  }

  /** What this client holds of a user. */
  async user({ user }) {
    const status = await this.#crypto.getUserVerificationStatus(user);
    const devices = (await this.#crypto.getUserDeviceInfo([user], true)).get(user);
    return {
      verified: status.isVerified(),
      was_verified: status.wasCrossSigningVerified(),
      known: status.known,
      needs_approval: status.needsUserApproval,
      master: Object.values((await this.#crypto.getUserCrossSigningKeys(user))?.master_key.keys ?? {})[0] ?? null,
      devices: [...(devices?.keys() ?? [])],
    };
  }

  /** Wait until a user is verified: the signature that a verification makes comes back by way of the homeserver. */
  async verified({ user, within_ms: withinMs }) {
    const is = async () => (await this.#crypto.getUserVerificationStatus(user)).isVerified();
    await this.news.until(`${user} to be verified`, is, withinMs);
  }

  /** Wait until a device is one that its owner has cross-signed. */
  async signed({ user, device, within_ms: withinMs }) {
    const is = async () => (await this.#crypto.getDeviceVerificationStatus(user, device))?.signedByOwner;
    await this.news.until(`${user} to have signed ${device}`, is, withinMs);
  }

  /** What this client holds of a device. */
  async device({ user, device }) {
    await this.#crypto.getUserDeviceInfo([user], true);
    const status = await this.#crypto.getDeviceVerificationStatus(user, device);
    return {
      known: status !== null,
      verified: status?.isVerified() ?? false,
      signed_by_owner: status?.signedByOwner ?? false,
    };
  }

  async #prove(upload) {
    try {
      return await upload(null);
    } catch (refused) {
      if (!refused.data?.flows) throw refused;
      const identifier = { type: 'm.id.user', user: this.#client.getUserId() };
      const { session } = refused.data;
      return upload({ type: 'm.login.password', identifier, password: this.#password, session });
    }
  }

  #callbacks() {
    return {
      getSecretStorageKey: async ({ keys }) => {
        const id = Object.keys(keys).find((each) => this.#storageKeys.has(each));
        return id ? [id, this.#storageKeys.get(id)] : null;
      },
      cacheSecretStorageKey: (id, _info, key) => this.#storageKeys.set(id, key),
    };
  }
}

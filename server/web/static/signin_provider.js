/**
 * Signing in with the clinic's sign-in provider: OpenID Connect, authorization code with PKCE (S256), state and nonce.
 *
 * Tokens live in this object and nowhere else; a refresh token that the provider gave renews them silently. (A hidden frame
 * would do without one, but needs the provider's cookie in a frame of ours, which browsers refuse.) While one is away at the
 * provider, this tab's sessionStorage keeps what the answer is checked by and where one was; no token is ever in it.
 */

import { challengeOf, claimsOf, random } from "./pkce.js";
import { replaceRoute } from "./route.js";
import { ask, LIMIT, show, SignInError } from "./signin_words.js";

const TRIP = "warmline.sign-in"; // what the provider's answer is checked by
const HERE = "warmline.signed-in"; // somebody was signed in in this tab: a reload goes on by itself
const NOTE = "warmline.note"; // what to say after coming back

const AWAY = "The sign-in service cannot be reached just now.";
const ENDED = "Your sign-in has ended. Sign in again.";
const OTHER_TRIP = "This sign-in was begun somewhere else, or too long ago. Sign in again.";
const REFUSED = {
  access_denied: "Sign-in was cancelled.",
  temporarily_unavailable: AWAY,
  server_error: AWAY,
};
const FAILED = "The sign-in service could not sign you in. Try again; if it stays so, ask your clinic.";

export class Provider {
  #about;
  #tokens = null;
  #renewing = null;
  #again = null; // what to ask of the provider when the sign-in is over: {} or {prompt: "login"}

  /** @param about the answer of GET /sign-in */
  constructor(about) {
    this.#about = about;
  }

  async enter() {
    for (let words = await this.#arrive(); this.#tokens === null; words = null) {
      show(words ?? "");
      await new Promise((resolve) => ask("Sign in", resolve));
      await this.#go({});
    }
  }

  /** A token that is good for a while yet: a connect and, later, a refresh each ask for one. */
  async token() {
    if (this.#again) return this.#go(this.#again);
    const { access, since, lasts } = this.#tokens;
    if (Date.now() - since < lasts / 2) return access;
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    await this.#renewing;
    return this.#tokens.access;
  }

  /** The server refuses what began before: only proving anew who one is begins a new sign-in. */
  over() {
    this.#tokens = null;
    this.#again ??= { prompt: "login" };
    sessionStorage.removeItem(HERE);
  }

  /** The way back in after `over`: to the provider. */
  async back() {
    await this.#go(this.#again);
  }

  /** Out of here, and out of the provider's own sign-in where it offers that. No token goes into an address. */
  leave(words) {
    this.over();
    sessionStorage.setItem(NOTE, words);
    const { end_session_endpoint: end, client_id } = this.#about;
    if (!end) return location.assign(location.pathname);
    const query = new URLSearchParams({ client_id, post_logout_redirect_uri: here() });
    location.assign(`${end}?${query}`);
  }

  /** What this page was opened for: an answer of the provider, a reload, or a first visit. Answers words to show. */
  async #arrive() {
    const answer = takeAnswer();
    const trip = take(TRIP);
    if (trip) replaceRoute(trip.hash);
    if (answer === null) {
      const note = take(NOTE);
      if (note === null && sessionStorage.getItem(HERE)) await this.#go({});
      return note;
    }
    const issuer = answer.get("iss") ?? this.#about.issuer;
    if (!trip || answer.get("state") !== trip.state || issuer !== this.#about.issuer) return OTHER_TRIP;
    if (answer.has("error")) return REFUSED[answer.get("error")] ?? FAILED;
    const { verifier: code_verifier, nonce } = trip;
    const asked = { grant_type: "authorization_code", code: answer.get("code"), redirect_uri: here(), code_verifier };
    try {
      await this.#fetchTokens(asked, nonce);
      sessionStorage.setItem(HERE, "yes");
      return null;
    } catch (error) {
      return error.message;
    }
  }

  async #renew() {
    const refresh_token = this.#tokens.refresh;
    try {
      if (!refresh_token) throw new SignInError(ENDED);
      await this.#fetchTokens({ grant_type: "refresh_token", refresh_token });
    } catch (error) {
      if (!error.permanent) throw error;
      this.#tokens = null;
      this.#again = {};
      throw new SignInError(ENDED);
    }
  }

  async #fetchTokens(asked, nonce) {
    const { token_endpoint, client_id, issuer } = this.#about;
    const body = new URLSearchParams({ ...asked, client_id });
    const signal = AbortSignal.timeout(LIMIT);
    const answer = await fetch(token_endpoint, { method: "POST", body, signal, credentials: "omit", redirect: "error" }).catch(() => {
      throw new Error(AWAY);
    });
    if (answer.status >= 500 || answer.status === 429) throw new Error(AWAY);
    if (!answer.ok) throw new SignInError(FAILED);
    const found = await answer.json();
    if (nonce !== undefined) {
      const { iss, aud, nonce: said } = claimsOf(found.id_token);
      if (said !== nonce || iss !== issuer || ![aud].flat().includes(client_id)) throw new SignInError(FAILED);
    }
    const lasts = (found.expires_in ?? 60) * 1000;
    const refresh = found.refresh_token ?? this.#tokens?.refresh;
    this.#tokens = { access: found.access_token, refresh, since: Date.now(), lasts };
  }

  /** To the provider. Never resolves: the page goes away, or stays because somebody chose to keep what they wrote. */
  async #go(more) {
    const { authorization_endpoint, client_id, scope, parameters, in_fragment } = this.#about;
    const trip = { state: random(), verifier: random(), nonce: random(), hash: location.hash || "#/" };
    sessionStorage.setItem(TRIP, JSON.stringify(trip));
    const query = new URLSearchParams({
      ...parameters,
      response_type: "code",
      client_id,
      redirect_uri: here(),
      scope,
      state: trip.state,
      nonce: trip.nonce,
      code_challenge: await challengeOf(trip.verifier),
      code_challenge_method: "S256",
      ...(in_fragment && { response_mode: "fragment" }),
      ...more,
    });
    location.assign(`${authorization_endpoint}?${query}`);
    return new Promise(() => {});
  }
}

/** Where the provider sends people back to: this page. */
function here() {
  return `${location.origin}${location.pathname}`;
}

/** The provider's answer out of the address, which then no longer has it; null when there is none. */
function takeAnswer() {
  for (const text of [location.hash.slice(1), location.search.slice(1)]) {
    const found = new URLSearchParams(text);
    if (found.has("state") && (found.has("code") || found.has("error"))) {
      history.replaceState(null, "", location.pathname);
      return found;
    }
  }
  return null;
}

/** What was kept under this name, which is then gone; null when it is not there. */
function take(name) {
  const kept = sessionStorage.getItem(name);
  sessionStorage.removeItem(name);
  return kept === null || name === NOTE ? kept : JSON.parse(kept);
}
